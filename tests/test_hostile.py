"""Bad input where a user may give it: one clear line, an exit code, nothing run, nothing lost. All in this process."""

import ast
import contextlib
import importlib
import io
import json
import os
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from projects import REPOSITORY
from ruamel.yaml import YAML

from ladder.command import run_stage
from ladder.exceptions import LadderError
from ladder.files import DEEPEST_YAML, LARGEST_YAML, dump_yaml, parse_yaml, read_yaml
from ladder.names import check_name, is_name

SCRIPTS = sorted(
    f"{folder}.{path.stem}"
    for folder in ("stages", "commands")
    for path in (REPOSITORY / folder).glob("*.py")
    if path.stem not in ("__init__", "compare")  # test_compare has its own
)
NAMES = ["net7", "session7_net1", "a.b", "A-1", "9", "x" * 60]
NO_NAMES = [
    "", " ", ".", "..", "../x", "a/b", "/tmp/x", "a\\b", "a..b", ".a", "a.", "-h", "--seeds", "_a", "my card", "a|b",
    "a;b", "x; touch FILE", "$(touch FILE)", "`touch FILE`", "$HOME", "a&b", "a>b", "a'b", 'a"b', "a\nb", "a\n", "\n",
    "a\tb", "a\0b", "a*", "a?", "~", "%s", "{}", "${key}", "ä", "net７", "net7\u200b", "x" * 61,
]  # fmt: skip


def call(module, *arguments):
    """Call a script's main as its command does. Return (exit code, standard output, standard error)."""
    script = importlib.import_module(module)
    out, errors, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            run_stage(module.split(".")[1], lambda: script.main(list(arguments)))
        except SystemExit as ended:
            code = 1 if isinstance(ended.code, str) else ended.code
            print(ended.code if isinstance(ended.code, str) else "", file=errors)
    return code, out.getvalue(), errors.getvalue().strip()


def assert_refused(found, expected_code, *parts):
    """Refused: this exit code, one line on standard error with all the parts, nothing on standard output."""
    code, out, errors = found
    assert (code, out) == (expected_code, ""), (out, errors)
    assert len(errors.splitlines()) == 1, errors
    assert len(errors) < 1000
    for part in parts:
        assert part in errors


def contents():
    """Return {path: bytes} of all files below this folder, and the folders."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(Path().rglob("*"))}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Start in an empty folder; the test ends with an error if anything was written beside it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    yield inside
    assert list(tmp_path.iterdir()) == [inside], "something was written outside"


@pytest.fixture
def project(folder):
    """Start in a folder with the cards, the parameters and this project's reports, without data."""
    for name in ("datasets", "rungs"):
        shutil.copytree(REPOSITORY / name, name)
    shutil.copy(REPOSITORY / "params.yaml", "params.yaml")
    reports = Path("reports/rungs/net7")
    reports.mkdir(parents=True)
    for name in ("recipe.yaml", "metrics.json", "curves.csv", "errors.csv"):
        shutil.copy(REPOSITORY / reports / name, reports)
        shutil.copy(REPOSITORY / "reports" / name, "reports")
    shutil.copy(REPOSITORY / "reports/data.json", "reports")
    return folder


# Help and arguments


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_says_what_a_script_reads_and_writes_and_runs_nothing(script, flag, folder):
    code, out, errors = call(script, flag)
    assert (code, errors) == (0, "")
    assert out.startswith(f"usage: python -m {script}")
    text = ast.get_docstring(ast.parse((REPOSITORY / f"{script.replace('.', '/')}.py").read_text()))
    assert text in out
    for word in ("Usage:", "Reads:", "Writes:"):
        assert f"\n{word}" in text
    assert contents() == {}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("argument", ["--no-such-option", "--hel", "-x", "--seeds=a\nb", "--=", "-"])
def test_an_unknown_argument_is_refused_in_one_line(script, argument, project):
    before = contents()
    assert_refused(call(script, argument, "a", "b"), 2, f"python -m {script}: ", f"see `python -m {script} --help`")
    assert contents() == before


