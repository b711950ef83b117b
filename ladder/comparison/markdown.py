"""A comparison's facts as Markdown that reads well on a terminal too, the verdict in its first sentence."""

from ladder.evaluation.stats import OPEN, POWER

TITLES = {"accuracy": "accuracy, %", "errors": "misread images", "best_epoch_accuracy": "best_epoch_accuracy, %"}
DIGITS = {"errors": 1, "loss": 4, "parameters": 0, "reached_epoch": 0, "held_epochs": 0}  # others 2
HEAD = ("metric", "before", "after", "change", "95 % interval", "verdict")
SHOWN = 10  # images fixed, and as many broken
LINES = 40  # changed lines of a file
ROOM = 60_000  # characters; GitHub takes 65,536 in a comment


def markdown(facts):
    """Return the text on the facts of `ladder.differences.compare_trees`."""
    parts = _comparisons(facts["comparisons"])
    if not parts and not facts["not_measured"]:
        parts = [f"**Nothing changed**: the reports of {facts['before']} and {facts['after']} are the same."]
    for key, word in (("new_rungs", "New"), ("lost_rungs", "Gone")):
        if facts[key]:
            parts.append(f"{word} in {facts['after']}: {', '.join(facts[key])}.")
    parts += [f"Not compared: {fault}." for fault in facts["not_measured"]]
    if "pictures" in facts:
        parts.append(facts["pictures"])
    return "\n\n---\n\n".join(parts)


def _comparisons(comparisons):
    """Return a section for each, after a list of all verdicts where there are several, as far as there is room."""
    sections = [_section(comparison) for comparison in comparisons]
    if len(sections) < 2:
        return sections
    listed = "\n".join(f"- {_sentence(comparison)}" for comparison in comparisons)
    parts = [f"{listed}\n\nWhere nothing differs, about 1 verdict in 20 says better or worse by chance."]
    room = ROOM - len(parts[0])
    for place, section in enumerate(sections):
        room -= len(section)
        if room < 0:
            return [*parts, f"No room for the details of the last {len(sections) - place}."]
        parts.append(section)
    return parts


def _section(comparison):
    if comparison["same_results"]:
        parts = [_sentence(comparison), *_lines(comparison)]
    else:
        parts = [_sentence(comparison), _table(comparison), _reading(comparison), *_images(comparison)]
        parts += [*_lines(comparison), *_to_settle(comparison)]
    return "\n\n".join(parts)


def _sentence(comparison):
    """Return the verdict: would training again say the same, and would it hold on new digits."""
    before, after, seeds = comparison["before"], comparison["after"], comparison["seeds"]
    if comparison["same_results"]:
        return f"**Same results**: {before} and {after} misread the same test images, seed by seed."
    accuracy = comparison["metrics"][0]
    what = f"{after} is {comparison['verdict']} than {before}"
    if comparison["verdict"] == OPEN:
        what = f"No difference shown between {before} and {after}"
    change = f"{number(accuracy['change'], 2, '+')} points {interval(accuracy, 2)}"
    return f"**{what}**: {change}, {seeds[0]} + {seeds[1]} seeds; {_holds(comparison)}{_unknown_noise(comparison)}."


def _holds(comparison):
    held = comparison["new_digits"]
    if not held:
        return f"exact McNemar p = {comparison['mcnemar_p']:.2g}"
    if comparison["verdict"] == OPEN:
        return f"nor on new digits {interval(held, 2)}"
    if held["verdict"] == comparison["verdict"]:
        return f"it would hold on new digits {interval(held, 2)}"
    return f"but on new digits it might not hold {interval(held, 2)}"


def _unknown_noise(comparison):
    lone = [
        comparison[side] for side, seeds in zip(("before", "after"), comparison["seeds"], strict=True) if seeds == 1
    ]
    if len(lone) == 2:
        return "; **seed noise is unknown** with one seed a side, so training again may say otherwise"
    return f"; **seed noise of {lone[0]} is unknown** (one seed) and taken to be the other's" if lone else ""


