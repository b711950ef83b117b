"""What a name stands for, and what is said where it stands for nothing or nothing can be read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clones import command, commit, git, make_clone
from made_up import misreading, runs, write_reports
from safetensors.numpy import save_file

from commands import compare
from ladder.board import page
from ladder.board.rows import facts
from ladder.comparison.snapshots import find
from ladder.exceptions import LadderError


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_clone()
    return tmp_path


def fault_of(*given):
    """Return the one line with which a comparison is refused."""
    with pytest.raises(LadderError) as error:
        compare.main(list(given))
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def text_of(capsys, *given):
    compare.main(list(given))
    return capsys.readouterr().out


def test_an_unknown_name_gets_its_nearest_neighbour_or_a_few_names(project):
    for rung in range(40):
        Path(f"rungs/cards/rung{rung}.yaml").write_text("title: x\n")
    git("branch", "wider")
    assert fault_of("widr") == "there is no revision, experiment or rung 'widr'; did you mean 'wider'?"
    said = fault_of("zzz")
    assert said == (
        "there is no revision, experiment or rung 'zzz'; there are workspace, main, wider, net7, net8 and 40 more"
    )
    assert len(fault_of("z" * 5000)) < 200


@pytest.mark.parametrize(
    "name", ["^HEAD", "HEAD..HEAD", "HEAD^{tree}", "HEAD:reports", "--all", "-h:", "../..", "", " "]
)
def test_what_is_no_commit_is_no_snapshot(project, name):
    with pytest.raises(LadderError, match=r"^there is no revision, experiment or rung '"):
        find(name)


def test_an_experiment_that_is_running_or_waits_is_told(project):
    run = Path(".dvc/tmp/exps/run/abc/abc.run")
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps({"name": "turned", "status": 2}))
    expected = "experiment turned has no results yet: DVC lists it as running; see `dvc queue status`"
    assert fault_of("turned") == expected
    run.write_text(json.dumps({"name": "turned", "status": 3}))
    assert fault_of("turned").startswith("there is no revision, experiment or rung 'turned'; there are ")
    for damaged in ("", "[]", "{}", "[" * 100_000, '{"name": null, "status": 2}'):
        run.write_text(damaged)
        assert fault_of("turned").startswith("there is no revision")
    message = f"dvc-exp:{'a' * 40}:{'b' * 40}:queued:main"
    git("update-ref", "--create-reflog", "-m", f"commit: {message}", "refs/exps/celery/stash", "HEAD")
    assert fault_of("queued").startswith("experiment queued has no results yet: it waits in the queue; ")


def test_an_entry_that_the_reflog_lacks_is_gits_own_message(project):
    assert fault_of("HEAD@{5}").startswith("HEAD@{5}: log for 'HEAD' only has 1 entries")
    assert fault_of("@{upstream}") == "@{upstream}: no upstream configured for branch 'main'"


def test_a_clone_of_another_owner_keeps_gits_advice(project):
    """As in a container whose user is not the one that made the clone."""
    done = command("HEAD", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "dubious ownership in repository at" in done.stderr
    assert f"; to add an exception for this directory, call: git config --global --add safe.directory {project}" in (
        done.stderr
    )


def test_without_git_rungs_can_still_be_compared(project, monkeypatch, capsys):
    for rung in ("net7", "net8"):
        write_reports(Path("reports/rungs", rung), runs(3, 60), rung)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert text_of(capsys, "net7", "net8").startswith("**Same results**")
    assert fault_of("HEAD") == "git is needed to read a revision; install it"


def test_links_and_odd_paths_of_a_commit_are_left_alone(project, capsys):
    Path("reports/rungs").mkdir()
    Path("reports/rungs/linked").symlink_to("/etc")
    Path("reports/rungs/metrics.json").symlink_to("/etc/passwd")
    Path("reports/two\nlines").mkdir()
    Path("reports/two\nlines/metrics.json").write_text("{}")
    commit("odd")
    assert text_of(capsys, "HEAD~1", "HEAD").startswith("**Nothing changed**")


def test_a_revision_is_read_from_a_folder_within(project, monkeypatch, capsys):
    write_reports(Path("reports"), runs(5, 50))
    commit("better")
    monkeypatch.chdir("rungs")
    assert text_of(capsys, "HEAD~1", "HEAD").startswith("**HEAD (net7) is better than HEAD~1 (net7)**")


def test_pictures_that_cannot_be_written_are_one_line_and_make_no_folder(project):
    Path("folder").mkdir()
    assert fault_of("--pictures", "folder") == (
        "--pictures folder: this is a folder; name a file in it, such as folder/changes.png"
    )
    assert fault_of("--pictures", "").startswith("--pictures .: this is a folder")
    for name in ("x.jpg", "x"):
        assert fault_of("--pictures", name) == f"--pictures {name}: the picture is a PNG file; name it x.png"
    assert fault_of("--pictures", "new/x.png") == "--pictures new/x.png: there is no folder new; make it first"
    assert not any(map(Path.exists, map(Path, ("new", "x.jpg", "x"))))
    assert command("--pictures", "new/x.png").returncode == 2


def test_pictures_of_other_test_images_are_not_drawn(project, capsys):
    write_reports(Path("reports"), runs(5, 60, 3))
    Path("data/sets/mnist/processed").mkdir(parents=True)
    for tensors, said in (
        ({"images": np.zeros((5, 1, 28, 28), np.uint8)}, "has 5 images, the reports are of 10,000"),
        ({"pixels": np.zeros(1)}, "is damaged ('images')"),
    ):
        save_file(tensors, "data/sets/mnist/processed/test.safetensors")
        assert said in text_of(capsys, "--pictures", "changes.png")
    assert not Path("changes.png").exists()


def test_a_terminal_without_our_letters_gets_question_marks(project):
    write_reports(Path("reports"), runs(5, 50, 3), "net8", "dropout")
    done = subprocess.run(
        [sys.executable, "-m", "commands.compare"],
        env=os.environ | {"PYTHONPATH": str(Path(compare.__file__).parents[1]), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"- layer 1: conv ? dropout" in done.stdout


def test_a_bug_is_not_taken_for_a_loss(project, monkeypatch, capsys):
    monkeypatch.setattr(compare, "compare_snapshots", lambda *given: {}["missing"])
    monkeypatch.setattr(sys, "argv", ["compare"])
    monkeypatch.setattr(sys, "stdout", sys.__stdout__)
    assert compare.run() == 2
    assert "KeyError: 'missing'" in capsys.readouterr().err


def new_rung(capsys):
    """Return what is said after a commit that adds a rung."""
    commit("net9")
    return text_of(capsys, "HEAD~1", "HEAD")


def test_a_new_rung_says_what_it_reached_and_its_step(project, capsys):
    write_reports(Path("reports/rungs/net7"), misreading(60, 60, 62), "net7")
    commit("net7")
    Path("rungs/cards/net9.yaml").write_text("title: <b>\ngoal: x\nextends: net8\nagainst: net7\n")
    write_reports(Path("reports/rungs/net9"), misreading(50, 52, 54), "net9", "gelu")
    text = new_rung(capsys)
    assert text.startswith(
        "**New in HEAD: net9**: accuracy 99.48 % ± 0.02 (3 seeds), 7598 parameters. Compared with net7"
    )
    assert "\n\n**net9 of HEAD is better than net7 of HEAD**: +0.09 points [" in text
    assert "- layer 1: conv → gelu" in text
    assert compare.main(["HEAD~1", "HEAD", "--fail-if", "worse"]) == 0


def test_a_new_rung_that_is_worse_fails_nothing(project, capsys):
    """An honest rung that did not help belongs on the ladder."""
    write_reports(Path("reports/rungs/net7"), misreading(50, 51, 52), "net7")
    commit("net7")
    Path("rungs/cards/net9.yaml").write_text("title: x\nextends: net7\n")
    write_reports(Path("reports/rungs/net9"), misreading(90, 91, 92), "net9")
    assert "is worse than" in new_rung(capsys)
    assert compare.main(["HEAD~1", "HEAD", "--fail-if", "worse"]) == 0


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("title: x\n", "Its card names no rung to compare it with."),
        ("title: x\nextends: net8\n", "It is judged against net8, which has no reports there."),
        ("title: x\nextends: ../../etc\n", "Its card names no rung to compare it with."),
        ("- : :", "Its card names no rung to compare it with."),
        (None, "Its card names no rung to compare it with."),
    ],
)
def test_a_new_rung_without_a_baseline_says_so(project, capsys, card, said):
    if card:
        Path("rungs/cards/net9.yaml").write_text(card)
    write_reports(Path("reports/rungs/net9"), misreading(50), "net9")
    text = new_rung(capsys)
    assert text == f"**New in HEAD: net9**: accuracy 99.50 % (1 seed), 7598 parameters. {said}\n"


def test_many_new_rungs_fit_into_a_comment(project, capsys):
    for number in range(60):
        rung = f"rung{number}"
        Path(f"rungs/cards/{rung}.yaml").write_text("title: x\n" + "extends: rung0\n" * bool(number))
        write_reports(Path("reports/rungs", rung), runs(3, 60, number), rung)
    text = new_rung(capsys)
    assert 30_000 < len(text) < 65_000
    assert "There is no room here for the details of the last" in text


def test_a_rung_that_is_gone_is_named(project, capsys):
    write_reports(Path("reports/rungs/net9"), misreading(50), "net9")
    commit("net9")
    shutil.rmtree("reports/rungs/net9")
    assert text_of(capsys) == "Gone in workspace: net9.\n"
    assert compare.main(["--fail-unless", "not-worse"]) == 3
    assert "results are gone, so no loss is ruled out: net9" in capsys.readouterr().err


def test_the_board_and_compare_show_one_step_as_one_number(project, capsys):
    """0.025 points, once 0.02 and once 0.03: four seeds whose mean changes by 2.5 of 10,000 images."""
    Path("rungs/cards/net8.yaml").write_text("title: x\ngoal: x\nextends: net7\n")
    Path("rungs/cards/net7.yaml").write_text("title: x\ngoal: x\n")
    for change in range(0, 40):
        counts = [60, 61, 62, 63]
        write_reports(Path("reports/rungs/net7"), misreading(*counts), "net7")
        counts[0] += change
        write_reports(Path("reports/rungs/net8"), misreading(*counts), "net8", loss=0.03)
        row = next(row for row in facts(*page.read_ladder()) if row["rung"] == "net8")
        cell = page.page([row], [], 99.4, "").split("<br>x |")[1].split("|")[6].split("<br>")[1]
        headline = text_of(capsys, "net7", "net8").splitlines()[0]
        assert f": {cell.split()[0]} points [" in headline, change


def test_names_in_the_comment_are_harmless(project, capsys):
    git("branch", "a`<b>@everyone|x")
    write_reports(Path("reports"), runs(5, 50), "net8")
    commit("net8")
    text = text_of(capsys, "a`<b>@everyone|x", "HEAD")
    assert text.startswith("**HEAD (net8) is better than a\\`&lt;b&gt;@\u200beveryone\\|x (net7)**")
