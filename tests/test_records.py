"""The records: made-up reports and docs/records.yaml in; who holds what, by whose numbers, out."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from made_up import IMAGES, misreading, write_reports
from projects import REPOSITORY
from scipy import stats

from ladder.board import page, records
from ladder.board.rows import facts
from ladder.exceptions import LadderError
from stages import board

MARKS = f"# Records\n\nabove\n\n{page.START}\n{page.END}\n\nbelow\n"
TIMES = (
    "a machine\n\n"
    "{0}, seed 0, one core, 2 at once: 8.0 s, test accuracy 99.5 %\n"
    "{0}, seed 1, one core, 2 at once: 9.0 s, test accuracy 99.4 %\n"
)
OLD, NEW, OTHER = (70, 66, 74), (52, 60, 56), (62, 70, 66)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A ladder of three rungs: `new` was better than `old`, against which its card judges it; `other` is not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records, "LEAST_SEEDS", 3)
    for folder in ("reports", "rungs/cards", "docs", "benchmarks"):
        Path(folder).mkdir(parents=True)
    Path("reports/data.json").write_text(json.dumps({"test_images": IMAGES}))
    shutil.copytree(REPOSITORY / "datasets", "datasets")
    Path("README.md").write_text(MARKS)
    Path("docs/records.md").write_text(MARKS)
    Path("benchmarks/new.txt").write_text(TIMES.format("new"))
    climb("old", OLD, parameters=7000)
    climb("new", NEW, parameters=2000, extends="old")
    climb("other", OTHER, parameters=2500)
    return tmp_path


def climb(rung, misread, parameters, **card):
    """Write the card and the reports of a rung whose seeds misread so many test images after the last epoch."""
    Path(f"rungs/cards/{rung}.yaml").write_text(yaml.safe_dump({"title": rung, "goal": "none"} | card))
    measured = {"train_accuracy": 99.7, "gap": 0.3, "held_epochs": 2, "parameters": parameters}
    write_reports(Path("reports/rungs", rung), misreading(*misread), rung, **measured)


def holder(rung, **more):
    return {"rung": rung, "since": "2026-01-02", "by": "Ada", **more}


def keep(*sizes, timed=()):
    """Write docs/records.yaml. sizes: (below, holders) of each track of parameters; timed: holders of the other one."""
    tracks = [{"below": below, "holders": [holder(rung) for rung in rungs]} for below, rungs in sizes]
    content = {"parameters": tracks, "seconds": {"target": 99.4, "elsewhere": "none", "holders": list(timed)}}
    text = yaml.safe_dump(content).replace("'2026-01-02'", "2026-01-02")  # a date, as a person writes it
    Path("docs/records.yaml").write_text(text)


def standings():
    known, reports = page.read_ladder()
    return records.standings(facts(known, reports), reports)


def test_a_holder_has_the_numbers_of_its_reports_and_of_its_times(project):
    keep((3000, ["new"]), timed=[holder("new", timed="benchmarks/new.txt")])
    small, fast = standings()
    accuracies = [100 - count / 100 for count in NEW]
    low, high = stats.t.interval(0.95, 2, np.mean(accuracies), stats.sem(accuracies))
    found = small["holders"][0]
    assert (found["rung"], found["since"], found["by"], found["seeds"]) == ("new", "2026-01-02", "Ada", 3)
    assert (found["accuracy"], found["accuracy_low"], found["accuracy_high"]) == pytest.approx(
        (np.mean(accuracies), low, high), abs=1e-4
    )
    assert fast["holders"][0]["seconds"] == pytest.approx(8.5)
    assert (small["title"], fast["title"]) == ("fewer than 3,000 parameters", "seconds to 99.4 %")
    table = records.table([small, fast])
    assert "| [new](../rungs/cards/new.yaml), Ada | 2026-01-02 | **99.44** ± 0.04 (3) |" in table
    assert "again: `dvc repro -f rungs/dvc.yaml:climb@new`" in table
    assert "again: `python -m benchmarks.sprint new`" in table


def test_what_would_take_a_record_is_shown_by_scipys_test(project):
    """A challenger at that mean, with the holder's own deviations, is just different at 5 %; a bit below it is not."""
    keep((3000, ["new"]))
    needed = float(re.search(r"about (\d+\.\d+)", standings()[0]["to_take"])[1])
    accuracies = np.array([100 - count / 100 for count in NEW])
    ps = [
        stats.ttest_ind(accuracies, accuracies + mean - accuracies.mean()).pvalue
        for mean in (needed + 0.01, needed - 0.01)
    ]
    assert ps[0] < 0.05 < ps[1]


def test_a_later_holder_shows_its_step_from_the_one_before(project):
    keep((10_000, ["old", "new"]))
    track = standings()[0]
    assert [one["rung"] for one in track["holders"]] == ["new", "old"]
    step = track["holders"][0]["step"]
    low, high = stats.ttest_ind([99.48, 99.40, 99.44], [99.30, 99.34, 99.26]).confidence_interval(0.95)
    assert (step["before"], step["step_verdict"]) == ("old", "better")
    assert (step["step_change"], step["step_low"], step["step_high"]) == pytest.approx((0.14, low, high), abs=1e-4)
    assert track["doubt"] == ""
    history = records.table([track]).splitlines()[-1]
    assert history.index("[old]") < history.index("[new]") < history.index("from old")


