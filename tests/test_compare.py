"""Comparing reports: in a Git repository made here, with reports of made-up runs."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from clones import ROOT, command, commit, git, make_clone, python
from dvc.utils.serialize import dumps_yaml, parse_yaml
from made_up import IMAGES, LABELS, runs, write_reports
from safetensors.numpy import save_file
from scipy.stats import ttest_ind

from commands import compare
from ladder.exceptions import LadderError


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_clone()
    return tmp_path


@pytest.fixture
def said(capsys):
    """Return a function that compares and returns (exit code, text)."""

    def run(*given):
        code = compare.main(list(given))
        return code, capsys.readouterr().out

    return run


def table_row(text, metric):
    """Return the cells of a metric's line in the table."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {metric} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_verdict_comes_first_with_scipys_interval(project, said):
    before, after = runs(5, 60), runs(5, 50, 3)
    write_reports(Path("reports"), after, "net8")
    low, high = ttest_ind(*(-side.sum(1) / 100 for side in (after, before)), equal_var=False).confidence_interval(0.95)
    code, text = said()
    assert code == 0
    assert text.startswith(
        f"**workspace (net8) is better than HEAD (net7)**: +0.10 points [{low:.2f}, {high:.2f}], 5 + 5 seeds; "
        "so too on other test images ["
    )
    assert table_row(text, "accuracy, %") == [
        "accuracy, %",
        "99.41",
        "99.51",
        "+0.10",
        f"[{low:.2f}, {high:.2f}]",
    ]
    assert table_row(text, "misread images")[1:4] == ["59.0", "49.0", "-10.0"]
    assert table_row(text, "misread images")[4:] == [f"[{-100 * high:.1f}, {-100 * low:.1f}]"]
    assert table_row(text, "parameters") == ["parameters", "7598", "7598", "0", "–"]


def test_what_is_small_enough_is_as_good_and_what_is_open_says_what_would_settle_it(project, said):
    """Half of the 90 % interval of 5 + 5 seeds: t(0.95, 8) = 1.860 times the standard error."""
    before, after = runs(5, 60), runs(5, 58)
    write_reports(Path("reports"), after, loss=0.015)
    error = np.sqrt(sum(side.sum(1).var(ddof=1) / 5 for side in (before, after))) / 100
    _, text = said()
    assert text.startswith(
        f"**workspace (net7) is as good as HEAD (net7), within ±{0.02 + 1.860 * error:.2f} points**: "
        "+0.02 points [-0.04, 0.08], 5 + 5 seeds; the same on other test images."
    )
    assert table_row(text, "loss")[3:] == ["-0.0050", "[-0.0073, -0.0027]"]
    write_reports(Path("reports"), runs(5, 54, spread=12))
    _, text = said()
    assert text.startswith("**Cannot tell yet whether workspace (net7) is better or worse than HEAD (net7)**: +0.07 ")
    images = "59.0 are misread before and 51.6 after, in the mean of the seeds. "
    assert f"What the images say: {images}Of those that most seeds misread, 6 are fixed" in text
    assert re.search("What to do: train [0-9]+ seeds on each side. If the true change is the one seen", text)


def test_two_seeds_that_hide_a_disaster_cannot_tell_and_say_what_the_images_say(project, said):
    """One seed of two that misreads 500 more images: the mean is 2.5 points lower, and says nothing yet."""
    before, after = runs(2, 60), runs(2, 60)
    after[0, 1000:1500] = True
    write_reports(Path("reports"), before)
    commit("two seeds")
    write_reports(Path("reports"), after)
    code, text = said("--fail-unless", "not-worse")
    assert code == 3
    assert text.startswith(
        "**Cannot tell yet whether workspace (net7) is better or worse than HEAD (net7)**: -2.50 points"
    )
    assert said("--fail-if", "worse")[0] == 0


