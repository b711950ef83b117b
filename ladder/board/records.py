"""The records: which rung is the most accurate of its size, and which is trained to the target in the least time.

docs/records.yaml names the holders. All numbers are those of the reports and of benchmarks/, so a record that new
results no longer show is told of.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from scipy.special import stdtrit
from scipy.stats import false_discovery_control

from ladder.board.cells import change_cell, reached_cell
from ladder.board.page import between_marks
from ladder.cards import RungName, Strict, validated
from ladder.cards.schema import Count, Percent
from ladder.comparison.differences import compare
from ladder.comparison.markdown import escaped
from ladder.comparison.reports import Report
from ladder.evaluation.numbers import NONE, interval, number
from ladder.evaluation.stats import BETTER, CONFIDENCE
from ladder.exceptions import LadderError
from ladder.files import read_yaml

DATA, PAGE = "docs/records.yaml", "docs/records.md"
OF = "mnist"  # the data set whose records are kept
LARGEST_Q = 0.05
LEAST_SEEDS = 10  # of a holder
HEAD = {
    "record": "---",
    "held by": "---",
    "since": "---",
    "test accuracy, % (seeds)": "---",
    "95 % interval": "---",
    "parameters": "--:",
    "seconds of one core": "--:",
    "what would take it": "---",
}


class Holder(Strict):
    """A rung that holds a record, or held it. timed: the file that benchmarks.sprint printed of it."""

    rung: RungName
    since: datetime.date
    by: str
    timed: str | None = None


class Track(Strict):
    """One record. elsewhere: the best that is known of others; holders: the latest last."""

    elsewhere: str = ""
    holders: list[Holder]


class SizeTrack(Track):
    """The most accurate rung with fewer parameters than `below`."""

    below: Count


class TimeTrack(Track):
    """The rung that needs the least time of one core for `target` percent."""

    target: Percent


class Records(Strict):
    """The file docs/records.yaml."""

    parameters: list[SizeTrack]
    seconds: TimeTrack


def standings(rows: Sequence[Mapping], reports: Mapping[str, Report]) -> list[dict]:
    """Return one dict a record: its title, its holders with their numbers, the latest first, and what would take it.

    rows: of `ladder.board.rows.facts`; reports: {rung: Report} of the climbed rungs. A ladder without docs/records.yaml
    has no records. Raises LadderError where a holder has no reports, too many parameters, or no times.
    """
    if not Path(DATA).is_file():
        return []
    records = validated(Records, read_yaml(DATA), DATA)
    of_rung = {row["rung"]: row for row in rows}
    tracks = []
    for track in (*records.parameters, records.seconds):
        holders = [_holder(track, holder, of_rung) for holder in track.holders]
        if isinstance(track, SizeTrack):
            for before, holder in pairwise(holders):
                holder["step"] = _step(before["rung"], holder["rung"], of_rung, reports)
        tracks.append(
            {
                "title": _title(track),
                "elsewhere": " ".join(track.elsewhere.split()),
                "holders": holders[::-1],
                "to_take": _to_take(track, holders),
                "doubt": _doubt(track, holders),
            }
        )
    return tracks


def _title(track):
    if isinstance(track, SizeTrack):
        return f"fewer than {track.below:,} parameters"
    return f"seconds to {track.target:g} %"


def _holder(track, holder, of_rung):
    """Return a holder's dict: what docs/records.yaml says, and what its row of the ladder says."""
    rung = holder.rung
    if rung not in of_rung:
        raise LadderError(f"{DATA}: {rung} has no reports; `dvc repro rungs/dvc.yaml:climb@{rung}` makes them")
    row = of_rung[rung]
    if isinstance(track, SizeTrack) and row["parameters"] >= track.below:
        raise LadderError(f"{DATA}: {rung} has {row['parameters']:,} parameters, not fewer than {track.below:,}")
    keys = ("seeds", "accuracy", "accuracy_sd", "accuracy_low", "accuracy_high", "parameters")
    said = {"rung": rung, "since": holder.since.isoformat(), "by": " ".join(holder.by.split())}
    timed = isinstance(track, TimeTrack)
    again = f"python -m benchmarks.sprint {rung}" if timed else f"dvc repro -f rungs/dvc.yaml:climb@{rung}"
    return said | {key: row[key] for key in keys} | {"seconds": _seconds(holder) if timed else None, "again": again}


def _seconds(holder):
    """Return the mean time of one core in seconds, as benchmarks.sprint printed it. Raises LadderError."""
    path = Path(holder.timed or "")
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    times = re.findall(rf"^{re.escape(holder.rung)}, seed \d+, one core, .*: (\d+\.\d+) s,", text, re.MULTILINE)
    if not times:
        raise LadderError(
            f"{DATA}: {holder.rung}: timed: {holder.timed} has no times of it; `python -m benchmarks.sprint "
            f"{holder.rung}` prints them"
        )
    return fmean(map(float, times))


