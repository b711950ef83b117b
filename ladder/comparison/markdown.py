"""A comparison's facts as Markdown that reads well on a terminal too, the verdict in its first sentence."""

import re
from collections.abc import Mapping

from ladder.comparison.differences import primary_row
from ladder.evaluation.metrics import BY_KEY, PRIMARY, Metric
from ladder.evaluation.numbers import interval, number
from ladder.evaluation.stats import OPEN, POWER

HEAD = ("metric", "before", "after", "change", "95 % interval", "verdict")
SHOWN = 10  # images fixed, and as many broken
LINES, LETTERS = 40, 200  # changed lines of a file, and of each its letters
ROOM = 60_000  # letters; GitHub takes 65,536 in a comment
MENTION_BREAK = "\u200b"  # a space without width


def markdown(facts: Mapping) -> str:
    """Return the text on the facts of `ladder.comparison.differences.compare_snapshots`."""
    sections = [_section(comparison) for comparison in facts["comparisons"]]
    sections += [_new_rung(rung, facts["after"]) for rung in facts["new_rungs"]]
    parts = _within_room(sections, _verdicts(facts["comparisons"]))
    if not parts and not facts["not_measured"] and not facts["lost_rungs"]:
        names = " and ".join(escaped(facts[side]) for side in ("before", "after"))
        parts = [f"**Nothing changed**: the reports of {names} are the same."]
    if facts["lost_rungs"]:
        parts.append(f"Gone in {escaped(facts['after'])}: {', '.join(map(escaped, facts['lost_rungs']))}.")
    parts += [f"Not compared: {_fault(fault)}." for fault in facts["not_measured"]]
    if "pictures" in facts:
        parts.append(facts["pictures"])
    return "\n\n---\n\n".join(parts)


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in one line: no HTML, no formatting, no cell's end, no @mention.

    Underscores within words stay, since GitHub takes them as they are.
    """
    line = "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
    line = re.sub(r"(?<![A-Za-z0-9])@(?=[A-Za-z0-9])", f"@{MENTION_BREAK}", line)
    line = re.sub(r"([\\`*|\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", line)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _verdicts(comparisons):
    """Return a list of all verdicts, where there are several."""
    if len(comparisons) < 2:
        return []
    listed = "\n".join(f"- {_sentence(comparison)}" for comparison in comparisons)
    return [f"{listed}\n\nWhere nothing differs, about 1 verdict in 20 says better or worse by chance."]


def _within_room(sections, first):
    """Return the sections behind what comes first, as far as there is room in a comment."""
    parts, room = list(first), ROOM - sum(map(len, first))
    for place, section in enumerate(sections):
        room -= len(section)
        if room < 0:
            return [*parts, f"There is no room here for the details of the last {len(sections) - place}."]
        parts.append(section)
    return parts


def _new_rung(new, where):
    """Return a new rung's numbers, and its step from the rung that it is judged against."""
    headline = f"**New in {escaped(where)}: {new['rung']}**"
    if "not_measured" in new:
        return f"{headline}. It is not measured yet: {_fault(new['not_measured'])}."
    spread = f" ± {number(new['accuracy_sd'], 2)}" if new["accuracy_sd"] is not None else ""
    size = f", {number(new['parameters'], 0)} parameters" if new["parameters"] is not None else ""
    seeds = f"{new['seeds']} seed{'s' * (new['seeds'] != 1)}"
    reached = f"{headline}: accuracy {number(new['accuracy'], PRIMARY.decimals)} %{spread} ({seeds}){size}."
    if new["comparison"]:
        return (
            f"{reached} Compared with {new['baseline']}, against which it is judged:\n\n{_section(new['comparison'])}"
        )
    if new["baseline"]:
        return f"{reached} It is judged against {new['baseline']}, which has no reports there."
    return f"{reached} Its card names no rung to compare it with."


def _fault(text):
    """Return the text of a NotMeasuredError; the command at its end stays a command."""
    fault, mark, remedy = text.rpartition("; run ")
    return f"{escaped(fault)}{mark}{remedy}" if mark else escaped(text)


def _section(comparison):
    if comparison["same_results"]:
        parts = [_sentence(comparison), *_changes(comparison)]
    else:
        parts = [_sentence(comparison), _table(comparison), _reading(comparison), *_images(comparison)]
        parts += [*_changes(comparison), *_to_settle(comparison)]
    return "\n\n".join(parts)


def _sentence(comparison):
    """Return the verdict: would training again say the same, and would it hold on new digits."""
    before, after = escaped(comparison["before"]), escaped(comparison["after"])
    if comparison["same_results"]:
        return f"**Same results**: {before} and {after} misread the same test images, seed by seed."
    row, seeds = primary_row(comparison), comparison["seeds"]
    what = f"{after} is {comparison['verdict']} than {before}"
    if comparison["verdict"] == OPEN:
        what = f"No difference shown between {before} and {after}"
    change = f"{number(row['change'], PRIMARY.decimals, '+')} points {interval(row, PRIMARY.decimals)}"
    return f"**{what}**: {change}, {seeds[0]} + {seeds[1]} seeds; {_holds(comparison)}{_unknown_noise(comparison)}."


def _holds(comparison):
    on_new = comparison["new_digits"]
    if not on_new:
        return f"exact McNemar p = {comparison['mcnemar_p']:.2g}"
    ends = interval(on_new, PRIMARY.decimals)
    if comparison["verdict"] == OPEN:
        return f"none on new digits either {ends}"
    if on_new["verdict"] == comparison["verdict"]:
        return f"it would hold on new digits {ends}"
    return f"but on new digits it might not hold {ends}"


