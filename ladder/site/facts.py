"""What the page tells of a data set's ladder: plain lists, mappings, numbers and text, as JSON has them."""

from collections.abc import Mapping
from pathlib import Path

from ladder import cards
from ladder.board import records
from ladder.board.page import behind, known_cards
from ladder.board.rows import facts
from ladder.cards.changes import said
from ladder.cards.model_page import changes
from ladder.cards.shapes import with_inside
from ladder.comparison.differences import compare
from ladder.comparison.recipes import value_text
from ladder.comparison.reports import Report
from ladder.evaluation.numbers import NOISE
from ladder.site.data_sets import DataSet, read_rows

NOT_RECIPE = ("rung", "network", "fingerprint")  # keys that are shown elsewhere, or say nothing to people


def ladder_facts(data: DataSet, reports: Mapping[str, Report]) -> dict:
    """Return what the table and the chart show: a row for each rung, with one accuracy a seed."""
    rows = facts(known_cards(data.name), reports)
    return {
        "name": data.name,
        "title": data.title,
        "things": data.things,
        "drawable": data.drawable,
        "others": _others(reports),
        "licence": data.licence,
        "classes": data.classes,
        "images": max((report.misread.shape[1] for report in reports.values()), default=0),
        "target": data.target,
        "rows": [_rounded(row) for row in rows],
        "behind": behind(reports),
        "records": _records(rows, reports) if data.name == records.OF else [],
    }


def pair_facts(reports: Mapping[str, Report]) -> dict[str, dict]:
    """Return {"rung rung": how the accuracy changes from the first to the second}, each pair once, in that order."""
    rungs = list(reports)
    return {
        f"{before} {after}": _rounded(_change(compare(reports[before], reports[after])))
        for number, before in enumerate(rungs)
        for after in rungs[number + 1 :]
    }


def rung_facts(data: DataSet, rung: str) -> dict:
    """Return what a rung's own page shows: its card, network, recipe, curves and misread images."""
    card, recipe = cards.read_card(rung), cards.resolve(rung, data=data.part_of_recipes)
    content = cards.recipe_content(recipe)
    folder = data.reports / rung
    return {
        "rung": rung,
        "title": card.title,
        "goal": card.goal,
        "differs": card.differs,
        "card": (cards.CARDS / f"{rung}.yaml").read_text(encoding="utf-8"),
        "layers": _layers(recipe),
        "image": (recipe.images.channels, recipe.input.size, recipe.input.size),
        "recipe": [[key, value_text(value)] for key, value in content.items() if key not in NOT_RECIPE],
        "changes": [line.removeprefix("- ") for line in changes(rung, data.part_of_recipes) if line.startswith("- ")],
        "curves": _curves(folder / "curves.csv"),
        "misread": misread_images(folder / "errors.csv"),
    }


def misread_images(path: Path) -> list[tuple[int, int, list[int]]]:
    """Return (image, label, what each seed that misread it took it for) of the images in an errors.csv."""
    found = {}
    for row in read_rows(path):
        found.setdefault((int(row["index"]), int(row["label"])), []).append(int(row["prediction"]))
    return [(image, label, predictions) for (image, label), predictions in sorted(found.items())]


def writers_of(reports: Mapping[str, Report]) -> dict[int, str]:
    """Return {image: who made it} of the test images that a rung misread, such as `writer 2412, employees`.

    There is nothing in it where that is not known.
    """
    test = next((report.test for report in reports.values() if report.test.groups is not None), None)
    if test is None:
        return {}
    misread = sorted({index for report in reports.values() for index in report.labels})
    kinds = test.kinds or {}
    return {
        index: ", ".join([f"{test.maker} {test.groups[index]}", *filter(None, [kinds.get(str(test.kind[index]))])])
        for index in misread
    }


def _others(reports):
    """Return what new images would be, such as digits of other people: of whoever did not make these."""
    test = next((report.test for report in reports.values() if report.test.groups is not None), None)
    return test.others if test else "other test images"


def _records(rows, reports):
    """Return who holds each record, and what would take it; `holder` is None where nobody does."""
    tracks = records.standings(rows, reports)
    return [
        {key: track[key] for key in ("title", "elsewhere", "to_take", "doubt")}
        | {"holder": _rounded(track["holders"][0]) if track["holders"] else None}
        for track in tracks
    ]


def _change(comparison):
    """Return what is judged, as flat numbers and text."""
    writers = comparison.get("new_writers") or {}
    return {key: comparison.get(key) for key in ("change", "low", "high", "verdict", "margin")} | {
        f"writers_{key}": writers.get(key) for key in ("low", "high", "verdict")
    }


def _layers(recipe):
    """Return a row for each layer. block: whether its output is a map of its own, not its input's with other values."""
    rows, field = [], 1
    for row in with_inside(cards.layer_table(recipe)):
        new = row.shape != row.in_shape or row.receptive_field != field or hasattr(row.layer, "out")
        rows.append(
            {
                "number": row.number,
                "layer": said(row.layer),
                "shape": row.shape,
                "field": row.receptive_field,
                "parameters": row.parameters,
                "block": new and not row.inside,
            }
        )
        if not row.inside:  # a row with layers inside comes before them
            field = row.receptive_field
    return rows


def _curves(path):
    """Return [seed, epoch, accuracy, loss] of each epoch."""
    return [
        [int(row["seed"]), int(row["epoch"]), float(row["accuracy"]), float(row["loss"])] for row in read_rows(path)
    ]


def _rounded(row):
    """Return a row whose numbers are rounded when they are shown, once, not here already."""
    return {key: round(value, NOISE) if isinstance(value, float) else value for key, value in row.items()}
