"""The ladder's two pictures, as PNG bytes: the same bytes for the same data and libraries.

Separate from ladder/evaluation/pictures.py, so that editing it does not rerun evaluate.
"""

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from scipy.optimize import isotonic_regression

from ladder.evaluation.stats import BETTER, WORSE
from ladder.figure import STYLE, TARGET, no_formula, png

LOOKS = (("#1f6fb2", "o"), ("#c9741f", "s"), ("#3c8a4e", "^"), ("#8d5aa8", "D"), ("#b8403c", "v"), ("#555555", "P"))
GREY = "#444444"
WIDTH, SMALL = 10, 8  # inches; points
CROWD = {"parameters": (1_300, 36_000), "accuracy": (98.2, 99.65)}  # where most rungs are
TICKS = {"all": (1_000, 5_000, 20_000, 100_000, 500_000), "crowd": (2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 20_000)}
LINE = 0.027  # of an axis' height: what a label takes
WIDEST = 0.4  # points: what a strip shows of an interval on each side; with two seeds it may be many times as wide
FALLEN = 2  # points below the median of its rung's seeds: such a seed is written, and does not set a picture's scale
BEND = 0.1  # of a strip's height: how far a line over other rungs is from a straight one
SLOTS, LETTERS = 11, 150  # rungs, and letters of their titles beside each other, that a strip has room for


def steps(rows: list[dict], target: float) -> bytes:
    """Return a strip for each project: its rungs from left to right, each with its mean, interval and seeds.

    rows: of ladder.board.rows.facts; target: percent. A line leads to each rung from the one that it is judged against,
    where both stand in one strip. It is solid where a difference was shown, else dotted. A hollow mark is the accuracy
    that was reported.
    """
    looks = _looks(rows)
    strips = [(project, list(of_project)) for project, of_project in groupby(rows, lambda row: row["project"])]
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.8 + 2.3 * len(strips)))
        axes = figure.subplots(len(strips), 1, squeeze=False)[:, 0]
        for axis, (project, shown) in zip(axes, strips, strict=True):
            _strip(axis, shown, target, *looks[project])
            axis.set_title(_project(project), loc="left")
        figure.legend(handles=_steps_legend(target), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
        return png(figure)


def parameters(rows: list[dict], target: float, limit: int) -> bytes:
    """Return test accuracy against parameters: of all rungs, and larger beside them the part where most are.

    rows: of ladder.board.rows.facts; target: percent; limit: parameters. A filled mark is our mean with its interval.
    A hollow one is what was reported; a thin line joins the two.
    """
    looks = _looks(rows)
    crowd = [row for row in rows if _in_crowd(row)]
    few = sorted(crowd, key=lambda row: row["parameters"])[: len(crowd) // 2]
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 6.2))
        everything, close = figure.subplots(1, 2, width_ratios=(2, 3))
        _panel(everything, rows, looks, TICKS["all"], target, limit)
        _panel(close, crowd, looks, TICKS["crowd"], target, limit)
        _frame_crowd(everything, rows)
        close.set(title="The framed part, larger", xlim=CROWD["parameters"], ylim=CROWD["accuracy"])
        _labels(everything, [row for row in rows if row not in crowd], looks, None)
        _labels(close, few, looks, 0.01)
        _labels(close, [row for row in crowd if row not in few], looks, 0.99)
        handles = _parameters_legend(looks, target, limit)
        figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
        return png(figure)


def _looks(rows):
    """Return {project: (color, marker)}."""
    projects = dict.fromkeys(row["project"] for row in rows)
    return {project: LOOKS[number % len(LOOKS)] for number, project in enumerate(projects)}


def _project(project):
    return no_formula(f"Project {project}") if project else "Own rungs"


def _mark(label, **look):
    """Return a legend's entry."""
    return Line2D([], [], label=label, **{"color": GREY} | look)


def _steps_legend(target):
    return [
        _mark("our mean, its 95 % interval", marker="o", linewidth=1.6),
        _mark("our seeds, one by one", marker=".", markersize=5, linestyle=""),
        _mark("reported: one run's best or last epoch", marker="o", linestyle="", markerfacecolor="none"),
        _mark("the step: a difference is shown", linewidth=1.6, alpha=0.5),
        _mark("the step: neither better nor worse is shown", linewidth=1.6, alpha=0.5, linestyle=":"),
        _mark(f"target {target:g} %", color=TARGET, linewidth=1, linestyle="--"),
    ]