ARGUMENTS = {
    "no rung": (["stages.climb"], "required"),
    "no seeds": (["stages.climb", "net7"], "--seeds"),
    "zero seeds": (["stages.climb", "net7", "--seeds", "0"], "'0' is not a whole number from 1 to 100"),
    "101 seeds": (["stages.climb", "net7", "--seeds", "101"], "'101' is not a whole number from 1 to 100"),
    "a million": (["stages.climb", "net7", "--seeds", "1000000"], "from 1 to 100"),
    "negative": (["stages.climb", "net7", "--seeds", "-1"], "--seeds"),
    "a fraction": (["stages.climb", "net7", "--seeds", "1.5"], "'1.5' is not"),
    "a power": (["stages.climb", "net7", "--seeds", "1e1"], "'1e1' is not"),
    "other digits": (["stages.climb", "net7", "--seeds", "５"], "'５' is not"),
    "5,000 digits": (["stages.climb", "net7", "--seeds", "1" * 5000], "'11111111111111111...' is not"),
    "prune words": (["commands.prune", "soon"], "'soon' is not a whole number from 0 to 36500"),
    "prune negative": (["commands.prune", "-1"], "'-1' is not a whole number"),
    "prune 5,000 digits": (["commands.prune", "9" * 5000], "is not a whole number from 0 to 36500"),
    "prune a thousand years": (["commands.prune", "365000"], "from 0 to 36500"),
    "prune two": (["commands.prune", "1", "2"], "unrecognized arguments: 2"),
    "prune nothing": (["commands.prune", ""], "'' is not a whole number"),
    "two rungs": (["stages.plan", "net7", "net8"], "unrecognized arguments: net8"),
    "no file": (["commands.search"], "file.yaml"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_bad_argument_is_refused_in_one_line(case, project):
    (script, *arguments), said = ARGUMENTS[case]
    before = contents()
    assert_refused(call(script, *arguments), 2, said)
    assert contents() == before


# Names


@pytest.mark.parametrize("name", NAMES)
def test_a_name(name):
    assert check_name(name, "x") == name


@pytest.mark.parametrize("name", [*NO_NAMES, None, 7, 7.0, True, ["a"], b"a", "x" * 10**6])
def test_no_name(name):
    with pytest.raises(LadderError) as raised:
        check_name(name, "here")
    text = str(raised.value)
    assert text.startswith("here: ")
    assert len(text.splitlines()) == 1
    assert len(text) < 300


# half of the letters may be in a name: of quite random texts, hardly one is a name
@given(st.text(st.sampled_from("aZ09_-.") | st.characters(), max_size=70))
def test_no_name_says_anything_to_a_shell_or_leaves_its_folder(name):
    if is_name(name):
        assert shutil.which(name) is None or "/" not in name
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
        assert (Path("/top") / name).resolve().parent == Path("/top")
        assert name[0] not in "-._"


@pytest.mark.parametrize("name", [name for name in NO_NAMES if not name.startswith("-")])
@pytest.mark.parametrize("script", ["stages.plan", "stages.climb", "commands.train_ladder"])
def test_a_script_takes_no_rung_of_such_a_name(script, name, project):
    before = contents()
    if (script, name) == ("commands.train_ladder", "a/b"):  # a rung on a further data set, if there were one
        return
    more = ["--seeds", "1"] if script == "stages.climb" else []
    assert_refused(call(script, name, *more), 2, "is not a valid name")
    assert contents() == before


@pytest.mark.parametrize("name", ["../..", "..", "/etc", str(REPOSITORY / "reports")])
def test_a_climb_stays_in_its_folder(name, project):
    """It once overwrote reports/metrics.json for the name `..`."""
    before = contents()
    assert_refused(call("stages.climb", name, "--seeds", "1"), 2)
    assert contents() == before


@pytest.mark.parametrize("name", [*NO_NAMES, "x" * 1000])
def test_the_ladder_takes_no_rung_of_such_a_name(name, project):
    Path("rungs/params.yaml").write_text(yaml.safe_dump({"seeds": {"net7": 5, name: 1}}))
    assert_refused(call("stages.names"), 1, "rungs/params.yaml: seeds", "is not a valid name")
    assert not Path("reports/names.txt").exists()


NUMBERS = ["'5; touch FILE'", "0", "101", "-1", "1.5", "1:30", "yes", "5 5", "[5]", "{a: 1}", "", "1e2", ".inf"]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_ladder_takes_no_such_number_of_seeds(number, project):
    Path("rungs/params.yaml").write_text(f"seeds:\n  net7: {number}\n")
    assert_refused(call("stages.names"), 1, "rungs/params.yaml: seeds.net7: ")


def test_the_names_of_the_committed_ladder_pass_with_the_same_line_each_time(project):
    assert call("stages.names")[0] == 0
    first = Path("reports/names.txt").read_bytes()
    Path("rungs/params.yaml").write_text("seeds: {net7: 010}")
    rungs = 1 + len(yaml.safe_load(Path("rungs/data_sets.yaml").read_text())["elsewhere"])
    assert call("stages.names") == (0, f"names: {rungs} rungs in rungs/params.yaml and rungs/data_sets.yaml\n", "")
    assert Path("reports/names.txt").read_bytes() == first


def test_the_board_must_wait_for_every_data_set_that_rungs_are_climbed_on(project):
    """Else it would not be due after a climb there."""
    listed, pipeline = Path("rungs/data_sets.yaml"), Path("rungs/dvc.yaml")
    shutil.copy("datasets/fashion_mnist.yaml", "datasets/shapes.yaml")
    climbed = "elsewhere:\n  shapes/sprint: {data: shapes, rung: sprint, seeds: 3}\n"
    listed.write_text(listed.read_text().replace("elsewhere:\n", climbed) + "  shapes: reports/shapes\n")
    assert_refused(call("stages.names"), 1, "shapes/sprint: the board would not show it; add `- reports/shapes` to")
    line = "      - reports/fashion_mnist"
    pipeline.write_text(pipeline.read_text().replace(line, f"      - reports/shapes\n{line}", 1))
    assert call("stages.names")[0] == 0


def test_every_stage_whose_command_has_a_name_in_it_waits_for_names():
    """DVC writes names into text for a shell, so they must have been checked."""
    stages = yaml.safe_load((REPOSITORY / "rungs/dvc.yaml").read_text())["stages"]
    waiting = {"reports/names.txt"}
    for name, stage in stages.items():  # in their order: each after those that it depends on
        do = stage.get("do", stage)
        if waiting & set(do["deps"]):
            waiting |= {path if isinstance(path, str) else next(iter(path)) for path in do["outs"]}
        assert "${" not in do["cmd"] or waiting & set(do["deps"]), name
    main = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert all("${" not in stage["cmd"] for stage in main.values())


# YAML

TWELVE = ["010", "08", "0o17", "1:30", "yes", "no", "on", "off", "y", "1_000", "1e3", "1e-2", ".5", "0x1F", "~", "null"]
TWELVE += ["True", "true", "TRUE", "2020-01-01", "-.INF", "+1", "5.", "'5'", "- 1", "[1, a]", "{a: 1}", "|\n  x", ""]


@pytest.mark.parametrize("value", TWELVE)
def test_yaml_is_read_as_dvc_reads_it(value):
    from dvc.utils.serialize import parse_yaml as dvc_reads

    text = f"a:\n  {value}"
    assert parse_yaml(text, "x") == dvc_reads(text, "x")


def test_yaml_12_is_meant():
    text = "a: 010\nb: 1:30\nc: yes\nd: off\ne: 1e3\nf: 0o17\n"
    assert parse_yaml(text, "x") == {"a": 10, "b": "1:30", "c": "yes", "d": "off", "e": 1000.0, "f": 15}


BAD_YAML = {
    "a key twice": ("a: 1\nb: 2\na: 3", "the key 'a' is there twice, line 3"),
    "a key twice in brackets": ("{seeds: 1, seeds: 2}", "the key 'seeds' is there twice"),
    "a tag that runs": ("a: !!python/object/apply:os.system ['touch FILE']", "tag"),
    "a tag that builds": ("a: !!python/name:os.system", "tag"),
    "a tag of its own": ("a: !include /etc/passwd", "tag"),
    "an anchor": ("a: &x 1\nb: *x", "anchors and aliases such as 'x' are not read; write the value itself, line 1"),
    "an alias": ("a: *x", "anchors and aliases such as 'x'"),
    "a circle": ("a: &x [*x]", "anchors and aliases"),
    "a bomb": ("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "anchors and aliases"),
    "20,000 brackets": ("[" * 20_000, f"nested more than {DEEPEST_YAML} deep"),
    "500 brackets, closed": ("a: " + "[" * 500 + "]" * 500, f"nested more than {DEEPEST_YAML} deep"),
    "500 braces": ("{a: " * 500 + "}" * 500, f"nested more than {DEEPEST_YAML} deep"),
    "500 indents": ("\n".join(" " * depth + "a:" for depth in range(500)), f"nested more than {DEEPEST_YAML} deep"),
    "500 dashes": ("- " * 500, f"nested more than {DEEPEST_YAML} deep"),
    "megabytes": ("a: " + "x" * LARGEST_YAML, f"longer than {LARGEST_YAML:,} bytes"),
    "a date that is none": ("a: 2020-13-45", "month must be in 1..12"),
    "5,000 digits": ("a: " + "9" * 5000, "5000 digits"),
    "a zero byte": ("a: \0", "special characters are not allowed"),
    "latin-1": ("a: ä".encode("latin-1"), "utf-8"),
    "UTF-16": ("a: 1".encode("utf-16"), "utf-8"),
    "two documents": ("a: 1\n---\nb: 2", "another document"),
    "a tab": ("a:\n\tb: 1", "line 2"),
    "an open bracket": ("a: [1", "line 1"),
    "an open quote": ("a: 'x", "line 1"),
    "a list for a key": ("? {a: 1}\n: 3", "unhashable key"),
    "two colons": ("a: b: c", "line 1"),
    "HTML": ("<html>\n<a: b: c>", "line 2"),
}


@pytest.mark.parametrize("case", BAD_YAML)
def test_bad_yaml_is_one_line_that_names_the_file(case):
    text, said = BAD_YAML[case]
    with pytest.raises(LadderError) as raised:
        parse_yaml(text, "file.yaml")
    line = str(raised.value)
    assert line.startswith("file.yaml: ")
    assert said in line
    assert len(line.splitlines()) == 1
    assert len(line) < 400


@pytest.mark.parametrize("case", BAD_YAML)
@pytest.mark.parametrize("file", ["params.yaml", "rungs/cards/net9.yaml", "rungs/params.yaml"])
def test_bad_yaml_stops_a_script_with_one_line(case, file, project):
    text, _ = BAD_YAML[case]
    Path(file).write_bytes(text if isinstance(text, bytes) else text.encode())
    if file != "params.yaml":
        Path("params.yaml").write_text("model: net9\nseeds: 1\nevaluate: {target: 99}")
    before = contents()
    assert_refused(call("stages.names" if file == "rungs/params.yaml" else "stages.plan"), 1, file)
    assert contents() == before
    assert not Path("FILE").exists()


def test_what_is_no_file_is_not_read(folder):
    os.mkfifo("fifo.yaml")
    Path("folder.yaml").mkdir()
    Path("broken.yaml").symlink_to("nowhere")
    Path("endless.yaml").symlink_to("/dev/zero")
    for name in ("fifo.yaml", "folder.yaml", "broken.yaml", "endless.yaml", "none.yaml"):
        with pytest.raises(LadderError, match=f"^{name}: (not a|no such) file$"):
            read_yaml(name)


def test_what_was_read_belongs_to_who_read_it():
    """Texts are kept once parsed; a change of what one reader got must not reach the next."""
    first = parse_yaml("a: [1, {b: 2}]", "x")
    first["a"][1]["b"] = 3
    assert parse_yaml("a: [1, {b: 2}]", "x") == {"a": [1, {"b": 2}]}


TEXT = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="0123456789_.+-eExob:", max_size=7),
    st.sampled_from(["yes", "no", "~", "null", "010", "08", "0o17", "1:30", "=", "<<", "-_", "1e5", "!x", "&a", "*a"]),
)
LEAF = st.one_of(TEXT, st.integers(-(10**20), 10**20), st.floats(allow_nan=False), st.booleans(), st.none())
CONTENT = st.recursive(
    LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(TEXT, CONTENT, max_size=3))
@example({"-_": "08", "1e3": "0o17", "010": 1e-05, "x": "1:30", "=": float("inf")})
def test_what_is_dumped_reads_back_the_same_by_yaml_11_and_12(content):
    text = dump_yaml(content)
    assert yaml.safe_load(text) == content
    assert YAML(typ="safe", pure=True).load(text) == content
    assert parse_yaml(text, "x") == content


def test_the_committed_recipes_are_dumped_as_they_are():
    for path in (REPOSITORY / "reports").rglob("recipe.yaml"):
        assert dump_yaml(read_yaml(path)) == path.read_text()


# Parameters and files

PARAMETERS = {
    "seeds: 010": None,
    "seeds: 1:30": "seeds: '1:30' will not do",
    "seeds: yes": "seeds: 'yes' will not do",
    "seeds: 1_0_1": "seeds: 101 will not do",
    "seeds: 4.0": "seeds: 4.0 will not do",
    "train: {learning_rate: 2020-01-01}": "train.learning_rate: ",
    "train: {learning_rate: 1e400}": "train.learning_rate: ",
    "sedes: 4": "unknown key 'sedes'; did you mean 'seeds'?",
    "train: []": "train: ",
    "evaluate:": "evaluate: ",
    "model: ..": "'..'",
    "model: /etc/passwd": "'/etc/passwd'",
    "model: '-h'": "'-h'",
    "model: 7": "model: ",
    "model:": "model: ",
}


@pytest.mark.parametrize("line", PARAMETERS)
def test_a_bad_parameter_is_one_line(line, project):
    from ladder import cards

    key = line.split(":")[0]
    good = {"model": "net9", "seeds": "2", "evaluate": "{target: 99}"}
    text = "".join(f"{name}: {value}\n" for name, value in good.items() if name != key) + line
    Path("params.yaml").write_text(text)
    if PARAMETERS[line] is None:
        assert cards.read_params().seeds == 10
    else:
        assert_refused(call("stages.plan"), 1, "plan: ", PARAMETERS[line])


NO_METRICS = ["", "{", "[]", "null", "7", '"x"', "{}", '{"accuracy": "x"}', '{"accuracy": null}', "[" * 100_000]
NO_METRICS += ['{"accuracy": 99, "accuracy_low": 1, "accuracy_high": 2, "errors": "many"}', "\x00", "<html>"]


@pytest.mark.parametrize("text", NO_METRICS)
def test_a_result_that_makes_no_sense_is_one_line(text, project):
    Path("reports/metrics.json").write_text(text)
    assert_refused(call("commands.result"), 1, "reports/", "dvc repro")


def test_the_result_is_the_pipelines(project):
    code, out, errors = call("commands.result")
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert (code, errors) == (0, "")
    mean, low, high = (round(Decimal(str(metrics[key])), 2) for key in ("accuracy", "accuracy_low", "accuracy_high"))
    assert f"sprint: {mean} % of 10,000 test images read correctly, mean of 4 seeds" in out
    assert f"{low} to {high}" in out
    metrics |= {"accuracy_low": None, "accuracy_high": None, "errors": 57}
    Path("reports/metrics.json").write_text(json.dumps(metrics))
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seeds: 4", "seeds: 1"))
    assert "seed 0 (one seed, so no interval); 57 misread\n" in call("commands.result")[1]


def test_a_result_before_any_run_is_one_line(folder):
    assert_refused(call("commands.result"), 1, "there is no reports/metrics.json yet")


@pytest.mark.parametrize("script", ["stages.plan", "stages.train", "stages.names", "stages.preprocess", "stages.board"])
def test_a_script_in_another_folder_says_where_to_start(script, folder):
    found = call(script)
    assert_refused(found, 1, f"this folder is {folder}", "start in the repository's top folder")


def test_a_file_that_may_not_be_read_is_not_called_missing(folder, monkeypatch):
    """Root may read all, so the system's answer is made up."""
    from ladder.data import tensors

    Path("x.safetensors").write_bytes(b"x")
    monkeypatch.setattr(
        tensors.Path, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    with pytest.raises(LadderError, match=r"x\.safetensors: not a readable safetensors file \(Permission denied\)"):
        tensors.read_tensors("x.safetensors")


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\xff" * 100, b"\x08" + bytes(7) + b"[" * 8, (1 << 62).to_bytes(8, "little")]
)
def test_tensors_that_are_none_are_one_line(content, folder):
    from ladder.data.tensors import read_tensors

    Path("x.safetensors").write_bytes(content)
    with pytest.raises(LadderError) as raised:
        read_tensors("x.safetensors")
    assert len(str(raised.value).splitlines()) == 1
    assert "make it again with `dvc repro`" in str(raised.value)


SEARCHES = {
    "nothing": ("", "expected keys and values"),
    "no candidates": ("seeds: [1]\nholdout: 10\ncandidates: {}", "candidates: {} will not do"),
    "no seeds": ("seeds: []\nholdout: 10\ncandidates: {a: {extends: net8}}", "seeds: [] will not do"),
    "the folder above": ("seeds: [1]\nholdout: 10\ncandidates: {..: {extends: net8}}", "'..' is not a valid name"),
    "an option": ("seeds: [1]\nholdout: 10\ncandidates: {-h: {extends: net8}}", "'-h' is not a valid name"),
    "a path": ("seeds: [1]\nholdout: 10\ncandidates: {a/b: {extends: net8}}", "'a/b' is not a valid name"),
    "a line feed": ('seeds: [1]\nholdout: 10\ncandidates: {"a\\nb": {extends: net8}}', "'a\\nb' is not a valid name"),
    "a number": ("seeds: [1]\nholdout: 10\ncandidates: {7: {extends: net8}}", "candidates"),
    "a tag": ("seeds: !!python/object/apply:os.system ['touch FILE']", "tag"),
    "a seed of text": (
        "seeds: [yes]\nholdout: 10\ncandidates: {a: {extends: net8}}",
        "seeds: item 1: 'yes' will not do",
    ),
}


@pytest.mark.parametrize("case", SEARCHES)
def test_a_search_that_makes_no_sense_is_one_line(case, project):
    text, said = SEARCHES[case]
    Path("try.yaml").write_text(text)
    before = contents()
    assert_refused(call("commands.search", "try.yaml"), 1, "search: try.yaml", said)
    assert contents() == before


def test_a_search_stays_in_its_folder(project):
    Path("try.yaml").write_text("seeds: [1]\nholdout: 10\ncandidates: {../../outside: {extends: net8}}")
    assert_refused(call("commands.search", "try.yaml"), 1, "is not a valid name")


@pytest.mark.parametrize(
    "fault", [PermissionError(13, "Permission denied", "x/y"), OSError(28, "No space left"), OSError("odd")]
)
def test_a_fault_of_the_system_is_one_line(fault, project, capsys):
    def main():
        raise fault

    with pytest.raises(SystemExit) as ended:
        run_stage("train", main)
    assert ended.value.code == f"train: {fault.filename or 'a file'}: {fault.strerror or fault}"


def test_importing_a_script_does_nothing(folder):
    for script in SCRIPTS:
        sys.modules.pop(script, None)
        importlib.import_module(script)
    assert contents() == {}
