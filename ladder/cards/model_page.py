"""reports/model.md: a rung's network layer by layer, its recipe, and what it changed."""

from typing import Any

from ladder.cards.card import Card, read_card, resolve
from ladder.cards.changes import network_changes, said
from ladder.cards.recipe import Recipe, recipe_content
from ladder.cards.shapes import layer_table, with_inside


def model_report(rung: str, recipe: Recipe, data: dict | None = None, task: str | None = None) -> str:
    """Return reports/model.md as text.

    data: the part_of_recipes of a DataSet; None is the default one. task: what the rung is trained for, a sentence;
    None: what its card says, whose goal is one on the default data set.
    """
    heading = _heading(recipe.name, read_card(rung), task)
    return "\n".join([*heading, *_network(recipe), "", *_recipe(recipe), "", *changes(rung, data)]) + "\n"


def _heading(rung: str, card: Card, task: str | None) -> list[str]:
    differs = [f"What its source did differently from what it said: {card.differs}", ""] if card.differs else []
    if task:
        return [
            f"# {rung}",
            "",
            task,
            "",
            f"Its card is for MNIST: {card.title}. The goal there: {card.goal}",
            "",
            *differs,
        ]
    return [f"# {rung}: {card.title}", "", card.goal, "", *differs]


def _network(recipe: Recipe) -> list[str]:
    """Return a line on the network, and the table of its layers; a layer inside layer 3 is 3.1."""
    table = layer_table(recipe)
    lines = [
        f"{sum(row.parameters for row in table):,} parameters; receptive field "
        f"{table[-1].receptive_field} of {recipe.input.size} pixels.",
        "",
        "| # | layer | output | receptive field | parameters |",
        "|--:|---|---|--:|--:|",
    ]
    for row in with_inside(table):
        indent = "&emsp;" * row.number.count(".")
        shape = " × ".join(map(str, row.shape))
        lines.append(
            f"| {row.number} | {indent}{said(row.layer)} | {shape} | {row.receptive_field} | {row.parameters or ''} |"
        )
    return lines


def _recipe(recipe: Recipe) -> list[str]:
    content = recipe_content(recipe)
    keys = [key for key in content if key not in ("rung", "network", "fingerprint")]
    return ["## Recipe", "", "| key | value |", "|---|---|", *(f"| {key} | {_value(content[key])} |" for key in keys)]


def changes(rung: str, data: dict | None = None) -> list[str]:
    """Return lines that say what a rung's own recipe, without overrides, changed from that of its baseline.

    data: as in `model_report`.
    """
    baseline = read_card(rung).baseline
    if baseline is None:
        return ["## Changed", "", "It comes from no other rung."]
    old, new = resolve(baseline, data=data), resolve(rung, data=data)
    before, after = recipe_content(old), recipe_content(new)
    lines = [f"- {line}" for line in network_changes(old, new)]
    for key in Recipe.model_fields:
        was, now = before.get(key, "none"), after.get(key, "none")
        if key not in ("rung", "network", "fingerprint") and was != now:
            lines.append(f"- {key}: {_value(was)} → {_value(now)}")
    return [f"## Changed from {baseline}", "", *lines]


def _value(value: Any) -> str:
    """Return a recipe's value as one line of text."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(part)}".strip() for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(_value(part) for part in value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
