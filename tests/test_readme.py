"""README's commands, run in README's order in a clone; and the links of all pages lead somewhere.

Git, make, DVC, the Makefile, the pipelines, `board` and all commands are the real ones. What takes long is replaced:
the stages that fetch, plan, train and measure write made-up files (tests/stand_in.py), and the make targets that would
test, build the page or train the whole ladder are only looked up by `make --dry-run`. Other tests run these.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import REPOSITORY
from safetensors.torch import save_file
from stand_in import STAGES

from ladder import cards
from ladder.network.build import build

DRY = "make --dry-run"
CLONE = "git clone <address of this repository> digit-ladder && cd digit-ladder"
RESTORE = "git restore params.yaml dvc.lock reports && dvc checkout dvc.yaml"
# {command of README: (what is run, what it must print)}; the order is README's. None: as it stands.
STEPS = [
    (CLONE, "git clone --quiet source digit-ladder", ""),
    ("make repro", None, "mean of 4 seeds"),
    ("make test", f"{DRY} test", "pytest"),
    ("dvc exp run -n three -S train.epochs=3", None, "three"),
    ("python -m commands.compare", None, "HEAD (sprint)"),
    ("python -m commands.compare net7 net8", None, "net8 is better than net7"),
    ("python -m commands.compare main", None, "main (sprint)"),
    ("python -m commands.compare main three", None, "three (sprint)"),
    (RESTORE, None, ""),
    ("make page", f"{DRY} page", "commands.page"),
    ("make climb", f"{DRY} climb", "commands.train_ladder"),
    ("dvc exp run -n turned -S model=sprint_turned", None, "turned"),
    ("python -m commands.compare main turned", None, "turned (sprint_turned)"),
    (RESTORE, None, ""),
    ('echo "  sprint_turned: 5" >> rungs/params.yaml', None, ""),
    ("dvc repro rungs/dvc.yaml:climb@sprint_turned && dvc repro -s rungs/dvc.yaml:board", None, "climb: made up"),
    ("dvc repro", None, ""),
    ('git add rungs reports docs dvc.lock README.md && git commit -m "sprint_turned"', None, "sprint_turned"),
    ("dvc exp run -n clothes -S data=fashion_mnist -S model=sprint", None, "clothes"),
    (RESTORE.replace("dvc.lock", "dvc.lock rungs/dvc.lock"), None, ""),
    ("python -m commands.compare fashion_mnist/sprint fashion_mnist/s7_final", None, "than fashion_mnist/sprint"),
    ("python -m commands.predict docs/seven.png", None, "model: sprint, seed 0"),
    ("python -m commands.export --onnx model.onnx --c model.h", None, "all 50 test images read as by the engine"),
    ("python -m commands.ladder --sort parameters --best", None, "tiny"),
    ("make test", f"{DRY} test", "pytest"),
]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]


def blocks(text):
    """Return the indented blocks of Markdown, a list of lines each, without the indent."""
    found = re.findall(r"(?<=\n\n)(?: {4}\S.*\n)+", text)
    return [[line[4:] for line in block.splitlines()] for block in found]


def commands(text):
    """Return the command lines of all blocks but those that show what a command prints, without their comments."""
    lines = [line for block in blocks(text) if not is_output(block) for line in block]
    return [re.sub(r"\s{2,}#.*", "", line) for line in lines]


def is_output(block):
    return bool(re.match(r"\w+: ", block[0]))


@pytest.fixture(scope="module")
def readme():
    return (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs a line of shell in a folder and returns what it printed."""
    weights = tmp_path / "weights.safetensors"
    recipe = cards.resolve("sprint", cards=REPOSITORY / cards.CARDS)
    save_file(build(recipe, seed=0).state_dict(), weights)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    variables = outside | {  # `make` inside `make test` would say which folder it enters, as none does in a terminal
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY / "tests"),
        "STAND_IN_WEIGHTS": str(weights),
        "COLUMNS": "100",
        "DVC_NO_ANALYTICS": "1",
        **{f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(line, folder):
        done = subprocess.run(line, shell=True, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stderr + done.stdout

    return run


@pytest.fixture
def source(tmp_path, shell):
    """Make a repository of this one's files, with stages that make things up. It is the one that is cloned."""
    folder = tmp_path / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    for stage in STAGES:
        (folder / f"stages/{stage}.py").write_text(f"import stand_in\n\nstand_in.main({stage!r})\n")
    shell("git init --quiet --initial-branch=main && git add . && git commit --quiet -m all", folder)
    return folder


def prepare(line, clone, readme, shell):
    """Do what README's text says between its commands."""
    if line == CLONE:
        (clone / ".git/info/exclude").write_text("model.onnx\nmodel.h\n.lanes\n")
        (REPOSITORY / ".lanes").mkdir(exist_ok=True)  # the kernels, compiled by the tests before
        (clone / ".lanes").symlink_to(REPOSITORY / ".lanes")
        (clone / ".venv").mkdir()
        for path in Path(sys.prefix).iterdir():  # the environment is that of this test
            (clone / ".venv" / path.name).symlink_to(path)
        (clone / ".venv/installed").unlink(missing_ok=True)
        (clone / ".venv/installed").touch()
    if line == "make repro":  # the real results are there already
        shell("git commit --quiet --all -m made-up", clone)
    if line == "make climb":
        card = re.search(r"Write `(\S+)`:\n\n```yaml\n(.+?)```", readme, re.DOTALL)
        (clone / card[1]).write_text(card[2])


def test_every_command_of_readme_is_run_here_in_readmes_order(readme):
    assert commands(readme) == [line for line, _, _ in STEPS]


@pytest.mark.slow
def test_readmes_commands_work_one_after_the_other(readme, source, shell):
    clone = source.parent / "digit-ladder"
    for line, instead, said in STEPS:
        printed = shell(instead or line, clone if clone.exists() else source.parent)
        assert said in printed, f"{line}\n{printed}"
        if line == "make repro":
            assert digitless(printed).rstrip().endswith(digitless("\n".join(next(filter(is_output, blocks(readme))))))
        prepare(line, clone, readme, shell)
    assert shell("git status --short", clone) == ""
    assert "sprint_turned" in (clone / "reports/ladder.md").read_text()


def test_readme_is_about_five_screens_long(readme):
    """By its lines, and one picture: more belongs into docs/."""
    assert len(readme.splitlines()) <= 200
    assert len(re.findall(r"^!\[", readme, re.MULTILINE)) <= 1


def digitless(text):
    """Return text with each number as 0 and each run of blanks as one."""
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "0", text))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_to_a_heading(page):
    """A heading's anchor is GitHub's: lower case, blanks as hyphens, no punctuation."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "../../actions/"))]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, link