def test_a_step_that_is_not_on_the_board_gets_its_q_beside_the_boards(project):
    """By Benjamini and Hochberg of the board's one step and this one."""
    climb("other", NEW, parameters=2500)
    keep((10_000, ["old", "other"]))
    step = standings()[0]["holders"][0]["step"]
    p = stats.ttest_ind([99.48, 99.40, 99.44], [99.30, 99.34, 99.26]).pvalue
    assert step["step_q"] == pytest.approx(p, rel=0.01)  # two equal p-values: q is p


@pytest.mark.parametrize(
    ("size", "timed", "said"),
    [
        ((10_000, ["old", "other"]), [], "do not show that other is better than old"),
        ((10_000, ["new", "old"]), [], "do not show that old is better than new"),
        ((10_000, []), ["old"], "the mean of old is below 99.4 % now, so this record is open"),
    ],
)
def test_a_record_that_new_results_no_longer_show_is_told(project, size, timed, said):
    Path("benchmarks/old.txt").write_text(TIMES.format("old"))
    keep(size, timed=[holder(rung, timed="benchmarks/old.txt") for rung in timed])
    doubtful, sure = standings()[:: -1 if timed else 1]
    assert said in doubtful["doubt"]
    assert not sure["doubt"]
    assert f"**In doubt**, {doubtful['title']}: {doubtful['doubt']}." in records.table([doubtful])


def test_a_holder_with_too_few_seeds_is_told(project, monkeypatch):
    monkeypatch.setattr(records, "LEAST_SEEDS", 4)
    keep((3000, ["new"]))
    assert standings()[0]["doubt"] == "new has 3 seeds, and 4 are asked for"


def test_a_record_that_nobody_holds_says_what_is_known_elsewhere(project):
    keep((700, []))
    text = records.table(standings())
    assert "| **fewer than 700 parameters** | nobody yet |" in text
    assert "- **seconds to 99.4 %**: elsewhere: none." in text


def test_numbers_of_an_earlier_version_are_told(project):
    keep((3000, ["new"]), (10_000, ["old", "new"]))
    assert "**Behind**: the numbers of new are" in records.table(standings(), ["new", "old"])
    assert "Behind" not in records.table(standings(), ["old"])


@pytest.mark.parametrize(
    ("size", "timed", "fault"),
    [
        ((3000, ["old"]), [], "old has 7,000 parameters, not fewer than 3,000"),
        ((2000, ["new"]), [], "new has 2,000 parameters, not fewer than 2,000"),
        ((3000, ["none"]), [], "none has no reports; `dvc repro rungs/dvc.yaml:climb@none`"),
        ((3000, ["../x"]), [], "'../x' is not a valid name"),
        ((3000, []), [holder("old", timed="benchmarks/new.txt")], "benchmarks/new.txt has no times of it"),
        ((3000, []), [holder("old", timed="nowhere.txt")], "`python -m benchmarks.sprint old`"),
        ((3000, []), [holder("old", seconds=3)], "unknown key 'seconds'"),
    ],
)
def test_a_fault_of_the_file_is_one_line(project, size, timed, fault):
    keep(size, timed=timed)
    with pytest.raises(LadderError) as error:
        standings()
    assert str(error.value).startswith(records.DATA)
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def test_the_board_writes_between_the_marks_alone_and_nothing_where_there_is_a_fault(project):
    keep((3000, ["old"]))
    with pytest.raises(LadderError, match=r"docs/records\.yaml: old has 7,000 parameters, not fewer than 3,000"):
        board.main([])
    assert Path("docs/records.md").read_text() == Path("README.md").read_text() == MARKS
    keep((3000, ["new"]))
    board.main([])
    text = Path("docs/records.md").read_text()
    assert text.startswith(MARKS.partition(page.END)[0])
    assert text.endswith("\n\nbelow\n")
    assert "[new](../rungs/cards/new.yaml), Ada" in text


def test_no_name_acts_on_the_page(project):
    keep((3000, ["new"]))
    path = Path("docs/records.yaml")
    path.write_text(path.read_text().replace("by: Ada", f'by: "<script> @you | {page.END}"'))
    table = records.table(standings())
    assert "<script" not in table
    assert page.END not in table
    assert not re.search(r"(?<!\w)@\w", table)
    assert {line.replace("\\|", "").count("|") for line in table.splitlines() if line.startswith("|")} == {9}


def test_a_ladder_without_the_file_has_no_records(project):
    assert standings() == []
    known, reports = page.read_ladder()
    assert records.texts(facts(known, reports), reports) == {}


def test_this_repositorys_records_are_what_the_board_would_write(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    known, reports = page.read_ladder()
    found = records.texts(facts(known, reports), reports, page.behind(reports))
    committed = Path("docs/records.md").read_text(encoding="utf-8")
    assert found == {"docs/records.md": committed}, "run `python -m stages.board`"
    with pytest.raises(LadderError, match=r"docs/records\.md: it needs the lines"):
        page.between_marks("", "new", records.PAGE)
