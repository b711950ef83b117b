"""The board: made-up reports of rungs in; table, pictures and README out. And is this repository's own README fresh?"""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from made_up import IMAGES, misreading, write_reports
from projects import REPOSITORY, assert_one_clear_line, run_module
from scipy import stats as scipy_stats

from commands import compare
from ladder import cards
from ladder.board import page
from ladder.board import pictures as board_pictures
from ladder.board.rows import facts, in_order, with_q
from ladder.data.data_set import read_data_set
from ladder.exceptions import LadderError
from ladder.files import dump_yaml
from stages import board

MEASURED = {"train_accuracy": 99.7, "gap": 0.3, "held_epochs": 2}
README = f"# Mine\n\nbefore\n\n{page.START}\nold\n{page.END}\n\nafter\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a README, the cards of the data sets, and no rung."""
    monkeypatch.chdir(tmp_path)
    Path("reports").mkdir()
    Path("rungs/cards").mkdir(parents=True)
    Path("reports/data.json").write_text(json.dumps({"test_images": IMAGES}))
    shutil.copytree(REPOSITORY / "datasets", "datasets")
    Path("README.md").write_text(README)
    return tmp_path


def card(rung, **keys):
    """Write a card."""
    content = {"title": f"The title of {rung}", "goal": "none"} | keys
    Path(f"rungs/cards/{rung}.yaml").write_text(yaml.safe_dump(content))


def climb(rung, *misread, first=-1.0, **metrics):
    """Write the reports of a rung whose seeds misread that many test images after the last epoch."""
    write_reports(Path("reports/rungs", rung), misreading(*misread), rung, first=first, **(MEASURED | metrics))


def rows():
    """Return {rung: its facts}."""
    return {row["rung"]: row for row in facts(*page.read_ladder())}


def row_of(rung, misread, first=-1.0, **keys):
    """Return the facts on one climbed rung with that card."""
    card(rung, **keys)
    climb(rung, *misread, first=first)
    return rows()[rung]


