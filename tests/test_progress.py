"""What a terminal and a log show while runs are trained."""

import contextlib
import os
import re
import sys
import termios

from projects import small

from ladder import cards
from ladder.runs import curves, pace, progress


def test_progress_says_what_is_done_and_running_and_when_the_rest_will_be(monkeypatch, capsys):
    """One of the three runs weighs as much as the two others: after it and half of another a quarter is left."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    light, heavy = small(epochs=2), small(epochs=4)
    shown = progress.OfLadder([(heavy, 0), (light, 0), (light, 7)])
    with shown:
        shown.step({0, 1, 2})
        clock[0] = 3600.0
        shown.show(0, [{}] * 4)
        shown.show(1, [{}] * 2)
        shown.step({2})
        clock[0] = 3610.0
        shown.show(2, [{}])
        shown.step({2})  # too soon for another line, and nothing is finished
        clock[0] = 4210.0
        shown.step({2})
    lines = [line[6:] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "0 of 3 runs done",
        "2 of 3 runs done; about 0 h 20 min left",
        "2 of 3 runs done; about 0 h 10 min left; running: small seed 7 1/2",
    ]


def test_what_failed_or_waits_with_earlier_epochs_is_not_running(capsys):
    shown = progress.OfLadder([(small(epochs=4), seed) for seed in range(4)])
    shown.EVERY = 0
    shown.show(0, [{}])  # it was interrupted earlier, and waits
    shown.step({0, 1, 2, 3})
    shown.show(1, [{}] * 2)
    shown.show(2, [{}] * 3)
    shown.step({0, 2, 3})  # 1 failed
    shown.show(0, [{}] * 2)
    shown.step({0, 2, 3})
    running = [line.partition("; running: ")[2] for line in capsys.readouterr().out.splitlines()]
    assert running == ["", "small seed 2 3/4", "small seed 0 2/4, small seed 2 3/4"]


def test_the_time_left_is_that_of_what_is_not_over(monkeypatch, capsys):
    """Of two equal runs one failed at once, the other needs another hour for its last quarter."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    shown = progress.OfLadder([(small(epochs=4), seed) for seed in range(2)])
    shown.step({0, 1})
    clock[0] = 3 * 3600.0
    shown.show(1, [{}] * 3)
    shown.step({1})
    assert "; about 1 h 00 min left; running: small seed 1 3/4" in capsys.readouterr().out


def all_of(master):
    """Return what was written to a terminal that is closed by now; one `read` may give a part."""
    parts = []
    with contextlib.suppress(OSError):  # EIO: Linux' end of file
        while part := os.read(master, 100_000):
            parts.append(part)
    return b"".join(parts)


def test_a_terminal_of_80_columns_shows_the_time_left(monkeypatch):
    """The bar redraws one line; what stands in it must fit."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    runs = [(cards.resolve("session7_rotate"), seed) for seed in range(30)]
    with open(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.OfLadder(runs) as shown:
            shown.step(set(range(30)))
            shown.pace.start -= 36_000
            shown.show(0, [{}] * 15)
            shown.show(1, [{}] * 7)
            shown.step(set(range(1, 30)))
    shown = all_of(master).decode().replace("\n", "\r").split("\r")
    line = [part for part in shown if part.strip()][-1]
    assert "1 of 30 runs done; about 194 h" in line
    assert "; running: s" in line
    assert len(line) <= 80


def row(epoch, loss=0.5):
    return {"epoch": epoch, "train_loss": loss, "train_accuracy": 90.0}


def test_a_log_has_one_line_an_epoch(monkeypatch, capsys):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 60.0)
    with progress.of_seeds([(small(), 0), (small(), 7)]) as shown:
        shown.show(1, [row(1)])
        shown.step({0, 1})
        shown.show(1, [row(1), row(2), row(3)])
    assert capsys.readouterr().out.splitlines() == [
        f"small seed 7 epoch  {epoch}/3: loss 0.5000, train 90.00 %, 0 s" for epoch in (1, 2, 3)
    ]


def test_a_terminal_has_one_curve_a_run_and_the_time_left(monkeypatch):
    """After a minute a third of the work is done, so two more are needed."""
    clock = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    with open(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with progress.of_seeds([(small(), 0), (small(), 7)]) as shown:
            shown.step({0, 1})
            clock[0] = 60.0
            shown.show(1, [row(1, 0.5), row(2, 0.05)])
            shown.step({0, 1})
    said = all_of(master).decode()
    lines = [" ".join(part.split()) for part in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).splitlines()]
    assert "small seed 0 0/3" in lines
    assert "small seed 7 █▁ 2/3 loss 0.0500, train 90.00 %" in lines
    assert "33 % done, about 2 min 00 s left" in lines
    assert max(map(len, lines)) <= 80


def test_a_curve_falls_with_the_loss_on_a_logarithmic_scale():
    assert curves.curve([1, 0.1, 0.01], 5, (0.01, 1), "abc") == "cba  "
    assert curves.curve([0.5], 1, (0.5, 0.5), "abc") == "a"
    assert curves.curve([0.0, 1.0], 2, (0.0, 1.0), "ab") == "ab"
    forty = [1.0] * 20 + [0.01] * 10
    assert curves.curve(forty, 40, (0.01, 1), "abc") == "c" * 10 + "a" * 5 + " " * 5


def test_curves_need_no_utf_8(monkeypatch):
    master, slave = os.openpty()
    with open(slave, "w", encoding="ascii") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with progress.of_seeds([(small(), 0)]) as shown:
            shown.show(0, [row(1, 0.5), row(2, 0.05)])
            shown.step({0})
    assert "#_" in all_of(master).decode("ascii")
