"""DVC's experiments as a table, from references as DVC writes them and made-up runs."""

import json
from pathlib import Path
from statistics import stdev

import pytest
from clones import commit, git, make_clone
from made_up import misreading, runs, write_reports
from projects import run_module

from commands import experiments
from ladder.comparison.experiments import changed_settings
from ladder.evaluation import stats

PARAMS = "model: net7\nseeds: 5\ntrain:\n  epochs:\n  device:\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a clone without experiments, in a terminal of 120 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    make_clone()
    Path("params.yaml").write_text(PARAMS)
    write_reports(Path("reports"), runs(5, 60))
    commit("the commit")
    return tmp_path


def experiment(name, misread, params=PARAMS, **files):
    """Make an experiment as DVC does: a commit that only a reference of its own leads to.

    files: {name: text} of further ones in reports/.
    """
    base = git("rev-parse", "HEAD")
    Path("params.yaml").write_text(params)
    write_reports(Path("reports"), misread)
    for file, text in (files | {"name": name}).items():
        Path(f"reports/{file.replace('_', '.')}").write_text(text)
    commit(name)
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", "HEAD")
    git("reset", "--quiet", "--hard", base)
    return base[:7]


def lines(capsys):
    """Return what the command prints, its lines without runs of spaces."""
    experiments.main([])
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_each_is_listed_with_what_it_set_and_the_verdict(project, capsys):
    base = experiment("longer", runs(5, 20), PARAMS.replace("epochs:", "epochs: 3").replace("seeds: 5", "seeds: 7"))
    experiment("same", runs(5, 60))
    before, after = (99.45, 99.4, 99.35, 99.45, 99.4), (99.85, 99.8, 99.75, 99.85, 99.8)
    low, high = stats.welch(before, after, 0.01).interval[1:]  # which other tests hold against scipy
    assert lines(capsys)[:5] == [
        "experiment what it set accuracy, % change verdict",
        f"{base} (the commit) 99.41 ± {stdev(before):.2f} (5)",
        f"longer seeds=7 99.81 ± {stdev(after):.2f} (5) +0.40 [{low:.2f}, {high:.2f}] better",
        "train.epochs=3",
        f"same – 99.41 ± {stdev(before):.2f} (5) 0.00 [-0.06, 0.06] same results",
    ]


def test_the_most_accurate_comes_first_and_so_does_the_newest_commit(project, capsys, monkeypatch):
    for name, errors in (("worst", 90), ("best", 30), ("middle", 60)):
        old = experiment(name, runs(3, errors))
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2090-01-01T00:00:00Z")
    git("commit", "--allow-empty", "--quiet", "-m", "later")
    new = experiment("only", misreading(70))
    first = [line.split(" ")[0] for line in lines(capsys)]
    assert first[1:7] == [new, "only", old, "best", "middle", "worst"]


def test_one_that_cannot_be_read_or_compared_is_told_and_hides_no_other(project, capsys):
    experiment("good", runs(5, 20))
    experiment("fewer", runs(5, 20)[:, :5000], data_json='{"test_images": 5000}')
    experiment("bad", runs(5, 20), metrics_json="{")
    said = lines(capsys)
    assert any(line.startswith("good – 99.81") and line.endswith("better") for line in said)
    assert any(line.startswith("fewer – 99.62") and line.endswith("– –") for line in said)
    assert "bad – – – –" in said
    *_, fewer, bad = [line for line in said if ": " in line]
    assert fewer.startswith("fewer: ")
    assert "was measured on 10,000 test images and fewer on 5,000" in fewer
    assert bad.startswith("bad: reports/ is not as `evaluate` writes it (metrics.json:")


def test_one_that_waits_is_named_and_one_that_is_done_is_not(project, capsys):
    run = Path(".dvc/tmp/exps/run/abc/abc.run")
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps({"name": "turned", "status": 2}))
    assert lines(capsys) == ["turned: DVC lists it as running"]
    experiment("turned", runs(5, 20))
    assert not any(line.startswith("turned:") for line in lines(capsys))


def test_none_is_one_line_and_no_repository_too(project, tmp_path_factory):
    done = run_module("commands.experiments", project)
    assert (done.returncode, done.stdout.split(";")[0]) == (0, "There are no experiments here")
    done = run_module("commands.experiments", tmp_path_factory.mktemp("empty"))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize(
    ("after", "settings"),
    [
        ("a: 1\nb: {c: 2, d: [3]}\n", []),
        ("a: 2\nb: {c: 2, d: [4]}\n", ["a=2", "b.d=[4]"]),
        ("a:\nb: {c: 2, d: [3], e: {f: x}}\n", ["a=", "b.e.f=x"]),
        ("a: [", []),
    ],
)
def test_settings_are_written_as_dvc_takes_them(after, settings):
    assert changed_settings("a: 1\nb: {c: 2, d: [3]}\n", after) == settings
