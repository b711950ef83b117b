"""The ladder in a terminal, from made-up and from the committed ladder.csv."""

import csv
import json
import shutil

import pytest
from projects import REPOSITORY, assert_one_clear_line, run_module

from ladder.board import terminal
from ladder.exceptions import LadderError

FASHION = REPOSITORY / "reports/fashion_mnist"
HEAD = (
    "rung,project,against,parameters,accuracy,accuracy_sd,step_change,step_low,step_high,step_verdict,reported_verdict"
)
MADE_UP = f"""{HEAD},something_new
a,001,,9000,99.0,0.1,,,,,reproduced,1
b,001,a,8000,99.2,0.12,0.2,0.1,0.3,better,,2
c,002,b,7000,99.2,,-0.004,-0.2,0.192,no difference shown,above ours,3
d,,c,7000,99.1,0.1,-0.1,-0.2,-0.001,worse,,4
e,,c,100,90.0,0.1,-9,-10,-8,worse,,5
"""


def names(rows):
    return [row["rung"] for row in rows]


@pytest.fixture
def rows():
    return terminal.read_rows(MADE_UP)


def test_rungs_are_sorted_and_those_without_a_value_come_last(rows):
    assert names(terminal.in_order(rows, "accuracy")) == ["b", "c", "d", "a", "e"]
    assert names(terminal.in_order(rows, "parameters")) == ["e", "c", "d", "b", "a"]
    assert names(terminal.in_order(rows, "step")) == ["b", "c", "d", "e", "a"]


def test_the_best_are_those_that_no_other_rung_beats(rows):
    assert names(terminal.best(rows)) == ["c", "e"]
    assert names(terminal.best(rows[:1] * 2)) == ["a", "a"]


def test_one_project_is_shown_and_an_unknown_one_is_told(rows):
    assert names(terminal.of_project(rows, "001")) == ["a", "b"]
    assert names(terminal.of_project(rows, "own")) == ["d", "e"]
    with pytest.raises(LadderError, match=r"there is no project '9'; there are 001, 002, own"):
        terminal.of_project(rows, "9")


def test_a_pipe_gets_plain_text_of_80_columns(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/ladder.csv").write_text(MADE_UP)
    lines = run_module("commands.ladder", tmp_path).stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "rung params accuracy, % the step verdict",
        "b 8,000 99.20 ± 0.12 +0.20 [0.10, 0.30] better",
        "c 7,000 99.20 0.00 [-0.20, 0.19] no difference shown",
        "d 7,000 99.10 ± 0.10 -0.10 [-0.200, -0.001] worse",
        "a 9,000 99.00 ± 0.10 – –",
        "e 100 90.00 ± 0.10 -9.00 [-10.00, -8.00] worse",
        "±: deviation of the seeds; [ ]: 95 % interval of the step",
    ]


def test_a_wide_terminal_shows_more(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/ladder.csv").write_text(MADE_UP)
    said = run_module("commands.ladder", tmp_path, "--project", "002", COLUMNS="120").stdout.splitlines()
    assert said[1].split()[-4:] == ["002", "b", "above", "ours"]


def test_all_committed_rungs_fit_80_columns(tmp_path):
    shutil.copytree(REPOSITORY / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("rungs"))
    with open(tmp_path / "reports/ladder.csv", newline="") as file:
        committed = [row["rung"] for row in csv.DictReader(file)]
    lines = run_module("commands.ladder", tmp_path).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert set(committed) <= {line.split()[0] for line in lines[1:-1]}


def test_the_rungs_on_another_data_set_are_shown_as_their_metrics_say():
    done = run_module("commands.ladder", REPOSITORY, "--data", "fashion_mnist")
    assert done.returncode == 0, done.stderr
    head, *lines, legend = done.stdout.splitlines()
    assert max(map(len, [head, *lines, legend])) <= 80
    reached = {path.parent.name: json.loads(path.read_text())["accuracy"] for path in FASHION.glob("*/metrics.json")}
    assert {line.split()[0]: line.split()[2] for line in lines} == {rung: f"{of:.2f}" for rung, of in reached.items()}
    accuracies = [float(line.split()[2]) for line in lines]
    assert accuracies == sorted(accuracies, reverse=True)


@pytest.mark.parametrize("data", ["kuzushiji", "../reports", ""])
def test_a_data_set_that_was_not_climbed_on_is_told_with_those_that_were(data):
    done = run_module("commands.ladder", REPOSITORY, "--data", data)
    assert_one_clear_line(done, f"no rung was climbed on '{data}'; there are mnist, fashion_mnist")


def test_a_missing_and_a_damaged_file_are_told_in_one_line(tmp_path):
    assert_one_clear_line(run_module("commands.ladder", tmp_path), "there is no reports/ladder.csv yet", "make climb")
    (tmp_path / "reports").mkdir()
    for content in (b"rung,project\na,001\n", b"\xff\xfe", f"{HEAD}\na,001,,many,99\n".encode()):
        (tmp_path / "reports/ladder.csv").write_bytes(content)
        assert_one_clear_line(run_module("commands.ladder", tmp_path), "reports/ladder.csv is damaged", "git restore")
