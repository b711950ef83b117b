"""The ladder as a table for people, a CSV file, and the README's part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ladder import cards
from ladder.board.cells import change_cell, reached_cell
from ladder.board.rows import ABOVE, BELOW, NOT_CONTRADICTED, facts
from ladder.board.side_by_side import beside
from ladder.comparison.markdown import escaped
from ladder.comparison.reports import Report, read_report
from ladder.comparison.snapshots import WORKSPACE, find
from ladder.data.data_set import read_data_set
from ladder.evaluation.numbers import interval, number
from ladder.evaluation.stats import AS_GOOD_WITHIN, BETTER, WORSE
from ladder.exceptions import LadderError
from ladder.files import dump_csv
from ladder.paths import DEFAULT_DATA, rung_folder

README, CSV, PAGE = "README.md", "reports/ladder.csv", "reports/ladder.md"
STEPS, PARAMETERS = "reports/ladder_steps.png", "reports/ladder_parameters.png"
START, END = "<!-- ladder: written by python -m stages.board -->", "<!-- /ladder -->"
LIMIT = 8000  # parameters, what the five projects aim at
CLIMB = "dvc repro rungs/dvc.yaml"
SHOWN = 6  # rungs in the README
BEHIND = "†"
DECIMALS = 4  # in the CSV file, as in the reports
HEAD = {
    "rung, what it changed": "---",
    "parameters": "--:",
    "reported train, test": "--:",
    "ours": "---",
    "best epoch": "--:",
    "gap": "--:",
    "held": "--:",
    "the step": "---",
    "the reported test accuracy is": "---",
}


def read_ladder(data: str = DEFAULT_DATA) -> tuple[dict[str, cards.Card], dict[str, Report]]:
    """Return ({rung: Card}, {rung: Report}): all cards, and the reports of the rungs climbed on a data set."""
    snapshot = find(WORKSPACE)
    names = {name.rpartition("/")[2]: name for name in sorted(snapshot.rungs()) if data_of(name) == data}
    climbed = {rung: read_report(snapshot, rung_folder(name).as_posix(), rung) for rung, name in names.items()}
    return known_cards(data), climbed


def known_cards(data: str = DEFAULT_DATA) -> dict[str, cards.Card]:
    """Return {rung: Card} of all cards. What sources reported is of the default data set; for others it is left out."""
    known = {rung: cards.read_card(rung) for rung in cards.rung_names()}
    if data == DEFAULT_DATA:
        return known
    return {rung: card.model_copy(update={"reported": None}) for rung, card in known.items()}


def further_data() -> list[str]:
    """Return the names of the data sets, other than the default one, that rungs were climbed on."""
    return sorted({data_of(name) for name in find(WORKSPACE).rungs()} - {DEFAULT_DATA})


def rows_elsewhere() -> dict[str, list[dict]]:
    """Return {title: rows of `facts`} of the further data sets."""
    return {read_data_set(data).title: facts(*read_ladder(data)) for data in further_data()}


def data_of(name: str) -> str:
    """Return the data set of a rung by its name: that of `<data set>/net9`, or for `net9` the default one."""
    return name.rpartition("/")[0] or DEFAULT_DATA


def behind(reports: dict[str, Report]) -> list[str]:
    """Return the rungs whose reports are of another recipe than their cards resolve to now; fingerprints aside.

    So are all reports after a change of the engine that recipes speak of, until the rungs are climbed again.
    """
    return [rung for rung, report in reports.items() if _bare(report.recipe) != _bare(recipe_now(rung, report.data))]


def recipe_now(rung: str, data: str = DEFAULT_DATA) -> dict:
    """Return a rung's recipe as its card resolves now, as recipe.yaml has it; an empty one where it does not."""
    try:
        part = None if data == DEFAULT_DATA else read_data_set(data).part_of_recipes
        return cards.recipe_content(cards.resolve(rung, data=part))
    except LadderError:
        return {}


def texts(
    rows: list[dict],
    known: dict[str, cards.Card],
    target: float,
    readme: str,
    late: Sequence[str] = (),
    others: Mapping[str, list[dict]] = MappingProxyType({}),
) -> dict[str, str]:
    """Return {path: text} of the CSV file, the page and the README.

    rows: of `ladder.board.rows.facts`; known: {rung: Card} of all cards; target: percent; readme: its text now; late:
    the rungs that are `behind`; others: {data set's title: its rows}.
    """
    climbed = {row["rung"] for row in rows}
    left = [rung for rung, card in known.items() if card.source and rung not in climbed]  # own ones may wait
    return {
        CSV: table(rows),
        PAGE: "\n\n".join(["# The ladder", page(rows, left, target, "../", late), *beside(rows, others)]) + "\n",
        README: between_marks(readme, best(rows, late)),
    }


