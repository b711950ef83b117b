"""A comparison's facts as Markdown that reads well on a terminal too, the verdict in its first sentence."""

import re
from collections.abc import Mapping

from ladder.data.data_set import with_article
from ladder.evaluation.metrics import BY_KEY, PRIMARY, Metric
from ladder.evaluation.numbers import interval, number
from ladder.evaluation.stats import AS_GOOD, BETTER, DIFFER, OPEN, POWER, WORSE
from ladder.exceptions import cut

HEAD = ("metric", "before", "after", "change", "95 % interval")
SHOWN = 10  # images fixed, and as many broken
LINES, LETTERS = 40, 200  # changed lines of a file, and of each its letters
ROOM = 60_000  # letters; GitHub takes 65,536 in a comment
ENOUGH = "at least 3 seeds (better: 5)"
TWO_VERSIONS = "run by two versions of this project that compute different bits"
SAME_RECIPE = f"**Both are of the same recipe**, {TWO_VERSIONS}."
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
    """Return a list of all verdicts, where there are several: what is worse first, what is not known yet next."""
    if len(comparisons) < 2:
        return []
    first = {WORSE: 0, OPEN: 1, DIFFER: 1}
    ordered = sorted(comparisons, key=lambda of: 3 if of["same_results"] else first.get(of["verdict"], 2))
    several = sum(bool(_one_recipe(of)) for of in ordered)
    each, together = [[f"- {_sentence(of)}", *_one_recipe(of)] for of in ordered], []
    if several > 1:  # said once
        each = [[sentence] for sentence, *_ in each]
        together = [f"In {several} of them both sides are of the same recipe, {TWO_VERSIONS}."]
    chance = "Where nothing differs, about 1 verdict in 20 says better or worse by chance."
    return ["\n\n".join(["\n".join(map(" ".join, each)), *together, chance])]


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
        reached += f" It is judged against {new['baseline']}, which has no reports there."
    else:
        reached += " Its card names no rung to compare it with."
    return "\n\n".join([reached, *_collapses(new)])


def _fault(text):
    """Return the text of a NotMeasuredError; the command at its end stays a command."""
    fault, mark, remedy = text.rpartition("; run ")
    return f"{escaped(fault)}{mark}{remedy}" if mark else escaped(text)


def _section(comparison):
    if comparison["same_results"]:
        parts = [_sentence(comparison), *_collapses(comparison), *_changes(comparison)]
    else:
        parts = [_sentence(comparison), *_versions(comparison), *_collapses(comparison), *_what_next(comparison)]
        parts += _step(comparison)
        parts += [_table(comparison), _reading(comparison), *_images(comparison), *_changes(comparison)]
    return "\n\n".join(parts)


def _sentence(comparison):
    """Return the verdict, and by what it is known."""
    before, after = escaped(comparison["before"]), escaped(comparison["after"])
    if comparison["same_results"]:
        return f"**Same results**: {before} and {after} misread the same test images, seed by seed."
    change = f"{number(comparison['change'], PRIMARY.decimals, '+')} points {interval(comparison, PRIMARY.decimals)}"
    if not comparison["new_writers"]:
        return _of_two_runs(comparison, before, after, change)
    seeds = f"{comparison['seeds'][0]} + {comparison['seeds'][1]} seeds"
    return f"**{_verdict(comparison, before, after)}**: {change}, {seeds}; {_holds(comparison)}{_borrowed(comparison)}."


def _verdict(comparison, before, after):
    if comparison["verdict"] == OPEN:
        return f"Cannot tell yet whether {after} is better or worse than {before}"
    if comparison["verdict"] == AS_GOOD:
        return f"{after} is as good as {before}, within ±{number(comparison['margin'], PRIMARY.decimals)} points"
    return f"{after} is {comparison['verdict']} than {before}"


def _of_two_runs(comparison, before, after, change):
    """Return the sentence on one run a side, which says nothing of the recipes: another seed may do the opposite."""
    differ = "These two runs differ" if comparison["verdict"] == DIFFER else "These two runs may be equally good"
    return (
        f"**{differ}**: {after} against {before}, {change}, one seed each. "
        "**This says nothing of the two recipes**: how much other seeds would differ is not known."
    )


def _holds(comparison):
    """Return what is known of other people's digits, or of other test images where nobody knows who made them."""
    other, whose = comparison["new_writers"], escaped(comparison["other_images"])
    ends = interval(other, PRIMARY.decimals)
    if ends == interval(comparison, PRIMARY.decimals):
        return f"the same on {whose}"
    if comparison["verdict"] not in (BETTER, WORSE):
        return f"on {whose} {ends}"
    if other["verdict"] == comparison["verdict"]:
        return f"so too on {whose} {ends}"
    return f"but on {whose} it may not hold {ends}"


def _borrowed(comparison):
    lone = _lone(comparison)
    return f"; **one seed says nothing of the noise of {lone}**, which is taken to be the other's" if lone else ""


def _lone(comparison):
    """Return the name of the side that has one seed, or None."""
    sides = zip(("before", "after"), comparison["seeds"], strict=True)
    return next((escaped(comparison[side]) for side, seeds in sides if seeds == 1), None)


def _collapses(facts):
    """Return a line on each seed of a comparison or a new rung that lost a class: a mean is then one of two kinds."""
    return [
        f"**Seed {lost['seed']} of {escaped(lost['of'])} collapsed**: it misreads {number(lost['misread'], 0)} % of "
        f"class {escaped(lost['class'])}, since epoch {lost['since_epoch']}. "
        "A mean over such seeds tells little."
        for lost in facts["collapsed"]
    ]


