"""reports/model.md: a rung's network layer by layer, its recipe, and what it changed."""

from ladder import cards
from ladder.cards.shapes import layer_table


def model_report(rung, recipe):
    """Return reports/model.md as text."""
    card = cards.read_card(rung)
    table = layer_table(recipe)
    lines = [f"# {rung}: {card.title}", "", card.target, ""]
    if card.differs:
        lines += [f"What its source did differently from what it said: {card.differs}", ""]
    lines += [
        f"{sum(row.parameters for row in table):,} parameters; receptive field "
        f"{table[-1].receptive_field} of {recipe.input.size} pixels.",
        "",
        "| # | layer | output | receptive field | parameters |",
        "|--:|---|---|--:|--:|",
    ]
    for number, row in enumerate(table, start=1):
        shape = " × ".join(map(str, row.shape))
        lines.append(f"| {number} | {_said(row.layer)} | {shape} | {row.receptive_field} | {row.parameters or ''} |")
    lines += ["", "## Recipe", "", "| key | value |", "|---|---|"]
    content = cards.recipe_content(recipe)
    lines += [f"| {key} | {_value(content[key])} |" for key in content if key not in ("rung", "network", "fingerprint")]
    lines += ["", *changes(rung)]
    return "\n".join(lines) + "\n"


def changes(rung):
    """Return lines that say what a rung's own recipe, without overrides, changed from that of its rival."""
    rival = cards.read_card(rung).rival
    if rival is None:
        return ["## Changed", "", "It comes from no other rung."]
    old, recipe = cards.resolve(rival), cards.resolve(rung)
    before, after = cards.recipe_content(old), cards.recipe_content(recipe)
    lines = [f"## Changed from {rival}", ""]
    if before["network"] != after["network"]:
        counts = [sum(row.parameters for row in layer_table(of)) for of in (old, recipe)]
        lines.append(f"- network: {counts[0]:,} → {counts[1]:,} parameters")
    for key in cards.Recipe.model_fields:
        was, now = before.get(key, "none"), after.get(key, "none")
        if key not in ("rung", "network", "fingerprint") and was != now:
            lines.append(f"- {key}: {_value(was)} → {_value(now)}")
    return lines


def _said(layer):
    """Return a layer as its card says it."""
    arguments = layer.model_dump(exclude_defaults=True)
    return " ".join([layer.name, *(f"{key} {value}" for key, value in arguments.items())]).replace("bias True", "bias")


def _value(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(part)}".strip() for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(_value(part) for part in value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
