"""Reports that make no sense: each is refused in one line, by compare with exit code 2, by the board with 1."""

import contextlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
from clones import commit, git
from made_up import write_reports
from projects import run_module

from commands import compare
from ladder.comparison.parsing import test_set_of as set_of
from ladder.comparison.parsing import yaml_mapping
from ladder.exceptions import LadderError

IMAGES = 1000
SEEDS = 3


def misread(first):
    """Return bool [seeds, images]: 20 misread images a seed, from `first` on."""
    wrong = np.zeros((SEEDS, IMAGES), dtype=bool)
    wrong[:, first : first + 20] = True
    return wrong


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A clone whose HEAD has good reports; those of the workspace are good too, but others."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    write_reports(Path("reports"), misread(0))
    Path("reports/data.json").write_text(json.dumps({"test_images": IMAGES}))
    Path("reports/history.csv").write_text(
        "seed,epoch,learning_rate,train_loss,train_accuracy,holdout_loss,holdout_accuracy\n"
        + "".join(f"{seed},{epoch},0.1,0.5,99.5,,\n" for seed in range(SEEDS) for epoch in (1, 2))
    )
    Path("params.yaml").write_text("model: net7\nseeds: 3\n")
    commit("net7")
    write_reports(Path("reports"), misread(7), "net8")
    return tmp_path


def replaced(old, new, count=-1):
    """Return a change of a text that replaces a part of it, which must be there."""

    def change(text):
        assert old in text
        return text.replace(old, new, count)

    return change


def with_value(key, value):
    """Return a change of a JSON object that writes `value`, as it is, for a key."""
    return lambda text: json.dumps(json.loads(text) | {key: "HERE"}).replace('"HERE"', value)


def line(number, new):
    """Return a change of a text that puts another line in the place of one; a negative number counts from the end."""

    def change(text):
        lines = text.splitlines(keepends=True)
        lines[number] = new(lines[number]) if callable(new) else new
        return "".join(lines)

    return change