def _versions(comparison):
    """Return a warning where versions of the code differ, so that nobody takes it for a change of the recipe."""
    if comparison["one_recipe"]:
        return _one_recipe(comparison)
    names = comparison["of_another_version"]
    if len(names) == 2:
        return [
            "**Both results are of another version of this project**, which computed other bits. Trained again with "
            "this one, they may come out differently."
        ]
    return [
        f"**The results of {escaped(name)} are of another version of this project**, which computed other bits. Train "
        "again with this one before you judge a recipe by them."
        for name in names
    ]


def _one_recipe(comparison):
    if comparison["same_results"] or not comparison["one_recipe"]:
        return []
    return [SAME_RECIPE]


def _what_next(comparison):
    """Return what to do: how many seeds would settle an open question, how sure a clear one is."""
    if not comparison["new_writers"]:
        return [f"What to do: train {ENOUGH} on each side."]
    if comparison["verdict"] in (BETTER, WORSE):
        again = 100 * comparison["again"]
        often = "more than 99" if again > 99 else number(again, 0)
        weak = "**This is weak evidence**. " if comparison["again"] < POWER else ""
        return [
            f"{weak}If the change is as large as it seems, {often} of 100 repetitions with new seeds would say so "
            "again; if it is smaller, fewer."
        ]
    if comparison["verdict"] == AS_GOOD:
        return []
    return [
        f"What the images say: {_misread(comparison)}.",
        f"What to do: {_to_settle(comparison)}",
    ]


def _to_settle(comparison):
    if comparison["collapsed"]:  # the number of seeds would be that for normal noise
        return "train more seeds to see how often one collapses, and judge the recipes by that."
    if lone := _lone(comparison):
        return f"train {lone} from {ENOUGH}."
    seeds = comparison["to_settle"]["seeds"]
    smallest = number(comparison["to_settle"]["smallest_shown"], PRIMARY.decimals)
    more = "more than 1,000 seeds" if seeds is None else f"{seeds} seeds"
    often = f"{100 * POWER:g} of 100 cases"
    return (
        f"train {more} on each side. If the true change is the one seen, that shows it in {often}. "
        f"With as many seeds as now, a true change of {smallest} points or more would show as often."
    )


def _step(comparison):
    """Return the verdict on a rung that was climbed again, against the rung by which it is judged."""
    step = comparison.get("step")  # a step has none itself
    if not step:
        return []
    against = f"Against {escaped(step['before'])}, by which its card judges it"
    return [" ".join([f"{against}: {_sentence(step)}", *_versions(step)])]


def _counts(images):
    return f"{len(images['fixed'])} fixed, {len(images['broken'])} broken, net {number(images['net'], 0, '+')}"


def _misread(comparison):
    """Return how many images are misread, and how many of them are others than before."""
    row = next(row for row in comparison["metrics"] if row["metric"] == "errors")
    before, after = (number(row[side], BY_KEY["errors"].decimals) for side in ("before", "after"))
    mean = f"{before} are misread before and {after} after, in the mean of the seeds"
    fixed, broken = (len(comparison["images"][key]) for key in ("fixed", "broken"))
    return f"{mean}. Of those that {_who(comparison)}, {fixed} are fixed and {broken} broken"


def _who(comparison):
    return "the one seed misreads" if comparison["seeds"] == [1, 1] else "most seeds misread"


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
    change = row.get("not_compared") or number(row["change"], metric.decimals, "+")
    return (metric.title, *values, change, interval(row, metric.decimals))


def _metric(row):
    """Return the Metric of a row; one that this version does not know is called by its key."""
    return BY_KEY.get(row["metric"]) or Metric(row["metric"], escaped(row["metric"]))


def _reading(comparison):
    images = f"{comparison['test_images']:,} test images"
    if not comparison["new_writers"]:
        return f"The interval is for these two runs on other images like the {images} (Newcombe's, for pairs)."
    return (
        f"Only {PRIMARY.title.split(',')[0]} is judged, the other lines describe. Intervals are for other seeds on the "
        f"same {images}; the second interval in the first sentence is for other test images, too."
    )


def _images(comparison):
    """Return what got fixed and what broke: misread by most seeds on one side, by fewer than half on the other."""
    images = comparison["images"]
    parts = [f"Test images that {_who(comparison)} on one side, but not on the other: {_counts(images)}."]
    for key in ("fixed", "broken"):
        if images[key]:
            listed = "\n".join(f"- {_image(image, comparison)}" for image in images[key][:SHOWN])
            more = f", the {SHOWN} most consistent" if len(images[key]) > SHOWN else ""
            parts.append(f"{key.title()}{more}:\n\n{listed}")
    return parts


def _image(image, comparison):
    """Return a line on an image; not `#7`, which GitHub would link to the issue of that number."""
    pairs = zip(image["misread_by"], comparison["seeds"], strict=True)
    before, after = (f"{misread}/{count}" for misread, count in pairs)
    label, read_as = (comparison["classes"][image[key]] for key in ("label", "read_as"))
    what = f"{escaped(with_article(label))} read as {escaped(read_as)}"
    maker = _maker(image, comparison["maker"])
    return f"image {image['index']}{maker}: {what}, by {before} seeds before, {after} after"


def _maker(image, called):
    if image["writer"] is None:
        return ""
    kind = f", one of the {escaped(image['kind'])}" if image["kind"] else ""
    return f" ({called} {image['writer']}{kind})"


def _changes(comparison):
    """Return what changed in the recipe, in words, and the changed lines of the parameters."""
    parts = []
    if phrases := comparison["recipe"]:
        listed = [f"- {escaped(phrase)}" for phrase in phrases[:LINES]]
        head = "Changed by the version, not in the recipe:" if comparison["one_recipe"] else "Changed in the recipe:"
        parts.append("\n".join([head, "", *listed, *_more(phrases, "- ")]))
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
    return cut(letters, LETTERS)