def table(rows: list[dict]) -> str:
    """Return the rows as CSV text. None is an empty cell. What single seeds reached stands in curves.csv alone."""
    columns = [key for key in rows[0] if key != "accuracies"]
    return dump_csv(columns, [{key: _stored(row[key]) for key in columns} for row in rows])


def best(rows: list[dict], late: Sequence[str] = ()) -> str:
    """Return the README's part: a picture of the ladder, and the rungs with the highest accuracies."""
    shown = sorted(rows, key=lambda row: -row["accuracy"])[:SHOWN]
    lines = [
        f"![Test accuracy against parameters, ours and reported]({PARAMETERS})",
        "",
        "| rung | parameters | test accuracy, % (seeds) | the step |",
        "|---|--:|---|---|",
    ]
    for row in shown:
        rung, parameters, _, ours, _, _, _, step, _ = _cells(row, "", late)
        lines.append(f"| {rung} | {parameters} | {ours} | {step} |")
    lines += ["", f"All {len(rows)} rungs step by step, and what was reported of them: [{PAGE}]({PAGE})."]
    return "\n".join(lines + _late(rows, late))


def _late(rows, late):
    """Return lines that say whose reports the ladder shows, where some are not those of today's recipes."""
    if not late:
        return []
    current = [row["rung"] for row in rows if row["rung"] not in late]
    if not current:
        which = f"the reports of all {len(rows)} rungs are"
    elif len(current) < len(late):
        which = f"the reports of {len(late)} of {len(rows)} rungs are, all but {_listed(current)},"
    else:
        which = f"the reports of {len(late)} of {len(rows)} rungs, {_listed(late)}, are"
    return [
        "",
        f"**Behind:** {which} of an earlier version of this project, which computed other bits. They are marked "
        f"{BEHIND}; a step between one of them and a rung without the mark compares two versions. They stand until "
        "`make climb` trains these rungs again.",
    ]


def _listed(names):
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def page(rows: list[dict], left: list[str], target: float, top: str, late: Sequence[str] = ()) -> str:
    """Return pictures, table and what its columns mean, as Markdown for GitHub.

    left: the sources' rungs that are not climbed; top: the path from the page's folder to the top one, '' or '../';
    late: the rungs that are `behind`.
    """
    lines = [
        f"![The ladder step by step: test accuracy of each rung, ours and reported]({top}{STEPS})",
        "",
        f"![Test accuracy against parameters, ours and reported]({top}{PARAMETERS})",
        "",
        f"| {' | '.join(HEAD)} |",
        f"|{'|'.join(HEAD.values())}|",
    ]
    project = ""
    for row in rows:
        if row["project"] != project:
            project = row["project"]
            name = f"project {escaped(project)}" if project else "own rungs"
            lines.append(f"| **{name}** {'| ' * len(HEAD)}".rstrip())
        lines.append(f"| {' | '.join(_cells(row, top, late))} |")
    lines += [*_late(rows, late), "", *_meaning(target, rows)]
    if left:
        lines += ["", f"Not climbed yet: {', '.join(left)}."]
    return "\n".join(lines)


def between_marks(text: str, content: str, path: str = README) -> str:
    """Return the text of a file with new content between its marks. Raises LadderError where they are not there."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not end or START in rest or END in before + after:
        raise LadderError(f"{path}: it needs the lines {START} and {END}, once each, where the ladder is to stand")
    return f"{before}{start}\n{content}\n{end}{after}"


def summary(rows: list[dict]) -> str:
    """Return one line on how many rungs there are, and how many reported numbers ours do not contradict."""
    counts = Counter(row["reported_verdict"] for row in rows if row["reported_test"] is not None)
    parts = [f"{counts[verdict]} {verdict}" for verdict in (NOT_CONTRADICTED, ABOVE, BELOW)]
    lone = f", {counts[None]} without a verdict (one seed)" if counts[None] else ""
    rungs = f"{len(rows)} rung{'s' * (len(rows) != 1)}"
    return f"{rungs}; reported test accuracies: {', '.join(parts)}{lone}; see {PAGE}"


def _bare(recipe: Mapping) -> dict:
    return {key: value for key, value in recipe.items() if key != "fingerprint"}


def _stored(value):
    return round(value, DECIMALS) if isinstance(value, float) else value


def _cells(row, top, late):
    """Return a rung's cells; the accuracy of one that is `late` is marked."""
    mark = BEHIND if row["rung"] in late else ""
    title, against = escaped(row["title"]), f" ← {row['against']}" if row["against"] else ""
    return (
        f"[{row['rung']}]({top}rungs/cards/{row['rung']}.yaml){against}<br>{title}",
        f"{row['parameters']:,}",
        _reported(row),
        f"{reached_cell(row)}{mark}",
        number(row["best_epoch_accuracy"], 2),
        number(row["gap"], 2),
        number(row["held_epochs"], 0),
        change_cell(row),
        _verdict(row),
    )