CASES = {
    # metrics.json
    "a nested value": ("metrics.json", with_value("accuracy", '{"mean": 98}'), "accuracy is a mapping, not a number"),
    "a list": ("metrics.json", with_value("accuracy", "[98]"), "accuracy is a list, not a number"),
    "a text": ("metrics.json", with_value("accuracy", '"x"'), "accuracy is 'x', not a number from 0 to 100"),
    "a boolean": ("metrics.json", with_value("accuracy", "true"), "accuracy is True, not a number"),
    "nothing": ("metrics.json", with_value("accuracy", "null"), "accuracy is None, not a number"),
    "400 digits": (
        "metrics.json",
        with_value("parameters", "9" * 400),
        "parameters is a number of more than 40 digits",
    ),
    "5,000 digits": ("metrics.json", with_value("parameters", "9" * 5000), "metrics.json"),
    "400 digits of an unknown key": ("metrics.json", with_value("new", "9" * 400), "'new' is a number of more than 40"),
    "a text of an unknown key": ("metrics.json", with_value("new", '"x"'), "'new' is 'x', not a number"),
    "1e999": ("metrics.json", with_value("loss", "1e999"), "loss is inf, not a number"),
    "NaN": ("metrics.json", with_value("loss", "NaN"), "NaN is no finite number"),
    "-Infinity": ("metrics.json", with_value("gap", "-Infinity"), "-Infinity is no finite number"),
    "a negative number": ("metrics.json", with_value("errors", "-1"), "errors is -1, not a number from 0"),
    "more than 100 %": ("metrics.json", with_value("train_accuracy", "100.5"), "train_accuracy is 100.5, not"),
    "half a parameter": ("metrics.json", with_value("parameters", "7.5"), "parameters is 7.5, not a whole number"),
    "another accuracy": (
        "metrics.json",
        with_value("accuracy", "97.5"),
        "are of different runs: their accuracy differs",
    ),
    "another loss": ("metrics.json", with_value("loss", "0.5"), "are of different runs: their loss differs"),
    "100,000 brackets": ("metrics.json", lambda text: "[" * 100_000, "metrics.json has 100,000 bytes, more than"),
    "30,000 brackets": ("metrics.json", lambda text: "[" * 30_000, "brackets are nested too deeply"),
    "a key twice": ("metrics.json", replaced("{", '{"loss": 0.02, ', 1), "a key is there twice"),
    "no mapping": ("metrics.json", lambda text: "[]", "it is a list, not a mapping"),
    "half a file": ("metrics.json", lambda text: text[: len(text) // 2], "metrics.json"),
    "an empty file": ("metrics.json", lambda text: "", "metrics.json"),
    "no text": ("metrics.json", lambda text: "\0\ufffd", "metrics.json"),
    # data.json
    "10^12 test images": ("data.json", with_value("test_images", "1000000000000"), "test_images is 1000000000000, not"),
    "no test images": ("data.json", with_value("test_images", "0"), "test_images is 0, not"),
    "half a test image": ("data.json", with_value("test_images", "1000.5"), "test_images is 1000.5, not"),
    "test images as a text": ("data.json", with_value("test_images", '"1000"'), "test_images is '1000', not"),
    "no key": ("data.json", lambda text: "{}", "test_images is None, not"),
    "fewer test images": (
        "data.json",
        with_value("test_images", "20"),
        "an image 20, but there are 20, counted from 0",
    ),
    "more test images": ("data.json", with_value("test_images", "2000"), "are of different runs"),
    # curves.csv
    "NaN loss": ("curves.csv", line(-1, "2,2,98.0,nan\n"), "line 7: 'nan' is not a number"),
    "a loss without end": ("curves.csv", line(-1, "2,2,98.0,1e999\n"), "line 7: '1e999' is not a number"),
    "a loss of 1e300": ("curves.csv", line(-1, "2,2,98.0,1e300\n"), "line 7: '1e300' is not a number"),
    "a negative loss": ("curves.csv", line(-1, "2,2,98.0,-0.1\n"), "line 7: '-0.1' is not a number"),
    "an accuracy above 100": ("curves.csv", line(-1, "2,2,198.0,0.1\n"), "accuracy is 198, more than 100 %"),
    "an underscore": ("curves.csv", line(-1, "2,2,9_8.0,0.1\n"), "line 7: '9_8.0' is not a number"),
    "other digits": ("curves.csv", line(-1, "٢,2,98.0,0.1\n"), "line 7: '٢' is not a whole number"),
    "half a last line": ("curves.csv", lambda text: text[:-3], "curves.csv: the last line is cut off"),
    "half a line within": ("curves.csv", line(3, "1,1\n"), "line 4 has 2 cells, not 4"),
    "a long line": ("curves.csv", line(3, "1,1,98.0,0.1,5\n"), "line 4 has 5 cells, not 4"),
    "an epoch 0": ("curves.csv", line(1, "0,0,97.0,0.1\n"), "a seed lacks one of the epochs 1 to 2"),
    "an epoch of 10^11": ("curves.csv", line(-1, "2,100000000000,98.0,0.1\n"), "a seed lacks one of the epochs"),
    "an epoch twice": ("curves.csv", line(2, "0,1,97.0,0.1\n"), "a seed has the same epoch twice"),
    "a seed less": (
        "curves.csv",
        lambda text: "".join(text.splitlines(keepends=True)[:-2]),
        "a seed 2 that curves.csv",
    ),
    "no rows": ("curves.csv", lambda text: text.splitlines(keepends=True)[0], "curves.csv: it has no rows"),
    "no column": ("curves.csv", replaced("loss", "lost"), "curves.csv: it needs one column 'loss'"),
    "a column twice": ("curves.csv", replaced("accuracy", "loss"), "curves.csv: it needs one column 'accuracy'"),
    "an open quote": ("curves.csv", line(-1, '"2,2,98.0,0.1\n'), "curves.csv: line 7: "),
    "a huge cell": ("curves.csv", line(-1, f"2,2,98.0,{'1' * 200_000}\n"), "curves.csv: line 7: "),
    "other curves": ("curves.csv", line(-1, "2,2,97.0,0.022\n"), "errors.csv and curves.csv are of different runs"),
    # errors.csv
    "a row twice": ("errors.csv", line(2, "0,7,7,8,0.9\n"), "errors.csv: seed 0 has image 7 twice"),
    "half a last row": ("errors.csv", lambda text: text[:-6], "errors.csv: the last line is cut off"),
    "half a last row with its end": ("errors.csv", lambda text: text[:-6] + "\n", "cells, not 5"),
    "label 77": ("errors.csv", line(1, "0,7,77,8,0.9\n"), "errors.csv: image 7: there is no class 77"),
    "prediction 10": ("errors.csv", line(1, "0,7,7,10,0.9\n"), "errors.csv: image 7: there is no class 10"),
    "a negative label": ("errors.csv", line(1, "0,7,-7,8,0.9\n"), "line 2: '-7' is not a whole number"),
    "two labels": ("errors.csv", line(1, "0,7,6,8,0.9\n"), "errors.csv: image 7 has two labels"),
    "a right answer": ("errors.csv", line(1, "0,7,8,8,0.9\n"), "errors.csv: image 7 is not misread"),
    "a confidence of 2": ("errors.csv", line(1, "0,7,7,8,2\n"), "errors.csv: image 7: its confidence 2 is more than 1"),
    "another seed": ("errors.csv", line(1, "9,7,7,8,0.9\n"), "errors.csv: it has a seed 9 that curves.csv lacks"),
    "an image too many": ("errors.csv", line(1, "0,1000,7,8,0.9\n"), "an image 1000, but there are 1,000, counted"),
    "a row less": ("errors.csv", line(1, ""), "errors.csv and curves.csv are of different runs"),
    "an empty table": ("errors.csv", lambda text: "", "errors.csv: the last line is cut off"),
    # history.csv
    "a history of other seeds": ("history.csv", replaced("\n2,", "\n5,"), "history.csv: it has other seeds"),
    "a history without an epoch": ("history.csv", line(-1, ""), "history.csv: a seed lacks one of the epochs 1 to 2"),
    "a history of 120 %": ("history.csv", line(-1, "2,2,0.1,0.5,120,,\n"), "train_accuracy is 120, more than 100"),
    "garbage": ("history.csv", lambda text: "\x1b[31mgarbage\n", "history.csv: it needs one column 'seed'"),
    # recipe.yaml
    "other epochs": ("recipe.yaml", replaced("epochs: 2", "epochs: 3"), "curves.csv has 2 epochs, but recipe.yaml 3"),
    "no epochs": ("recipe.yaml", replaced("epochs: 2", "epoch: 2"), "recipe.yaml: it has no epochs"),
    "a rung of HTML": ("recipe.yaml", replaced("net8", "<b>x</b>"), "rung is '<b>x</b>', which is no name of a rung"),
    "a rung that mentions": ("recipe.yaml", replaced("net8", "'@everyone'"), "rung is '@everyone', which is no name"),
    "a rung of two lines": ("recipe.yaml", replaced("net8", '"net8\\n# x"'), "which is no name of a rung"),
    "a rung elsewhere": ("recipe.yaml", replaced("net8", "a..b"), "rung is 'a..b', which is no name of a rung"),
    "no rung": ("recipe.yaml", replaced("rung: net8\n", ""), "rung is None, which is no name of a rung"),
    "a recipe of 5,000 brackets": ("recipe.yaml", lambda text: "rung: " + "[" * 5000, "nested too deeply"),
    "a recipe that grows": (
        "recipe.yaml",
        lambda text: "a: &a [x, x]\nb: &b [*a, *a]\nrung: net8\nepochs: 2\n",
        "it refers to other parts of itself",
    ),
    "a tag": (
        "recipe.yaml",
        lambda text: "rung: !!python/object/apply:os.system [id]\n",
        "recipe.yaml: not valid YAML",
    ),
    "a large recipe": ("recipe.yaml", lambda text: "# x\n" * 20_000, "recipe.yaml has 80,000 bytes, more than"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_report_that_makes_no_sense_is_refused_in_one_line(project, case):
    file, change, fault = CASES[case]
    path = Path("reports", file)
    path.write_text(change(path.read_text()))
    with pytest.raises(LadderError) as error:
        compare.main([])
    said = str(error.value)
    assert fault in said
    assert said.startswith("workspace: ")
    assert len(said.splitlines()) == 1
    assert len(said) < 500
    assert said.isprintable()


def test_a_committed_report_that_makes_no_sense_is_refused_too(project):
    Path("reports/metrics.json").write_text('{"accuracy": "x"}')
    commit("damaged")
    fault = r"^HEAD: reports/ is not as .*; commit reports/ there, as `dvc repro` leaves it$"
    with pytest.raises(LadderError, match=fault):
        compare.main(["HEAD~1", "HEAD"])


def test_the_good_reports_are_compared(project, capsys):
    assert compare.main([]) == 0
    assert "7 fixed, 7 broken, net 0" in capsys.readouterr().out


def test_a_damaged_byte_is_refused_or_does_no_harm(project, capsys):
    """Whatever happens to a byte: an answer, or one line; nothing else."""
    rng = random.Random(0)
    for _ in range(300):
        path = Path("reports", rng.choice(["metrics.json", "curves.csv", "errors.csv", "recipe.yaml", "data.json"]))
        good = path.read_bytes()
        bad = bytearray(good)
        for _ in range(rng.choice((1, 1, 5))):
            bad[rng.randrange(len(bad))] = rng.choice(b'0129-.,:{}[]"\n eE#*&\x00\xff')
        path.write_bytes(bad)
        with contextlib.suppress(LadderError):
            assert compare.main(["--json"]) == 0
            json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
        path.write_bytes(good)


def test_exit_codes_of_the_commands(project):
    Path("reports/metrics.json").write_text("[" * 1000)
    done = run_module("commands.compare", project, "--fail-if", "worse")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("compare: workspace: reports/ is not as `evaluate` writes it (")
    Path("rungs/cards").mkdir(parents=True)
    Path("rungs/cards/net8.yaml").write_text("title: net8\ntarget: none\n")
    Path("params.yaml").write_text("model: net8\nseeds: 3\nevaluate:\n  target: 99.4\n")
    Path("reports").rename("net8")
    Path("reports/rungs").mkdir(parents=True)
    Path("net8").rename("reports/rungs/net8")
    Path("reports/rungs/net8/data.json").rename("reports/data.json")
    done = run_module("stages.board", project)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("board: workspace: reports/rungs/net8/ is not as `evaluate` writes it (")


def test_a_folder_that_no_rung_can_be_called_is_refused(project):
    for where in ("reports/rungs/net8", "reports/rungs/net 8"):
        write_reports(Path(where), misread(3))
    fault = r"^workspace: reports/rungs/ has a folder 'net 8'; no rung can have this name$"
    with pytest.raises(LadderError, match=fault):
        compare.main([])


def test_limits_are_as_the_messages_say():
    assert set_of('{"test_images": 1000000}', None).images == 1_000_000
    with pytest.raises(ValueError, match="from 1 to 1,000,000"):
        set_of('{"test_images": 1000001}', None)
    assert yaml_mapping("a: " + "[" * 19 + "]" * 19)
    with pytest.raises(ValueError, match="nested too deeply"):
        yaml_mapping("a: " + "[" * 20 + "]" * 20)