def test_a_rungs_own_numbers_are_numpys_and_scipys(project):
    row = row_of("skeleton", [60, 52, 56, 64], source={"project": "002", "name": "model1"})
    values = [99.40, 99.48, 99.44, 99.36]
    low, high = scipy_stats.t.interval(0.95, 3, np.mean(values), scipy_stats.sem(values))
    assert row["seeds"] == 4
    assert row["accuracy"] == pytest.approx(np.mean(values))
    assert row["accuracy_sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-4)
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((low, high), abs=1e-4)
    assert {key: row[key] for key in MEASURED} == MEASURED
    assert (row["parameters"], row["project"], row["title"]) == (7598, "002", "The title of skeleton")
    assert row["against"] is row["step_verdict"] is row["reported_verdict"] is None


def test_the_step_is_what_compare_says_and_scipy(project, capsys):
    card("skeleton")
    card("dropout", extends="skeleton")
    climb("skeleton", 70, 66, 74)
    climb("dropout", 52, 60, 56)
    row = rows()["dropout"]
    low, high = scipy_stats.ttest_ind([99.48, 99.40, 99.44], [99.30, 99.34, 99.26]).confidence_interval(0.95)
    assert (row["step_change"], row["step_low"], row["step_high"]) == pytest.approx((0.14, low, high), abs=1e-4)
    compare.main(["skeleton", "dropout", "--json"])
    said = json.loads(capsys.readouterr().out)["comparisons"][0]
    assert row["step_verdict"] == said["verdict"] == "better"
    climb("dropout", 68, 76, 65)
    assert rows()["dropout"]["step_verdict"] == "as good"
    climb("dropout", 98, 96, 95)
    assert rows()["dropout"]["step_verdict"] == "worse"


def test_q_values_are_benjamini_and_hochbergs():
    """By hand: of four sorted p-values the first three times 4/1, 4/2, 4/3; each no larger than the next one."""
    found = with_q([{"step_p": p} for p in (0.5, None, 0.02, 0.01, 0.04)])
    assert [row["step_q"] for row in found] == pytest.approx([0.5, None, 0.04, 0.04, 0.16 / 3])


def test_one_seed_a_side_has_a_step_of_two_runs_and_no_deviation(project):
    card("skeleton", reported={"test_accuracy": 99.4})
    card("dropout", extends="skeleton")
    climb("skeleton", 70)
    climb("dropout", 60)
    found = rows()
    assert found["skeleton"]["reported_verdict"] is found["skeleton"]["accuracy_sd"] is None
    assert found["skeleton"]["next_run_low"] is None
    assert found["dropout"]["step_verdict"] == "these two runs differ"
    assert found["dropout"]["step_change"] == pytest.approx(0.1)
    assert "**99.30** (1) |" in page.page(list(found.values()), [], 99.4, "")
    assert page.summary(list(found.values())).endswith(
        "0 below ours, 1 without a verdict (one seed); see reports/ladder.md"
    )


def test_a_rung_whose_parent_is_not_climbed_has_no_step(project):
    card("skeleton")
    row = row_of("dropout", [60, 64], extends="skeleton")
    assert row["against"] == "skeleton"
    assert row["step_verdict"] is row["step_change"] is None
    assert "Not climbed yet: skeleton." in page.page([row], ["skeleton"], 99.4, "")


def test_an_own_rung_is_judged_against_the_one_that_it_names(project):
    """It extends nothing, so it stands with no project, and no line leads to it from its rival's strip."""
    card("source", source={"project": "002", "name": "model1"})
    card("own", against="source")
    climb("source", 70, 66, 74)
    climb("own", 52, 60, 56)
    row = rows()["own"]
    assert (row["against"], row["project"], row["step_verdict"]) == ("source", None, "better")
    assert row["step_change"] == pytest.approx(0.14, abs=1e-4)
    assert "[own](rungs/cards/own.yaml) ← source" in page.page(list(rows().values()), [], 99.4, "")


# three seeds at 99.40, 99.44, 99.48: one more run falls in 99.44 ± 4.3027 · 0.04 · sqrt(4/3) = 99.44 ± 0.1987
@pytest.mark.parametrize(
    ("reported", "verdict"),
    [
        (99.65, "above ours"),
        (99.64, "not contradicted"),
        (99.44, "not contradicted"),
        (99.24, "not contradicted"),
        (99.23, "below ours"),
    ],
)
def test_a_reported_number_is_held_against_one_more_run(project, reported, verdict):
    said = {"test_accuracy": reported, "test_is": "last epoch"}
    row = row_of("skeleton", [60, 52, 56], reported=said)
    assert (row["next_run_low"], row["next_run_high"]) == (99.24, 99.64)
    assert row["reported_verdict"] == verdict
    assert verdict in page.page([row], [], 99.4, "").split("Accuracies in percent")[0]


def test_a_best_epoch_is_held_against_our_best_epochs(project):
    """The first of two epochs is 0.5 better than the last."""
    card("skeleton", reported={"test_accuracy": 99.44, "test_is": "best epoch"})
    card("later", reported={"test_accuracy": 99.44, "test_is": "last epoch"})
    for rung in ("skeleton", "later"):
        climb(rung, 60, 52, 56, first=0.5)
    found = rows()
    assert found["skeleton"]["best_epoch_accuracy"] == pytest.approx(99.94)
    assert found["skeleton"]["reported_verdict"] == "below ours"
    assert found["later"]["reported_verdict"] == "not contradicted"


def test_an_interval_ends_at_100(project):
    row = row_of("skeleton", [2, 0], reported={"test_accuracy": 99.99})
    assert row["next_run_high"] == row["accuracy_high"] == 100


def test_seeds_that_coincide_leave_the_noise_of_rounding(project):
    """Three equal seeds: ± 4.3027 · 0.01/sqrt(12) · sqrt(4/3) = ± 0.0143, so ± 0.01."""
    row = row_of("skeleton", [60, 60, 60], reported={"test_accuracy": 99.41})
    assert (row["next_run_low"], row["next_run_high"]) == (99.39, 99.41)
    assert row["reported_verdict"] == "not contradicted"


def test_what_was_not_reported_is_empty(project):
    row = row_of("skeleton", [60, 64], reported={"train_accuracy": 98.8})
    assert (row["reported_train"], row["reported_test"], row["reported_is"]) == (98.8, None, None)
    assert row["reported_verdict"] is row["next_run_low"] is None
    assert "| 98.80, – |" in page.page([row], [], 99.4, "")
    row = row_of("skeleton", [60, 64])
    assert row["reported_train"] is row["reported_test"] is None
    assert "| 7,598 |  | **99.38** ± 0.03 (2) |" in page.page([row], [], 99.4, "")


def test_the_cards_stand_by_project_and_in_the_order_in_which_they_were_made():
    known = {
        rung: cards.read_card(rung, REPOSITORY / "rungs/cards") for rung in cards.rung_names(REPOSITORY / "rungs/cards")
    }
    theirs = [
        *("session7_net1", "session7_net2", "session7_net3", "session7_rotate", "session7_steplr"),
        *("part1", "part2", "part3"),
        *("net1", "net2", "net3", "net4", "net5", "net6", "net7", "net7_rotated", "net8", "net9", "net10"),
        *("lenet5", "lenet5_l1", "lenet5_relu", "lenet5_conv4_relu", "lenet5_conv4_tanh", "lenet5_fc2", "lenet5_fc4"),
        *("s7_basic", "s7_reduced", "s7_light", "s7_final"),
    ]
    own = {"another": cards.Card(title="x", goal="x"), "wide": cards.Card(title="x", goal="x", extends="net8")}
    found = in_order(known | own)
    assert [rung for rung in found if rung in theirs] == theirs
    names = list(found)
    assert names.index("net8") < names.index("wide") < names.index("net9")
    assert (found["wide"], found["net7_rotated"], found["another"]) == ("002", "002", None)
    assert found.keys() >= known.keys()
    assert names[-1] == "another"


def test_cards_in_a_circle_are_one_line(project):
    card("one", extends="two")
    card("two", extends="one")
    with pytest.raises(LadderError, match="extends: a circle"):
        rows()


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("metrics.json", "{", "reports/rungs/skeleton/ is not as `evaluate` writes it"),
        ("metrics.json", '{"parameters": 7598}', "skeleton/metrics.json: train_accuracy is None, not a number"),
        (
            "metrics.json",
            '{"parameters": NaN}',
            "skeleton/ is not as `evaluate` writes it (metrics.json: NaN is no finite number)",
        ),
        ("curves.csv", "seed\n0\n", "reports/rungs/skeleton/ is not as `evaluate` writes it"),
        ("errors.csv", None, "there is no reports/rungs/skeleton/errors.csv; run `dvc repro rungs/dvc.yaml`"),
        ("../../data.json", None, "there is no reports/data.json; run `dvc repro`"),
        ("../../../rungs/cards/skeleton.yaml", None, "reports/rungs/skeleton/ has no card rungs/cards/skeleton.yaml"),
        ("../../../rungs/cards/skeleton.yaml", "title: 7\n", "rungs/cards/skeleton.yaml: title: 7 will not do"),
    ],
)
def test_a_bad_file_is_one_line(project, file, content, fault):
    card("skeleton")
    climb("skeleton", 60, 64)
    path = Path("reports/rungs/skeleton", file)
    path.write_text(content) if content else path.unlink()
    with pytest.raises(LadderError) as error:
        rows()
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "readme", ["# Mine\n", f"{page.START}\n", f"{page.END}\n{page.START}\n", README + README, README + page.END]
)
def test_a_readme_without_the_marks_is_one_line(readme):
    with pytest.raises(LadderError, match=r"README.md: it needs the lines <!-- ladder: .* once each"):
        page.between_marks(readme, "new")