def _table(comparison):
    rows = [HEAD, *(_cells(row) for row in comparison["metrics"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    right = range(1, 4)
    rule = ["-" * (width - 1) + ":" if column in right else "-" * width for column, width in enumerate(widths)]
    rows.insert(1, rule)
    return "\n".join(
        "| " + " | ".join(f"{cell:{'>' if i in right else '<'}{widths[i]}}" for i, cell in enumerate(row)) + " |"
        for row in rows
    )


def _cells(row):
    name, digits = row["metric"], DIGITS.get(row["metric"], 2)
    values = [number(row["before"], digits), number(row["after"], digits), number(row["change"], digits, "+")]
    return (TITLES.get(name, name), *values, interval(row, digits), row["verdict"] or "")


def _reading(comparison):
    images = f"{comparison['test_images']:,} test images"
    if not comparison["new_digits"]:
        return f"The interval is McNemar's exact one, for these two single runs on the {images}."
    return (
        f"The intervals allow for training again, with other seeds, and measuring on the same {images}; "
        "that *on new digits*, in the first sentence, for other test images too."
    )


def _images(comparison):
    """Return what got fixed and what broke. An image counts as misread where more than half of the seeds misread it."""
    found = comparison["images"]
    fixed, broken, net = len(found["fixed"]), len(found["broken"]), found["net"]
    parts = [f"Test images, misread by more than half of the seeds: {fixed} fixed, {broken} broke: net {net:+d}."]
    for key, word in (("fixed", "Fixed"), ("broken", "Broke")):
        if found[key]:
            listed = "\n".join(f"- {_image(image, comparison['seeds'])}" for image in found[key][:SHOWN])
            more = f", the most consistent {SHOWN}" if len(found[key]) > SHOWN else ""
            parts.append(f"{word}{more}:\n\n{listed}")
    return parts


def _image(image, seeds):
    before, after = (f"{misread}/{count}" for misread, count in zip(image["misread_by"], seeds, strict=True))
    article = "an" if image["label"] == 8 else "a"
    what = f"{article} {image['label']} read as {image['read_as']}"
    return f"#{image['index']}: {what}, by {before} seeds before, {after} after"


def _to_settle(comparison):
    """Return how many more seeds would settle each difference that is still open."""
    have = min(comparison["seeds"])
    open_rows = [row for row in comparison["metrics"] if row["to_settle"] and row["metric"] != "errors"]
    if not comparison["new_digits"]:
        return ["To learn the seed noise: at least 2 seeds a side, better 5."]
    if not open_rows:
        return []
    listed = "\n".join(f"- {row['metric']}: {_seeds(row, have)}" for row in open_rows)
    return [f"Still open, and what would settle it ({100 * POWER:g} % power, 5 % level):\n\n{listed}"]


def _seeds(row, have):
    digits, needed = DIGITS.get(row["metric"], 2), row["to_settle"]["seeds"]
    now = f"the seeds so far would show {number(row['to_settle']['smallest_shown'], digits)} or more"
    if needed is None:
        return f"more than 1,000 seeds a side for a change as small as that seen; {now}"
    more = f"{needed - have} more than now" if needed > have else "a repetition as large as this one"
    return f"{needed} seeds a side ({more}) if the change seen is the true one; {now}"


def _lines(comparison):
    """Return the changed lines of the parameters and the recipe."""
    parts = []
    for file, changed in comparison["lines"].items():
        if changed:
            more = [f"... and {len(changed) - LINES} more lines"] if len(changed) > LINES else []
            parts.append("\n".join([f"Changed in {file}:", "", "```diff", *changed[:LINES], *more, "```"]))
    return parts


def number(value, digits, sign=""):
    """Return a number with that many digits, '–' for None; sign: '+' to have one, which zero never has."""
    if value is None:
        return "–"
    rounded = round(value, digits)
    return f"{rounded:{sign}.{digits}f}" if rounded else f"{0:.{digits}f}"


def interval(row, digits):
    """Return '[low, high]' of a mapping with these keys, '–' where one is None.

    It has more digits where an end would round to 0 and hide on which side of it it lies.
    """
    ends = (row["low"], row["high"])
    if None in ends:
        return "–"
    digits = next((more for more in range(digits, digits + 3) if all(round(end, more) for end in ends)), digits)
    return f"[{', '.join(number(end, digits) for end in ends)}]"