def _parameters_legend(looks, target, limit):
    return [
        *(_mark(_project(project), color=color, marker=marker) for project, (color, marker) in looks.items()),
        _mark("our mean, its 95 % interval", marker="o", linewidth=1.6),
        _mark("reported: one run's best or last epoch", marker="o", linestyle="", markerfacecolor="none"),
        _mark(f"target {target:g} %, limit {limit:,} parameters", color=TARGET, linewidth=1, linestyle="--"),
    ]


def _strip(axis, rows, target, color, marker):
    """Draw a project's rungs from left to right."""
    places = {row["rung"]: place for place, row in enumerate(rows)}
    slot = len(rows) / SLOTS
    for place, row in enumerate(rows):
        if row["against"] in places:
            _step(axis, places[row["against"]], place, rows, color)
        _rung(axis, place, row, slot, color, marker)
    axis.axhline(target, color=TARGET, linestyle="--", linewidth=1, zorder=0)
    axis.set_ylim(*span(rows))
    for place, row in enumerate(rows):
        _write_fallen(axis, place - 0.08 * slot, row, color)
    axis.set_xlim(-0.5, len(rows) - 0.5)
    axis.set_ylabel("test accuracy, %")
    axis.grid(axis="x", visible=False)
    axis.set_xticks(range(len(rows)), _tick_texts(rows), fontsize=SMALL * min(1, 1 / slot))


def _step(axis, before, after, rows, color):
    """Draw the line from one rung's place to another's: solid where a difference was shown, else dotted."""
    style = "-" if rows[after]["step_verdict"] in (BETTER, WORSE) else ":"
    axis.plot(*line_between(before, after, rows), color=color, linewidth=1.6, alpha=0.5, linestyle=style, zorder=1)