def test_only_what_is_between_the_marks_is_written():
    assert page.between_marks(README, "new") == README.replace("\nold\n", "\nnew\n")


def test_nothing_climbed_or_no_readme_is_one_line(project):
    card("skeleton")
    with pytest.raises(LadderError, match=r"no rung has been climbed: .* `dvc repro rungs/dvc.yaml`"):
        board.main([])
    climb("skeleton", 60, 64)
    Path("README.md").unlink()
    assert_one_clear_line(run_module("stages.board", project), "board: README.md: No such file")
    assert not list(Path("reports").glob("ladder*"))


def test_a_data_set_without_a_target_is_one_line(project):
    card("skeleton")
    climb("skeleton", 60, 64)
    mnist = Path("datasets/mnist.yaml")
    mnist.write_text("".join(line for line in mnist.open() if not line.startswith("target:")))
    assert_one_clear_line(run_module("stages.board", project), "board: datasets/mnist.yaml: it has no `target`")
    assert not list(Path("reports").glob("ladder*"))


@pytest.fixture
def whole_ladder(project):
    """The repository's own cards, all but two climbed: 3 to 5 seeds that end near what was reported."""
    shutil.rmtree("rungs/cards")
    shutil.copytree(REPOSITORY / "rungs/cards", "rungs/cards")
    random = np.random.default_rng(0)
    for number, rung in enumerate(cards.rung_names()):
        reported = cards.read_card(rung).reported
        errors = round(100 * (100 - (reported.test_accuracy if reported else 99.2)))
        if rung not in ("net3", "lenet5"):
            climb(rung, *random.poisson(errors, 3 + number % 3), parameters=5000 + 5000 * number)
    return project