def _step(before, after, of_rung, reports):
    """Return how a holder differs from the one before it; q is that of the board, or this step's beside the board's."""
    found = compare(reports[before], reports[after])
    ps = [row["step_p"] for row in of_rung.values() if row["step_p"] is not None]
    if of_rung[after]["against"] != before and found.get("p") is not None:
        ps.append(found["p"])
    qs = dict(zip(ps, false_discovery_control(ps).tolist(), strict=True)) if ps else {}
    step = {f"step_{key}": found.get(key) for key in ("change", "low", "high", "verdict", "margin")}
    return {"before": before} | step | {"step_q": qs.get(found.get("p"))}


def _to_take(track, holders):
    """Return in words what a rung would have to reach."""
    if not holders:
        return f"{LEAST_SEEDS} seeds that anyone can train again"
    holder = holders[-1]
    if isinstance(track, TimeTrack):
        return f"fewer seconds than {holder['rung']}, timed on the same machine"
    if holder["accuracy_sd"] is None:
        return f"a rung that is better than {holder['rung']}"
    seeds = holder["seeds"]
    least = stdtrit(2 * (seeds - 1), (1 + CONFIDENCE) / 2) * holder["accuracy_sd"] * (2 / seeds) ** 0.5
    return f"a mean of about {number(holder['accuracy'] + least, 2)}, if {seeds} seeds scatter as these do"


def _doubt(track, holders):
    """Return a sentence where today's numbers do not show what a holder holds the record for, else ''."""
    if not holders:
        return ""
    holder, step = holders[-1], holders[-1].get("step")
    if holder["seeds"] < LEAST_SEEDS:
        return f"{holder['rung']} has {holder['seeds']} seeds, and {LEAST_SEEDS} are asked for"
    if isinstance(track, TimeTrack):
        low = holder["accuracy"] < track.target
        return f"the mean of {holder['rung']} is below {track.target:g} % now, so this record is open" if low else ""
    if step and (step["step_verdict"] != BETTER or step["step_q"] > LARGEST_Q):
        return f"today's numbers do not show that {holder['rung']} is better than {step['before']}"
    return ""


def texts(rows: Sequence[Mapping], reports: Mapping[str, Report], late: Sequence[str] = ()) -> dict[str, str]:
    """Return {docs/records.md: its text}, the part between its marks made anew; nothing where there are no records.

    late: the rungs whose reports are behind. Other arguments and errors as `standings`.
    """
    tracks = standings(rows, reports)
    if not tracks:
        return {}
    return {PAGE: between_marks(Path(PAGE).read_text(encoding="utf-8"), table(tracks, late), PAGE)}


def table(tracks: Sequence[Mapping], late: Sequence[str] = ()) -> str:
    """Return the standings as Markdown: the holders, what is in doubt of them, then those before them.

    late: the rungs whose reports are behind.
    """
    lines = [f"| {' | '.join(HEAD)} |", f"|{'|'.join(HEAD.values())}|"]
    lines += [f"| {' | '.join(_cells(track))} |" for track in tracks]
    notes = [f"**In doubt**, {track['title']}: {track['doubt']}." for track in tracks if track["doubt"]]
    holders = [holder["rung"] for track in tracks for holder in track["holders"][:1]]
    if old := [rung for rung in dict.fromkeys(holders) if rung in late]:
        notes.append(f"**Behind**: the numbers of {', '.join(old)} are of an earlier version of this project.")
    return "\n".join([*lines, *(line for note in notes for line in ("", note)), "", *_history(tracks)])


def _cells(track):
    if not track["holders"]:
        return (f"**{track['title']}**", "nobody yet", *[""] * 5, track["to_take"])
    holder = track["holders"][0]
    return (
        f"**{track['title']}**",
        f"{_link(holder['rung'])}, {escaped(holder['by'])}",
        holder["since"],
        reached_cell(holder),
        interval({"low": holder["accuracy_low"], "high": holder["accuracy_high"]}, 2),
        f"{holder['parameters']:,}",
        number(holder["seconds"], 1) if holder["seconds"] is not None else NONE,
        track["to_take"],
    )


def _history(tracks):
    """Return a list with a line for each record: its holders, how they beat each other, how to repeat the last one."""
    lines = []
    for track in tracks:
        parts = [_told(holder) for holder in track["holders"][::-1]]
        if track["holders"]:
            parts.append(f"again: `{track['holders'][0]['again']}`")
        if track["elsewhere"]:
            parts.append(f"elsewhere: {escaped(track['elsewhere'])}")
        lines.append(f"- **{track['title']}**: {'; '.join(parts)}.")
    return lines


def _told(holder):
    said = f"{holder['since']} {_link(holder['rung'])}, {reached_cell(holder)}"
    step = holder.get("step")
    return f"{said}, {change_cell(step).replace('<br>', ', ')} from {step['before']}" if step else said


def _link(rung):
    return f"[{rung}](../rungs/cards/{rung}.yaml)"
