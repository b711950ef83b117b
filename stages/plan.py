"""Decide what to train, and stop before any work where that is not possible.

Reads: rungs/cards/. Parameters: all of params.yaml.
Writes: reports/recipe.yaml (the rung's card made whole, `train` of params.yaml over it, with the run's
fingerprint), reports/model.md (the network layer by layer).
With a rung's name as argument, for the ladder: reads no params.yaml, writes reports/rungs/<rung>/recipe.yaml.
"""

import argparse

from ladder import cards, machine
from ladder.files import dump_yaml, write_text
from ladder.shapes import layer_table, parameters
from stages import REPORTS, run_stage


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


def planned(recipe):
    """Return a Recipe with its fingerprint. Raises LadderError where its layers do not fit."""
    layer_table(recipe)
    machine.configure(recipe.portable)
    from ladder.fingerprint import fingerprint  # imports torch, which reads what `configure` set

    return recipe.model_copy(update={"fingerprint": fingerprint(recipe)})


def main():
    parser = argparse.ArgumentParser(prog="python -m stages.plan", description=__doc__.splitlines()[0])
    parser.add_argument("rung", nargs="?", help="a rung of the ladder; without: the model of params.yaml")
    rung = parser.parse_args().rung
    if rung:
        recipe = planned(cards.resolve(rung))
        folder = REPORTS / "rungs" / rung
    else:
        params = cards.read_params()
        recipe = planned(cards.resolve(params.model, params.train))
        folder = REPORTS
        write_text(REPORTS / "model.md", model_report(params.model, recipe))
    write_text(folder / "recipe.yaml", dump_yaml(cards.recipe_content(recipe)))
    print(f"plan: {recipe.rung}, {parameters(recipe):,} parameters, see {folder}/")


if __name__ == "__main__":
    run_stage("plan", main)