def test_the_whole_ladder_as_a_command(whole_ladder):
    done = run_module("stages.board", whole_ladder)
    assert (done.returncode, done.stderr) == (0, "")
    table = pd.read_csv("reports/ladder.csv", dtype={"project": str})
    assert len(table) == len(cards.rung_names()) - 2
    verdicts = table.reported_verdict.value_counts()
    counted = ", ".join(
        f"{verdicts.get(verdict, 0)} {verdict}" for verdict in ("not contradicted", "above ours", "below ours")
    )
    assert done.stdout == f"board: {len(table)} rungs; reported test accuracies: {counted}; see reports/ladder.md\n"
    assert table.set_index("rung").loc["net10"].reported_test == 99.41
    numbers = table.drop(
        columns=[
            "rung",
            "project",
            "against",
            "title",
            "reported_is",
            "step_verdict",
            "reported_verdict",
            "parents_fits",
        ]
    )
    assert all(np.issubdtype(kind, np.number) for kind in numbers.dtypes)

    page, readme = Path("reports/ladder.md").read_text(), Path("README.md").read_text()
    assert "Not climbed yet: lenet5, net3." in page
    assert readme.startswith(README.split("old")[0])
    assert readme.endswith(README.split("old")[1])
    for text, folder, links, rows, columns in (
        (page, Path("reports"), len(table) + 2, len(table) + 6, 9),  # the five projects and our own have a row each
        (readme, Path(), 6 + 2, 6, 4),
    ):
        linked = re.findall(r"\]\(([^)]+)\)", text)
        assert len(linked) == links
        assert all((folder / link).is_file() for link in linked)
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in lines} == {columns + 1}
        assert len(lines) == rows + 2
    best = table.sort_values("accuracy", ascending=False, kind="stable").rung[:6]
    assert [line.split("]")[0][3:] for line in readme.splitlines() if line.startswith("| [")] == list(best)

    kept = {path: path.read_bytes() for path in (Path("README.md"), *Path("reports").glob("ladder*"))}
    assert len(kept) == 5
    board.main([])
    assert kept == {path: path.read_bytes() for path in kept}


def test_titles_cannot_break_the_table(project):
    row = row_of("skeleton", [60, 64], title="Wide | deep\n")
    line = next(line for line in page.page([row], [], 99.4, "").splitlines() if "skeleton" in line)
    assert "<br>Wide \\| deep |" in line
    assert next(csv.DictReader(page.table([row]).splitlines()))["title"] == "Wide | deep"


