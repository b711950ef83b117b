"""The ladder's two pictures, as PNG bytes: the same bytes for the same data and libraries.

Apart from ladder/pictures.py, so that a change here does not ask for the stages that draw with that.
"""

import textwrap
from itertools import groupby

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from ladder.pictures import STYLE, TARGET, png
from ladder.stats import OPEN

LOOKS = (("#1f6fb2", "o"), ("#c9741f", "s"), ("#3c8a4e", "^"), ("#8d5aa8", "D"), ("#b8403c", "v"), ("#555555", "P"))
GREY = "#444444"
CROWD = {"parameters": (3_000, 20_000), "accuracy": (98.2, 99.65)}  # where most rungs are
TICKS = (3_000, 5_000, 8_000, 12_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
WIDEST = 0.4  # points: what a strip shows of an interval on each side; with two seeds it may be many times as wide
LETTERS = 130  # of the titles below a strip, beside each other


def steps(rows, target):
    """Return a strip for each project: its rungs from left to right, each with its mean, interval and seeds.

    rows: of ladder.board.facts; target: percent. A line leads to each rung from its parent: solid where a difference
    was shown, else dotted. Hollow: the accuracy that was reported.
    """
    looks = _looks(rows)
    strips = [(project, list(of_project)) for project, of_project in groupby(rows, lambda row: row["project"])]
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 0.7 + 2.35 * len(strips)))
        axes = figure.subplots(len(strips), 1, squeeze=False)[:, 0]
        for axis, (project, shown) in zip(axes, strips, strict=True):
            _strip(axis, shown, target, *looks[project])
            axis.set_title(_project(project), loc="left")
        lines = [
            Line2D([], [], marker=".", markersize=5, linestyle="", color=GREY, label="its seeds, one by one"),
            Line2D([], [], linewidth=1.6, alpha=0.5, color=GREY, label="from its parent: difference shown"),
            Line2D([], [], linewidth=1.6, alpha=0.5, color=GREY, linestyle=":", label="no difference shown"),
        ]
        figure.legend(handles=[*_marks(target), *lines], loc="outside upper center", ncols=3, frameon=False, fontsize=9)
        return png(figure)


def parameters(rows, target, limit):
    """Return test accuracy against parameters: of all rungs, and larger beside them the part where most are.

    rows: of ladder.board.facts; target: percent; limit: parameters. Filled: our mean with its interval; hollow,
    joined to it by a thin line: what was reported.
    """
    looks = _looks(rows)
    crowd = [row for row in rows if _in_crowd(row)]
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 6))
        all_rungs, close = figure.subplots(1, 2, width_ratios=(2, 3))
        for axis, shown in ((all_rungs, rows), (close, crowd)):
            for row in shown:
                _point(axis, row, *looks[row["project"]])
            axis.axhline(target, color=TARGET, linestyle="--", linewidth=1, zorder=0)
            axis.axvline(limit, color=TARGET, linestyle="--", linewidth=1, zorder=0)
            axis.set_xscale("log")
            axis.set_xlabel("parameters (log scale)")
            axis.xaxis.set_minor_locator(NullLocator())
        return png(figure)


def _looks(rows):
    """Return {project: (color, marker)}."""
    projects = dict.fromkeys(row["project"] for row in rows)
    return {project: LOOKS[number % len(LOOKS)] for number, project in enumerate(projects)}


def _project(project):
    return f"Project {project}" if project else "Own rungs"


def _marks(target):
    """Return the legend's entries that both pictures need."""
    return [
        Line2D([], [], marker="o", linewidth=1.6, color=GREY, label="our mean and its 95 % interval"),
        Line2D([], [], marker="o", linestyle="", markerfacecolor="none", color=GREY, label="reported (one run)"),
        Line2D([], [], color=TARGET, linestyle="--", linewidth=1, label=f"target {target:g} %"),
    ]


def _strip(axis, rows, target, color, marker):
    places = {row["rung"]: place for place, row in enumerate(rows)}
    for place, row in enumerate(rows):
        if row["parent"] in places:
            before = places[row["parent"]]
            style = ":" if row["step_verdict"] == OPEN else "-"
            ends = (rows[before]["accuracy"], row["accuracy"])
            axis.plot((before, place), ends, color=color, linewidth=1.6, alpha=0.5, linestyle=style, zorder=1)
        seeds = row["seeds"]
        sides = place + 0.13 + 0.1 * np.arange(seeds) / max(seeds - 1, 1)
        axis.plot(sides, row["accuracies"], ".", color=color, markersize=4, alpha=0.6)
        _mean(axis, place, row, color, marker)
        if row["reported_test"] is not None:
            axis.plot(place - 0.18, row["reported_test"], marker, color=color, markerfacecolor="none", markersize=6)
    axis.axhline(target, color=TARGET, linestyle="--", linewidth=1, zorder=0)
    axis.set_ylim(*_span(rows))
    axis.set_xlim(-0.5, len(rows) - 0.5)
    axis.set_ylabel("test accuracy, %")
    axis.grid(axis="x", visible=False)
    titles = [textwrap.fill(row["title"], max(LETTERS // len(rows), 8)) for row in rows]
    axis.set_xticks(
        range(len(rows)), [f"{row['rung']}\n{title}" for row, title in zip(rows, titles, strict=True)], fontsize=7.5
    )


def _mean(axis, place, row, color, marker):
    if row["accuracy_sd"] is not None:
        ends = (row["accuracy_low"], row["accuracy_high"])
        axis.plot((place, place), ends, color=color, linewidth=1.6, solid_capstyle="butt")
    axis.plot(place, row["accuracy"], marker, color=color, markersize=6)


def _span(rows):
    """Return the lowest and the highest accuracy that a strip shows."""
    shown = [value for row in rows for value in row["accuracies"]]
    shown += [row["reported_test"] for row in rows if row["reported_test"] is not None]
    for row in rows:
        if row["accuracy_sd"] is not None:
            shown.append(max(row["accuracy_low"], row["accuracy"] - WIDEST))
            shown.append(min(row["accuracy_high"], row["accuracy"] + WIDEST))
    room = 0.08 * max(max(shown) - min(shown), 0.1)
    return min(shown) - room, max(shown) + room


def _in_crowd(row):
    return all(low <= row[key] <= high for key, (low, high) in CROWD.items())


def _point(axis, row, color, marker):
    if row["reported_test"] is not None:
        both = (row["accuracy"], row["reported_test"])
        axis.plot((row["parameters"],) * 2, both, color=color, linewidth=0.7, alpha=0.5)
        axis.plot(row["parameters"], row["reported_test"], marker, color=color, markerfacecolor="none", markersize=6)
    _mean(axis, row["parameters"], row, color, marker)