def line_between(before: int, after: int, rows: Sequence[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Return the line from one rung's place to another's, (places, accuracies).

    It is straight to a neighbour. Over other rungs it is bent away from the mark that it would come nearest to.
    """
    start, rise = rows[before]["accuracy"], rows[after]["accuracy"] - rows[before]["accuracy"]
    between = np.arange(min(before, after) + 1, max(before, after))
    if not len(between):
        return np.array([before, after]), np.array([start, start + rise])
    straight = start + rise * (between - before) / (after - before)
    above = np.array([rows[place]["accuracy"] for place in between]) - straight
    low, high = span(rows)
    bend = BEND * (high - low) * (1 if above[abs(above).argmin()] < 0 else -1)
    share = np.linspace(0, 1, 33)
    return before + (after - before) * share, start + rise * share + 4 * bend * share * (1 - share)


def _rung(axis, place, row, slot, color, marker):
    """Draw a rung: its seeds on the right, its mean in the middle, what was reported on the left."""
    seeds = row["seeds"]
    sides = place + slot * (0.14 + 0.12 * np.arange(seeds) / max(seeds - 1, 1))
    axis.plot(sides, row["accuracies"], ".", color=color, markersize=4, alpha=0.6)
    _mean(axis, place, row, color, marker)
    if row["reported_test"] is not None:
        side = place - 0.18 * slot
        axis.plot(side, row["reported_test"], marker, color=color, markerfacecolor="none", markersize=6)


def _write_fallen(axis, place, row, color):
    """Write the accuracies of the seeds that have FALLEN, which lie below the picture."""
    fallen = [f"{value:.2f}" for value in sorted(row["accuracies"]) if _has_fallen(row, value)]
    if fallen:
        below = " ↓" if row["accuracy"] < axis.get_ylim()[0] else ""
        text = f"mean {row['accuracy']:.2f}{below}\nseed{'s' * (len(fallen) > 1)} at {', '.join(fallen)} ↓"
        across = axis.get_xaxis_transform()
        axis.annotate(text, (place, 0.05), xycoords=across, color=color, fontsize=SMALL, ha="right")


def _tick_texts(rows):
    """Return what stands below each rung: its name, and its title in short lines."""
    room = {"width": max(LETTERS // len(rows), 13), "max_lines": 4, "placeholder": " …", "break_long_words": False}
    titles = [textwrap.fill(no_formula(row["title"]), **room) for row in rows]
    return [f"{broken(row['rung'], room['width'])}\n{title}" for row, title in zip(rows, titles, strict=True)]


def broken(name: str, width: int) -> str:
    """Return a rung's name in lines of at most `width` letters, as far as breaking it behind underscores does that."""
    lines = [""]
    for part in re.findall("[^_]+_?|_", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _mean(axis, place, row, color, marker):
    if row["accuracy_sd"] is not None:
        ends = (row["accuracy_low"], row["accuracy_high"])
        axis.plot((place, place), ends, color=color, linewidth=1.4, alpha=0.8, solid_capstyle="butt")
    axis.plot(place, row["accuracy"], marker, color=color, markersize=7, markeredgecolor="white", markeredgewidth=0.5)


def span(rows: Iterable[dict]) -> tuple[float, float]:
    """Return the lowest and the highest accuracy that a strip shows: of all seeds but those that have FALLEN."""
    shown = [value for row in rows for value in row["accuracies"] if not _has_fallen(row, value)]
    shown += [row["reported_test"] for row in rows if row["reported_test"] is not None]
    for row in rows:
        if row["accuracy_sd"] is not None and not any(_has_fallen(row, value) for value in row["accuracies"]):
            shown.append(max(row["accuracy_low"], row["accuracy"] - WIDEST))
            shown.append(min(row["accuracy_high"], row["accuracy"] + WIDEST))
    room = 0.08 * max(max(shown) - min(shown), 0.1)
    return min(shown) - room, max(shown) + room


def _has_fallen(row, accuracy):
    return accuracy < median(row["accuracies"]) - FALLEN


def _in_crowd(row):
    return all(low <= row[key] <= high for key, (low, high) in CROWD.items())


def _panel(axis, rows, looks, ticks, target, limit):
    for row in rows:
        _point(axis, row, *looks[row["project"]])
    axis.axhline(target, color=TARGET, linestyle="--", linewidth=1, zorder=0)
    axis.axvline(limit, color=TARGET, linestyle="--", linewidth=1, zorder=0)
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.set_xlabel("parameters (log scale)")


def _frame_crowd(axis, rows):
    """Give the panel of all rungs its limits, and a frame around the part that the other panel shows larger."""
    axis.set(title="All rungs", ylabel="test accuracy, %")
    axis.set_xlim(left=min(axis.get_xlim()[0], 0.9 * CROWD["parameters"][0]))
    marks = [row[key] for row in rows for key in ("accuracy", "reported_test") if row[key] is not None]
    axis.set_ylim(min(*marks, CROWD["accuracy"][0]) - 0.5, max(*marks, CROWD["accuracy"][1]) + 0.1)
    corner, size = zip(*((low, high - low) for low, high in CROWD.values()), strict=True)
    axis.add_patch(Rectangle(corner, *size, fill=False, color=TARGET, linewidth=0.8))


def _point(axis, row, color, marker):
    if row["reported_test"] is not None:
        both = (row["accuracy"], row["reported_test"])
        axis.plot((row["parameters"],) * 2, both, color=color, linewidth=0.7, alpha=0.5)
        axis.plot(row["parameters"], row["reported_test"], marker, color=color, markerfacecolor="none", markersize=6)
    _mean(axis, row["parameters"], row, color, marker)


def _labels(axis, rows, looks, column):
    """Write the rungs' names, none over another: in a column at that part of the axis' width, or beside the points."""
    low, high = axis.get_ylim()
    gap = LINE * (high - low)
    rows = sorted(rows, key=lambda row: row["accuracy"])
    heights = apart([row["accuracy"] for row in rows], gap, low + gap, high - gap)
    widths = [row["parameters"] for row in rows]
    for row, height in zip(rows, heights, strict=True):
        place = left_of(row["parameters"], widths) if column is None else column
        _label(axis, row, (place, height), looks[row["project"]][0], column)


def _label(axis, row, place, color, column):
    """Write a rung's name, and draw a line from it to its point."""
    line = {"arrowstyle": "-", "color": color, "linewidth": 0.7, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3}
    axis.annotate(
        row["rung"],
        (row["parameters"], row["accuracy"]),
        place,
        textcoords="data" if column is None else axis.get_yaxis_transform(),
        fontsize=SMALL,
        color=color,
        va="center",
        ha="left" if column and column < 0.5 else "right",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.3},
        arrowprops=line,
    )


def left_of(parameters: int, all_parameters: Iterable[int]) -> float:
    """Return where a label ends that stands left of its point, and of those with fewer, but half as many or more."""
    return min(other for other in all_parameters if parameters / 2 <= other <= parameters) / 1.25


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Return places as near as possible to those wanted (ascending), at least `gap` apart and within low..high."""
    steps = gap * np.arange(len(wanted))
    if not len(wanted):
        return steps
    return np.clip(isotonic_regression(wanted - steps).x, low, high - steps[-1]) + steps