def test_no_title_and_no_project_acts_on_the_page(project):
    evils = [page.END, page.START, "<script>", "a|b", "`a`", "@everyone", "[x](y)", "$\\frac$", "$5"]
    for number, evil in enumerate(evils):
        card(f"evil{number}", title=f"x {evil}\n{evil}", source={"project": evil, "name": "x"})
        climb(f"evil{number}", 60, 64)
    board.main([])
    board.main([])
    readme, table = Path("README.md").read_text(), Path("reports/ladder.md").read_text()
    assert readme.startswith(README.split("old")[0])
    assert readme.endswith(README.split("old")[1])
    assert all(f"evil{number}" in table for number in range(len(evils)))
    for text, columns in ((readme, 4), (table, 9)):
        assert "<script" not in text
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert {line.replace("\\|", "").count("|") for line in lines} == {columns + 1}
        assert not re.search(r"(?<!\w)@\w", text)
        assert not re.search(r"(?<!\\)\[x\]\(y\)", text)


@pytest.mark.parametrize(
    ("misread", "parameters"), [([60], 7598), ([60, 64], 7598), ([600, 640, 610], 7598), ([60, 64], 9_000_000)]
)
def test_pictures_of_a_single_own_rung(project, misread, parameters):
    card("skeleton")
    climb("skeleton", *misread, parameters=parameters)
    found = list(rows().values())
    assert board_pictures.steps(found, 99.4).startswith(b"\x89PNG")
    assert board_pictures.parameters(found, 99.4, 8000).startswith(b"\x89PNG")


def test_a_seed_that_fell_far_does_not_set_the_scale(project):
    card("skeleton")
    climb("skeleton", 80, 90, 100)
    low, high = board_pictures.span(rows().values())
    assert 98.5 < low < 99.0
    assert 99.2 < high < 99.6
    climb("skeleton", 80, 90, 100, 5000)  # one at 50 %
    fallen = rows().values()
    low, high = board_pictures.span(fallen)
    assert 98.9 < low < 99.0
    assert 99.2 < high < 99.3
    assert board_pictures.steps(list(fallen), 99.4).startswith(b"\x89PNG")


def test_a_line_over_other_rungs_is_bent_away_from_their_marks():
    one = {"accuracy_sd": None, "reported_test": None}
    heights = (97.5, 97.35, 97.2, 98.0)  # the second one lies on the straight line from the first to the third
    of = [one | {"accuracies": [height], "accuracy": height} for height in heights]
    low, high = board_pictures.span(of)
    places, accuracies = board_pictures.line_between(0, 1, of)
    assert (places.tolist(), accuracies.tolist()) == ([0, 1], [97.5, 97.35])  # neighbours
    for before, after in ((0, 2), (1, 3), (0, 3), (3, 0)):
        places, accuracies = board_pictures.line_between(before, after, of)
        assert (accuracies[0], accuracies[-1]) == (heights[before], heights[after])
        for place in range(min(before, after) + 1, max(before, after)):
            at = np.interp(place, places[:: np.sign(after - before)], accuracies[:: np.sign(after - before)])
            assert abs(at - heights[place]) > 0.08 * (high - low)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("net10", ["net10"]),
        ("net9_one_rotation", ["net9_one_", "rotation"]),
        ("s7_final_unrotated", ["s7_final_", "unrotated"]),
        ("a_name_of__many_parts_", ["a_name_of__", "many_parts_"]),
        ("withoutanyunderscore_x", ["withoutanyunderscore_", "x"]),
    ],
)
def test_a_long_name_is_broken_behind_an_underscore(name, lines):
    assert board_pictures.broken(name, 13) == "\n".join(lines)


def test_a_label_stands_left_of_its_points_neighbours_too():
    """Or it would cover the mark of one that has not many parameters fewer."""
    points = [60_000, 500_000, 800_000]
    assert [board_pictures.left_of(point, points) for point in points] == [48_000, 400_000, 400_000]