def test_losses_of_two_kinds_are_not_compared(project, said):
    recipe = "rung: net7\nloss: {}\nnetwork: [conv, {}]\nepochs: 2\nlabel_smoothing: {}\n"
    Path("reports/recipe.yaml").write_text(recipe.format("nll", "log_softmax", 0.0))
    commit("nll")
    same, other = "+0.0100", "they minimise different losses"
    for loss, ending, smoothing, cell in (
        ("nll", "log_softmax", 0, same),
        ("cross_entropy", "log_softmax", 0, same),
        ("cross_entropy", "flatten", 0, same),
        ("cross_entropy", "softmax", 0, other),  # a softmax behind a softmax
        ("nll", "log_softmax", 0.05, other),
        ("l1", "softmax", 0, other),
    ):
        write_reports(Path("reports"), runs(5, 50), loss=0.03)
        Path("reports/recipe.yaml").write_text(recipe.format(loss, ending, smoothing))
        assert table_row(said()[1], "loss")[3] == cell


def list_images(groups):
    """Write who made which test image, as `preprocess` does."""
    rows = [f"{index},{label},{group},0" for index, (label, group) in enumerate(zip(LABELS, groups, strict=True))]
    Path("reports/test_images.csv").write_text("\n".join(["index,label,group,kind", *rows]) + "\n")