def _unknown_noise(comparison):
    sides = zip(("before", "after"), comparison["seeds"], strict=True)
    lone = [escaped(comparison[side]) for side, seeds in sides if seeds == 1]
    if len(lone) == 2:
        return "; **seed noise is unknown** with one seed a side, so training again may say otherwise"
    return f"; **seed noise of {lone[0]} is unknown** (one seed) and taken to be the other's" if lone else ""


def _table(comparison):
    known = [row for row in comparison["metrics"] if (row["before"], row["after"]) != (None, None)]
    rows = [HEAD, *map(_cells, known)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    numbers = range(1, 4)  # columns that are aligned to the right
    rule = ["-" * (width - 1) + ":" if column in numbers else "-" * width for column, width in enumerate(widths)]
    rows.insert(1, rule)
    return "\n".join(
        "| " + " | ".join(f"{cell:{'>' if i in numbers else '<'}{widths[i]}}" for i, cell in enumerate(row)) + " |"
        for row in rows
    )


def _cells(row):
    metric = _metric(row)
    values = [number(row["before"], metric.decimals), number(row["after"], metric.decimals)]
    change = number(row["change"], metric.decimals, "+")
    return (metric.title, *values, change, interval(row, metric.decimals), row["verdict"] or "")


def _metric(row):
    """Return the Metric of a row; one that this version does not know is called by its key."""
    return BY_KEY.get(row["metric"]) or Metric(row["metric"], escaped(row["metric"]))


def _reading(comparison):
    images = f"{comparison['test_images']:,} test images"
    if not comparison["new_digits"]:
        return f"The interval is McNemar's exact one, for these two single runs on the {images}."
    return (
        f"The intervals allow for training again, with other seeds, and measuring on the same {images}. "
        "The interval *on new digits*, in the first sentence, allows for other test images too."
    )


def _images(comparison):
    """Return what got fixed and what broke. An image counts as misread where more than half of the seeds misread it."""
    images = comparison["images"]
    counts = f"{len(images['fixed'])} fixed, {len(images['broken'])} broken, net {images['net']:+d}"
    parts = [f"Test images that more than half of the seeds misread: {counts}."]
    for key in ("fixed", "broken"):
        if images[key]:
            listed = "\n".join(f"- {_image(image, comparison['seeds'])}" for image in images[key][:SHOWN])
            more = f", the {SHOWN} most consistent" if len(images[key]) > SHOWN else ""
            parts.append(f"{key.title()}{more}:\n\n{listed}")
    return parts


def _image(image, seeds):
    """Return a line on an image; not `#7`, which GitHub would link to the issue of that number."""
    before, after = (f"{misread}/{count}" for misread, count in zip(image["misread_by"], seeds, strict=True))
    article = "an" if image["label"] == 8 else "a"
    what = f"{article} {image['label']} read as {image['read_as']}"
    return f"image {image['index']}: {what}, by {before} seeds before, {after} after"


def _to_settle(comparison):
    """Return how many more seeds would settle each difference that is still open."""
    if not comparison["new_digits"]:
        return ["To learn the seed noise: at least 2 seeds a side, better 5."]
    rows = [row for row in comparison["metrics"] if row["to_settle"] and not _says_the_same_as_primary(row)]
    if not rows:
        return []
    have = min(comparison["seeds"])
    listed = "\n".join(f"- {_metric(row).title.split(',')[0]}: {_seeds(row, have)}" for row in rows)
    return [f"What would settle the differences that are still open ({100 * POWER:g} % power, 5 % level):\n\n{listed}"]


def _says_the_same_as_primary(row):
    metric = _metric(row)
    return metric.counts_misread and not metric.primary


def _seeds(row, have):
    needed = row["to_settle"]["seeds"]
    smallest = number(row["to_settle"]["smallest_shown"], _metric(row).decimals)
    now = f"as many seeds as now show a change of {smallest} or more"
    if needed is None:
        return f"more than 1,000 seeds a side, if the true change is as small as the one seen; {now}"
    more = f"{needed - have} more than now" if needed > have else "a repetition as large as this one"
    return f"{needed} seeds a side ({more}), if the true change is the one seen; {now}"


def _changes(comparison):
    """Return what changed in the recipe, in words, and the changed lines of the parameters."""
    parts = []
    if phrases := comparison["recipe"]:
        listed = [f"- {escaped(phrase)}" for phrase in phrases[:LINES]]
        parts.append("\n".join(["Changed in the recipe:", "", *listed, *_more(phrases, "- ")]))
    for file, changed in comparison["lines"].items():
        if changed and file != "recipe.yaml":
            shown = [_plain(line) for line in changed[:LINES]]
            fence = "`" * max(3, *(len(run) + 1 for line in shown for run in re.findall("`+", line)), 3)
            parts.append("\n".join([f"Changed in {file}:", "", f"{fence}diff", *shown, *_more(changed), fence]))
    return parts


def _more(items, mark=""):
    return [f"{mark}... and {len(items) - LINES} more"] if len(items) > LINES else []


def _plain(line):
    """Return a line as a code block and a terminal can show it."""
    letters = "".join(letter if letter.isprintable() else " " for letter in line)
    return letters if len(letters) <= LETTERS else f"{letters[:LETTERS]}…"