def test_labels_stand_apart_and_within_the_picture():
    random = np.random.default_rng(0)
    for count in range(1, 20):
        wanted = np.sort(random.random(count))
        found = board_pictures.apart(wanted, 0.05, 0, 1)
        assert np.diff(found).min(initial=1) >= 0.05 - 1e-12
        assert 0 <= found[0] <= found[-1] <= 1
    assert board_pictures.apart([0.1, 0.2, 0.9], 0.05, 0, 1).tolist() == pytest.approx([0.1, 0.2, 0.9])
    assert board_pictures.apart([0.5, 0.5], 0.1, 0, 1).tolist() == pytest.approx([0.45, 0.55])
    assert board_pictures.apart([0.0, 0.0], 0.1, 0, 1).tolist() == pytest.approx([0.0, 0.1])


def stale():
    """Return the written texts that are not what the board would write now, here: README.md, or none."""
    known, reports = page.read_ladder()
    readme = Path("README.md").read_text(encoding="utf-8")
    late = page.behind(reports)
    target = read_data_set("mnist").target
    written = page.texts(facts(known, reports), known, target, readme, late, page.rows_elsewhere())
    return [
        path for path in written if not Path(path).is_file() or Path(path).read_text(encoding="utf-8") != written[path]
    ]


def test_this_repositorys_readme_is_what_the_board_would_write(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert stale() == [], "older than reports/rungs/ or rungs/cards/: run `python -m stages.board`"


def test_a_stale_readme_is_found(project):
    card("skeleton", reported={"test_accuracy": 99.4})
    climb("skeleton", 60, 64)
    board.main([])
    assert stale() == []
    Path("README.md").write_text(Path("README.md").read_text().replace("99.38", "99.83"))
    assert stale() == ["README.md"]
    board.main([])
    climb("skeleton", 60, 68)
    assert stale() == ["reports/ladder.csv", "reports/ladder.md", "README.md"]


def test_a_rung_whose_card_has_changed_since_is_named_and_marked_as_behind(project):
    recipe = {"epochs": 2, "batch_size": 32, "loss": "cross_entropy", "optimizer": "adam", "learning_rate": 0.1}
    network = ["flatten", {"linear": {"out": 10}}]
    rungs = ("first", "second", "third")
    for rung in rungs:
        card(rung, network=network, recipe=recipe)
        climb(rung, 60, 64)
        content = {"rung": rung, **cards.recipe_content(cards.resolve(rung)), "fingerprint": "of another day"}
        Path(f"reports/rungs/{rung}/recipe.yaml").write_text(dump_yaml(content))
    board.main([])
    assert "Behind" not in Path("reports/ladder.md").read_text() + Path("README.md").read_text()
    said = (
        "the reports of 1 of 3 rungs, second, are of an earlier version",
        "the reports of 2 of 3 rungs are, all but third, of an earlier version",
        "the reports of all 3 rungs are of an earlier version",
    )
    for late, sentence in zip(("second", "first", "third"), said, strict=True):
        card(late, network=network, recipe=recipe | {"learning_rate": 0.2})
        board.main([])
        for path in ("reports/ladder.md", "README.md"):
            assert f"**Behind:** {sentence}" in Path(path).read_text()
        marked = [line for line in Path("reports/ladder.md").read_text().splitlines() if "(2)†" in line]
        assert len(marked) == said.index(sentence) + 1
        assert any(f"[{late}]" in line for line in marked)


def test_the_page_says_of_every_rung_whose_digits_it_misreads():
    """The repository's own reports, counted again from errors.csv and who wrote which image."""
    page_text = (REPOSITORY / "reports/ladder.md").read_text(encoding="utf-8")
    images = pd.read_csv(REPOSITORY / "reports/test_images.csv").set_index("index")
    kinds = json.loads((REPOSITORY / "reports/data.json").read_text())["kinds"]
    for rung in ("champion", "lenet5"):
        errors = pd.read_csv(REPOSITORY / f"reports/rungs/{rung}/errors.csv")
        seeds = pd.read_csv(REPOSITORY / f"reports/rungs/{rung}/curves.csv").seed.nunique()
        of = images.kind.reindex(errors["index"])
        rates = [100 * (of == int(kind)).sum() / seeds / (images.kind == int(kind)).sum() for kind in kinds]
        assert f"| {rung} | {' | '.join(f'{rate:.2f}' for rate in rates)} |" in page_text