def _reported(row):
    """Return train and test accuracy; the test accuracy is of the best epoch where nothing else is said."""
    if row["reported_train"] is None and row["reported_test"] is None:
        return ""
    last = " last" if row["reported_is"] == "last epoch" else ""
    return f"{number(row['reported_train'], 2)}, {number(row['reported_test'], 2)}{last}"


def _verdict(row):
    verdict = row["reported_verdict"]
    if verdict is None:
        return ""
    said = verdict if verdict == NOT_CONTRADICTED else f"**{verdict}**"
    ends = interval({"low": row["next_run_low"], "high": row["next_run_high"]}, 2)
    parents = "; the parent's would not be either" if row["parents_fits"] and verdict == NOT_CONTRADICTED else ""
    return f"{said}, agrees within ±{number(row['reported_margin'], 2)}{parents}<br>{ends}"


def _meaning(target, rows):
    steps = [row for row in rows if row["step_verdict"]]
    again = ""
    if steps:
        shown = min(
            steps, key=lambda row: row["step_verdict"] not in (BETTER, WORSE)
        )  # the first clear one, where there is one
        again = f" `python -m commands.compare {shown['against']} {shown['rung']}` says it again, with details."
    return [
        "Accuracies in percent, changes in points; *test* is the 10,000 test images, by which the five projects chose "
        "their steps, and this one no candidate.",
        "",
        "- **reported**: what the project's text says. Its test accuracy is that of its best epoch, or, where *last* "
        "stands behind it, of its last. Its train accuracy is a running mean in training mode.",
        "- **ours**: test accuracy after the last epoch, mean ± standard deviation (number of seeds). "
        "**best epoch**: mean of each seed's best, chosen in hindsight; only to compare with.",
        "- **gap**: accuracy on the clean training images minus that on the test images, both of the last weights. "
        f"**held**: for how many of the last epochs the mean of the seeds stays at {target:g} % or above.",
        "- **the step**: our change from the rung behind the arrow (the parent, unless the card says `against`), with "
        "its 95 % interval: **better** or **worse** where the interval leaves 0 out; *as good* where two one-sided "
        f"tests at 5 % show that the change lies within ±{AS_GOOD_WITHIN} points; else *cannot tell yet*. Where *q* "
        f"(Benjamini and Hochberg's, over all {len(steps)} steps) is at most 0.05, at most 1 in 20 such verdicts is "
        "false on average."
        f"{_not_surviving(steps)}{again}",
        "- **the reported test accuracy is** one run's, so it is held against the interval in brackets, in which one "
        "more run of ours would fall in 95 % of cases (best epochs against a best epoch, last against last): "
        "*not contradicted* inside, **above ours** where it is higher than that, **below ours** where it is lower. "
        "That asks little: *agrees within* says how near the reported run and one more of ours are shown to be (two "
        "one-sided tests at 5 %), and the text says where the number reported of the parent would pass as well.",
        "",
        "Where nothing differs, about 1 verdict in 20 of either kind says otherwise by chance. "
        "A rung of one seed has no deviation, so what is reported of it gets no verdict.",
        *_of_kinds(rows),
    ]


def _not_surviving(steps):
    """Return a sentence on the verdicts that do not stand when all steps are looked at together."""
    lost = [row["rung"] for row in steps if row["step_verdict"] in (BETTER, WORSE) and row["step_q"] > 0.05]
    return f" Those of {', '.join(lost)} do not survive that." if lost else ""


def _of_kinds(rows):
    """Return lines on who made the images that are misread: a table of all rungs, the most accurate first."""
    keys = [key for key in rows[0] if key.startswith("misread_")]
    if not keys:
        return []
    ordered = sorted(rows, key=lambda row: -row["accuracy"])
    names = [key.removeprefix("misread_") for key in keys]
    return [
        "",
        "## Who wrote the misread digits",
        "",
        "In percent of the digits of each kind of people, mean of the seeds.",
        "",
        f"| rung | {' | '.join(names)} |",
        f"|---|{'--:|' * len(names)}",
        *(f"| {row['rung']} | {' | '.join(number(row[key], 2) for key in keys)} |" for row in ordered),
    ]