def test_images_of_one_writer_count_as_one_where_the_writers_are_known(project, said):
    """All fixed images are one person's: nobody knows whether those of another would be fixed."""
    write_reports(Path("reports"), runs(5, 30))
    assert "so too on other test images" in said()[1]
    list_images(np.maximum(np.arange(IMAGES) // 100, 1) - 1)
    text = said()[1]
    assert text.startswith("**workspace (net7) is better than HEAD (net7)**: +0.30 points")
    assert "but on digits of other people it may not hold [-0." in text


def test_a_seed_that_lost_a_class_is_named_and_fails_the_gate(project, said, capsys):
    list_images(np.arange(IMAGES))
    after = runs(5, 60)
    after[3, LABELS == 6] = True
    write_reports(Path("reports"), after)
    text = said()[1]
    assert "**Seed 3 of workspace (net7) collapsed**: it misreads 100 % of class 6, since epoch 1." in text
    assert "What to do: train more seeds to see how often one collapses, and judge the recipes by that.\n" in text
    assert compare.main(["--fail-unless", "not-worse"]) == 1
    fault = "compare: a seed collapsed: seed 3 of workspace (net7) misreads 100 % of class 6, since epoch 1\n"
    assert fault in capsys.readouterr().err
    Path("reports/test_images.csv").unlink()  # HEAD has none; where neither has, no label is known
    assert "collapsed" not in said()[1]


def test_a_class_lost_before_the_labels_were_known_is_named_too(project, said):
    before = runs(5, 60)
    before[2, LABELS == 4] = True
    write_reports(Path("reports"), before)
    commit("without test_images.csv")
    write_reports(Path("reports"), runs(5, 60))
    list_images(np.arange(IMAGES))
    assert "**Seed 2 of HEAD (net7) collapsed**: it misreads 100 % of class 4, since epoch 1." in said()[1]


def test_a_new_rung_fails_the_gate_by_a_collapse_alone(project, said, capsys):
    """A new rung may be worse than the one it is judged against: that is a result, and no loss."""
    list_images(np.arange(IMAGES))
    commit("labels")
    after = runs(5, 160)
    write_reports(Path("reports/rungs/net8"), after, "net8")
    for gate in ("--fail-if=worse", "--fail-unless=not-worse"):
        assert said(gate)[0] == 0
    after[1, LABELS == 2] = True
    write_reports(Path("reports/rungs/net8"), after, "net8")
    for gate in ("--fail-if=worse", "--fail-unless=not-worse"):
        assert compare.main([gate]) == 1
    assert "seed 1 of net8 of workspace misreads 100 % of class 2" in capsys.readouterr().err
    assert "**Seed 1 of net8 of workspace collapsed**" in said()[1]
    Path("rungs/dvc.lock").write_text(lock("climb@net8", "reports/rungs/net8"))
    Path("reports/rungs/net8/recipe.yaml").write_text("rung: net8\nnetwork: [flatten]\n")
    assert compare.main(["--fail-unless", "not-worse"]) == 3
    assert "not compared, so no loss is ruled out" in capsys.readouterr().err


def test_the_gate_passes_only_what_rules_a_loss_out(project, said, capsys):
    for after, tolerance, code in (
        (runs(5, 60, 3), "0.1", 0),  # 0.00 [-0.06, 0.06]
        (runs(5, 60, 3), "0.05", 3),
        (runs(5, 70), "0.1", 3),  # -0.10 [-0.16, -0.04]
        (runs(5, 80), "0.1", 1),  # -0.20 [-0.26, -0.14]
        (runs(1, 20), "0.1", 3),  # one seed says nothing of its recipe, whatever five others say of theirs
        (runs(1, 120), "0.1", 3),
    ):
        write_reports(Path("reports"), after)
        assert said("--fail-unless", "not-worse", "--tolerance", tolerance)[0] == code
    write_reports(Path("reports"), runs(1, 60))
    commit("one seed")
    write_reports(Path("reports"), runs(1, 20))
    assert said("--fail-unless", "not-worse")[0] == 3  # one run a side says nothing of the recipes
    write_reports(Path("reports"), runs(1, 60), "net8")
    assert said("--fail-unless", "not-worse")[0] == 0  # the same results


def test_other_test_images_are_refused_by_their_hash(project, said):
    data = json.loads(Path("reports/data.json").read_text())
    Path("reports/data.json").write_text(json.dumps(data | {"test_sha256": "0" * 64}))
    commit("hash")
    write_reports(Path("reports"), runs(5, 50))
    Path("reports/data.json").write_text(json.dumps(data | {"test_sha256": "1" * 64}))
    with pytest.raises(LadderError, match="measured on different test images"):
        said()


def test_says_which_images_got_fixed_and_which_broke(project, said):
    write_reports(Path("reports"), runs(5, 60, 3))
    _, text = said()
    assert ": 3 fixed, 3 broken, net 0." in text
    assert "- image 0: a 0 read as 1, by 5/5 seeds before, 0/5 after" in text
    assert "- image 62: a 2 read as 3, by 1/5 seeds before, 3/5 after" in text


def test_a_verdict_that_new_digits_would_not_bear_out_says_so(project, said):
    before, after = np.zeros((2, 5, IMAGES), dtype=bool)
    before[:, :14] = after[:, 14:20] = True
    for seed in range(5):
        before[seed, 100 : 103 + seed] = after[seed, 200 : 203 + seed] = True
    write_reports(Path("reports"), before)
    commit("before")
    write_reports(Path("reports"), after)
    assert "is better than" in said()[1]
    assert "; but on other test images it may not hold [-0." in said()[1]


def test_an_image_changes_sides_where_most_seeds_misread_it_on_one_and_fewer_than_half_on_the_other(project, said):
    """Four seeds, counted by hand: 2 of 4 is half, neither more nor fewer. Only 3 and 4 of 4 are more."""
    before, after = np.zeros((2, 4, IMAGES), dtype=bool)
    counts = {
        20: (2, 0),
        21: (0, 2),
        22: (2, 1),
        23: (3, 2),
        24: (2, 3),
        25: (4, 0),
        29: (3, 1),
        26: (2, 2),
        27: (3, 4),
        28: (1, 3),
    }
    for image, (misread_before, misread_after) in counts.items():
        before[:misread_before, image] = after[:misread_after, image] = True
    write_reports(Path("reports"), before)
    commit("before")
    write_reports(Path("reports"), after, loss=0.03)
    images = json.loads(said("--json")[1])["comparisons"][0]["images"]
    assert [image["index"] for image in images["fixed"]] == [25, 29]
    assert [image["index"] for image in images["broken"]] == [28]
    assert images["net"] == 1


def test_changed_lines_of_parameters_and_recipe(project, said):
    write_reports(Path("reports"), runs(5, 50), "net8", "dropout")
    Path("params.yaml").write_text("model: net8\nseeds: 5\n")
    _, text = said()
    assert "Changed in the recipe:\n\n- layer 1: conv → dropout\n" in text
    assert "Changed in params.yaml:\n\n```diff\n-model: net7\n+model: net8\n```" in text


def test_results_of_two_versions_are_no_change_of_the_recipe(project, said):
    """The recipe of HEAD says no `fingerprint`, and no `portable`, which no recipe of this version has."""
    write_reports(Path("reports"), runs(5, 50))
    recipe = Path("reports/recipe.yaml")
    recipe.write_text(recipe.read_text() + "fingerprint: of another day\n")
    text = said()[1]
    assert "**Both are of the same recipe**, run by two versions of this project" in text
    assert "Changed by the version, not in the recipe:\n\n- fingerprint: none → of anoth\n" in text
    recipe.write_text(recipe.read_text().replace("conv", "relu") + "portable: true\n")
    text = said()[1]
    assert "**The results of workspace (net7) are of another version of this project**" in text
    assert "same recipe" not in text
    assert "Changed in the recipe:\n\n- layer 1: conv → relu\n" in text
    recipe.write_text(recipe.read_text().replace("portable: true\n", ""))
    assert "version" not in said()[1]


def test_equal_reports_say_that_nothing_changed(project, said):
    assert said() == (0, "**Nothing changed**: the reports of HEAD and workspace are the same.\n")
    assert json.loads(said("--json")[1])["comparisons"] == []


def test_the_same_results_from_another_recipe(project, said):
    write_reports(Path("reports"), runs(5, 60), "net8", "relu")
    _, text = said()
    assert text.startswith("**Same results**: HEAD (net7) and workspace (net8) misread the same test images")
    assert text.endswith("Changed in the recipe:\n\n- layer 1: conv → relu\n")


def test_two_rungs(project, said):
    write_reports(Path("reports/rungs/net7"), runs(3, 60))
    write_reports(Path("reports/rungs/net8"), runs(3, 30), "net8")
    assert said("net7", "net8")[1].startswith("**net8 is better than net7**: +0.30 points [0.19, 0.41], 3 + 3 seeds;")
    assert said("net8")[1].startswith("**workspace (net7) is worse than net8**: -0.29 points")


def test_many_rungs_are_listed_verdict_first_within_the_room_of_a_comment(project, said):
    for shift in (0, 3):
        for rung in range(30):
            write_reports(Path(f"reports/rungs/net{rung}"), runs(5, 60, shift), f"net{rung}", "conv\n- x" * shift * 500)
        commit("ladder")
    _, text = said("HEAD~1", "HEAD")
    assert text.startswith("- **net0 of HEAD is as good as net0 of HEAD~1, within ±0.05 points**")
    assert all(f"- **net{rung} of HEAD is as good as net{rung} of HEAD~1, " in text for rung in range(30))
    assert 20_000 < len(text) < 65_536
    assert "There is no room here for the details of the last" in text


def test_an_experiment_by_its_name(project, said):
    write_reports(Path("reports"), runs(5, 20), "net8")
    commit("experiment")
    git("update-ref", "refs/exps/ab/cdef0123/lucky-dog", "HEAD")
    git("reset", "--quiet", "--hard", "HEAD~1")
    assert said("HEAD", "lucky-dog")[1].startswith("**lucky-dog (net8) is better than HEAD (net7)**: +0.40 points")
    git("update-ref", "refs/exps/12/34567890/lucky-dog", "HEAD")
    with pytest.raises(LadderError, match="there are 2 experiments 'lucky-dog'"):
        said("lucky-dog")


def test_a_seed_without_a_single_error_counts(project, said):
    flawless = runs(5, 60)
    flawless[4] = False
    write_reports(Path("reports"), flawless)
    _, text = said()
    assert ", 5 + 5 seeds" in text
    assert table_row(text, "misread images")[1:4] == ["59.0", "47.0", "-12.0"]


def test_one_seed_a_side_is_of_two_runs_and_not_of_their_recipes(project, said):
    write_reports(Path("reports"), runs(1, 65))  # 0 … 59 misread
    commit("one seed")
    write_reports(Path("reports"), runs(1, 57, 10))  # 10 … 61 misread: 10 fixed, 2 broken
    _, text = said()
    assert text.startswith("**These two runs differ**: workspace (net7) against HEAD (net7), +0.08 points [0.005, 0.16")
    assert "**This says nothing of the two recipes**" in text
    assert "What to do: train at least 3 seeds (better: 5) on each side." in text
    assert "Test images that the one seed misreads on one side, but not on the other: 10 fixed" in text
    assert table_row(text, "loss")[4:] == ["–"]


@pytest.mark.parametrize("misread", [20, 60, 120])
def test_one_seed_against_five_gives_no_verdict_and_names_the_side_whose_noise_is_unknown(project, said, misread):
    write_reports(Path("reports"), runs(1, misread))
    code, text = said("--fail-if", "worse")
    assert code == 0
    assert text.startswith("**Cannot tell yet whether workspace (net7) is better or worse than HEAD (net7)**: ")
    assert "**one seed says nothing of the noise of workspace (net7)**" in text
    assert "What to do: train workspace (net7) from at least 3 seeds (better: 5)." in text


def test_fail_if_worse_only_where_the_whole_interval_is_below_the_tolerance(project, said, capsys):
    write_reports(Path("reports"), runs(5, 70))  # -0.10 points [-0.16, -0.04]
    assert said()[0] == 0
    assert said("--fail-if", "worse")[0] == 1
    assert said("--fail-if", "worse", "--tolerance", "0.03")[0] == 1
    assert said("--fail-if", "worse", "--tolerance", "0.05")[0] == 0
    write_reports(Path("reports"), runs(5, 62))  # -0.02: no difference shown
    assert said("--fail-if", "worse")[0] == 0  # not shown
    write_reports(Path("reports"), runs(5, 40))
    assert said("--fail-if", "worse")[0] == 0


def test_json_has_the_facts_of_the_text(project, said):
    write_reports(Path("reports"), runs(5, 50, 3), "net8")
    facts = json.loads(said("--json")[1])["comparisons"][0]
    assert (facts["verdict"], facts["seeds"], facts["new_writers"]["verdict"]) == ("better", [5, 5], "better")
    accuracy = facts["metrics"][0]
    assert accuracy["change"] == pytest.approx(0.1)
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((0.039, 0.161), abs=0.001)
    assert facts["images"]["net"] == len(facts["images"]["fixed"]) - len(facts["images"]["broken"]) == 10
    assert facts["lines"]["recipe.yaml"] == ["-rung: net7", "+rung: net8"]


def test_pictures_of_what_changed(project, said):
    write_reports(Path("reports"), runs(5, 60, 3))
    assert "No picture: it needs data/sets/mnist/processed/test.safetensors" in said("--pictures", "changes.png")[1]
    Path("data/sets/mnist/processed").mkdir(parents=True)
    save_file({"images": np.zeros((IMAGES, 1, 28, 28), np.uint8)}, "data/sets/mnist/processed/test.safetensors")
    assert "Pictures of the most consistent ones: changes.png" in said("--pictures", "changes.png")[1]
    assert Path("changes.png").read_bytes().startswith(b"\x89PNG")
    Path("data/sets/mnist/processed/test.safetensors").write_bytes(b"no tensors")
    assert "No picture: data/sets/mnist/processed/test.safetensors is damaged" in said("--pictures", "changes.png")[1]


@pytest.mark.parametrize(
    ("given", "broken", "fault"),
    [
        (["nett7"], None, "there is no revision, experiment or rung 'nett7'; did you mean 'net7'?"),
        (["net8"], None, "rung net8 has no reports yet; they go to reports/rungs/net8/"),
        (["HEAD"], ("metrics.json", None), "workspace: there is no reports/metrics.json; run `dvc repro`"),
        (["HEAD"], ("metrics.json", "{"), "workspace: reports/ is not as `evaluate` writes it"),
        (["HEAD"], ("curves.csv", "seed\n0\n"), "workspace: reports/ is not as `evaluate` writes it"),
        (
            ["HEAD"],
            ("curves.csv", "seed,epoch,accuracy,loss\n0,1,9,1\n0,2,9,1\n1,1,9,1\n"),
            "a seed lacks one of the epochs 1 to 2",
        ),
        (["HEAD"], ("metrics.json", "[]"), "workspace: reports/ is not as `evaluate` writes it"),
        (["HEAD"], ("recipe.yaml", "- : :"), "workspace: reports/ is not as `evaluate` writes it"),
        (["HEAD"], ("errors.csv", "seed,index,label,prediction,confidence\n0,7,7,8,0.9\n"), "are of different runs"),
    ],
)
def test_bad_input_is_one_line(project, given, broken, fault):
    if broken:
        path = Path("reports", broken[0])
        path.write_text(broken[1]) if broken[1] else path.unlink()
    with pytest.raises(LadderError) as error:
        compare.main(given)
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def lock(stage, folder):
    """Return a DVC lock file that says what a stage's results are of: the recipe.yaml that is there now."""
    found = hashlib.md5(Path(folder, "recipe.yaml").read_bytes()).hexdigest()
    return yaml.safe_dump({"stages": {stage: {"deps": [{"path": f"{folder}/recipe.yaml", "md5": found}]}}})


def test_results_of_another_recipe_are_not_compared(project, said):
    Path("dvc.lock").write_text(lock("evaluate", "reports"))
    commit("locked")
    assert said()[0] == 0
    recipe = Path("reports/recipe.yaml")
    recipe.write_text(recipe.read_text().replace("- conv", "- relu"))
    fault = "workspace: dvc.lock says that reports/metrics.json is of another recipe.yaml; run `dvc repro`"
    with pytest.raises(LadderError, match=f"^{fault}$"):
        compare.main([])
    commit("planned, not trained")
    with pytest.raises(LadderError, match=r"^HEAD: .*; commit params\.yaml, reports/ and the lock files together$"):
        compare.main(["HEAD~1", "HEAD"])
    Path("dvc.lock").write_text(lock("evaluate", "reports"))
    commit("trained")
    assert said("HEAD~2", "HEAD")[1].startswith("**Same results**")


def test_results_of_other_parameters_are_not_compared(project, said):
    """As after an edit of params.yaml, before anything runs."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    locked = yaml.safe_load(lock("evaluate", "reports"))
    locked["stages"]["plan"] = {"params": {"params.yaml": params}}
    locked["stages"]["evaluate"]["params"] = {"params.yaml": {"seeds": params["seeds"]}}
    Path("dvc.lock").write_text(yaml.safe_dump(locked))
    commit("locked")
    assert said()[0] == 0
    Path("params.yaml").write_text(yaml.safe_dump(params | {"seeds": 99, "model": "net8"}))
    fault = r"^workspace: dvc\.lock says that reports/metrics\.json is of other values of (seeds, model|model, seeds) "
    with pytest.raises(LadderError, match=fault + r"than params\.yaml has; run `dvc repro`$"):
        compare.main([])
    for text, fault in {"model: [": "not valid YAML", "model: 2024-13-45": "not valid YAML", "[]": ""}.items():
        Path("params.yaml").write_text(text)
        with pytest.raises(LadderError, match=r"^workspace: .*params\.yaml.*" + fault):
            compare.main([])


@pytest.mark.parametrize("rate", ["0.001", "1e-3", "1E-4", "0.00001", "5e-5", "1.0e-5", "2.5e-5"])
def test_a_number_in_dvcs_lock_is_that_of_params_however_it_is_written(project, said, rate):
    """The oracle is DVC's own reader and writer."""
    Path("params.yaml").write_text(f"seeds: 5\ntrain: {{learning_rate: {rate}}}\n")
    locked = yaml.safe_load(lock("evaluate", "reports"))
    locked["stages"]["plan"] = {"params": {"params.yaml": parse_yaml(Path("params.yaml").read_text(), "params.yaml")}}
    Path("dvc.lock").write_text(dumps_yaml(locked))
    assert said()[0] == 0


def test_a_rungs_results_of_another_recipe_are_not_compared(project, said):
    for rung in ("net7", "net8"):
        write_reports(Path("reports/rungs", rung), runs(5, 60), rung)
    Path("rungs/dvc.lock").write_text(lock("climb@net8", "reports/rungs/net8"))
    assert said("net7", "net8")[0] == 0
    Path("reports/rungs/net8/recipe.yaml").write_text("rung: net8\nnetwork: [flatten]\n")
    with pytest.raises(LadderError, match=r"^net8: .* reports/rungs/net8/metrics\.json is of .* run `dvc repro rungs/"):
        compare.main(["net7", "net8"])


def test_a_rung_that_is_planned_anew_does_not_hide_the_others(project, said):
    """As `make climb` leaves it that was stopped: nobody asked for this rung."""
    write_reports(Path("reports/rungs/net8"), runs(5, 60), "net8")
    Path("rungs/dvc.lock").write_text(lock("climb@net8", "reports/rungs/net8"))
    commit("climbed")
    Path("reports/rungs/net8/recipe.yaml").write_text("rung: net8\nnetwork: [flatten]\n")
    text = said()[1]
    assert "Nothing changed" not in text
    assert "that reports/rungs/net8/metrics.json is of another recipe.yaml; run `dvc repro rungs/dvc.yaml`." in text
    write_reports(Path("reports"), runs(5, 50, 3))
    text = said()[1]
    assert text.startswith("**workspace (net7) is better than HEAD (net7)**")
    assert "Not compared: workspace: rungs/dvc.lock says" in text
    assert said("--fail-unless", "not-worse")[0] == 3  # no loss of net8 is ruled out
    assert said("--fail-if", "worse")[0] == 0


def test_a_rung_that_is_behind_on_both_sides_fails_no_gate(project, said):
    write_reports(Path("reports/rungs/net8"), runs(5, 60), "net8")
    Path("rungs/dvc.lock").write_text(lock("climb@net8", "reports/rungs/net8"))
    Path("reports/rungs/net8/recipe.yaml").write_text("rung: net8\nnetwork: [flatten]\n")
    commit("planned anew")
    assert said("--fail-unless", "not-worse")[0] == 0


def test_the_workflow_says_in_the_comment_why_there_is_no_receipt(project):
    """HEAD counts, not what the job has made in the workspace."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path, "BASE": "HEAD", "GITHUB_OUTPUT": "output"}
    run = ["bash", "-e", "-c", step("metrics.yml", "Receipt")]
    write_reports(Path("reports"), runs(5, 50))
    subprocess.run(run, env=environment, check=True)
    assert Path("comment.md").read_text() == "\nNo committed results changed, so there is no receipt.\n"
    commit("other results, but no images to train on")
    subprocess.run(run, env=environment | {"BASE": "HEAD~1"}, check=True)
    assert Path("comment.md").read_text().endswith("\nThere is no receipt; the log says why.\n")
    assert Path("output").read_text() == "code=0\ncode=2\n"


def test_a_rungs_missing_file_is_to_be_made_not_committed(project):
    write_reports(Path("reports/rungs/net8"), runs(5, 60), "net8")
    Path("reports/rungs/net8/errors.csv").unlink()
    fault = r"^net8: there is no reports/rungs/net8/errors\.csv; run `dvc repro rungs/dvc\.yaml`$"
    with pytest.raises(LadderError, match=fault):
        compare.main(["HEAD", "net8"])


def test_bad_input_ends_with_exit_code_2(project):
    done = command("nett7", "--fail-if", "worse")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("compare: there is no revision")
    assert done.stderr.count("\n") == 1
    assert command("--tolerance", "-1").returncode == 2


def test_other_test_images_are_not_compared(project):
    write_reports(Path("reports"), np.zeros((5, 2 * IMAGES), dtype=bool))
    Path("reports/data.json").write_text(json.dumps({"test_images": 2 * IMAGES}))
    with pytest.raises(
        LadderError, match=r"^HEAD \(net7\) was measured on 10,000 test images and workspace \(net7\) on 20,000; only"
    ):
        compare.main([])


def test_outside_a_repository_is_bad_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "not a git repository" in done.stderr


def test_answers_within_3_seconds_from_git_alone(project):
    write_reports(Path("reports"), runs(5, 50, 3), "net8")
    commit("net8")
    git("rm", "-rq", "reports")
    before = os.times()
    done = command("HEAD~1", "HEAD")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 3  # processor seconds: others may be busy on this machine
    assert done.stdout.startswith("**HEAD (net8) is better than HEAD~1 (net7)**")
    modules = python(
        "-c", "import sys; from commands import compare; compare.main(['HEAD~1', 'HEAD']); print(*sys.modules)"
    )
    assert modules.returncode == 0
    assert not {"torch", "dvc", "pandas", "matplotlib"} & set(modules.stdout.split())


def step(workflow, name):
    """Return the commands of a named step of a workflow."""
    jobs = yaml.safe_load((ROOT / ".github/workflows" / workflow).read_text())["jobs"]
    return next(step["run"] for job in jobs.values() for step in job["steps"] if step.get("name") == name)


def test_the_comment_on_a_pull_request_that_changes_a_rung(project):
    """The workflow's own commands, in a repository whose second branch changes the reports of one rung of two."""
    for rung, misread in (("net7", runs(3, 60)), ("net8", runs(3, 55))):
        write_reports(Path("reports/rungs", rung), misread, rung)
    commit("the ladder")
    git("switch", "--quiet", "--create", "wider")
    write_reports(Path("reports/rungs/net8"), runs(3, 30, 4), "net8", "wider conv")
    write_reports(Path("reports/rungs/net9"), runs(3, 30, 4), "net9", "gelu")
    Path("rungs/cards/net9.yaml").write_text("title: net9\nextends: net7\n")
    commit("net8: wider")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BASE": "main",
        "RUN": "https://example.org/run/1",
        "TOLERANCE": "0.1",
        "GATE": "not-worse",
        "RECEIPT": "0",
    }
    for name, picture in (("Compare", ""), ("Links", ""), ("Links", "https://example.org/artifact/2")):
        run = ["bash", "-e", "-c", step("metrics.yml", name)]
        subprocess.run(run, check=True, env=environment | {"PICTURE": picture})
    comment = Path("comment.md").read_text()
    assert comment.startswith(
        "**net8 of workspace is better than net8 of main**: +0.25 points [0.14, 0.36], 3 + 3 seeds"
    )
    assert "net7 of main" not in comment
    new = "**New in workspace: net9**: accuracy 99.70 % ± 0.05 (3 seeds), 7598 parameters. Compared with net7, "
    assert new in comment
    assert "**net9 of workspace is better than net7 of workspace**: +0.30 points [0.19, 0.41], 3 + 3 seeds;" in comment
    assert "- layer 1: conv → gelu" in comment
    assert "- layer 1: conv → wider conv" in comment
    assert comment.count("(https://example.org/run/1)") == 2
    assert comment.count("[The changed images as a picture](https://example.org/artifact/2)") == 1
    gate = ["bash", "-e", "-c", step("metrics.yml", "Gate")]
    assert subprocess.run(gate, env=environment | {"RECEIPT": "1"}, stdout=subprocess.DEVNULL).returncode == 1
    assert subprocess.run(gate, env=environment, stdout=subprocess.DEVNULL).returncode == 0
    git("switch", "--quiet", "main")
    assert subprocess.run(gate, env=environment | {"BASE": "wider"}, stdout=subprocess.DEVNULL).returncode == 1
