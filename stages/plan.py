"""Decide what to train, and stop before any work where that is not possible.

Reads: rungs/cards/. Parameters: all of params.yaml.
Writes: reports/recipe.yaml (the rung's card made whole, `train` of params.yaml over it, with the run's
fingerprint), reports/model.md (the network layer by layer).
With a rung's name as argument, for the ladder: reads no params.yaml, writes reports/rungs/<rung>/recipe.yaml.
"""

import argparse

from ladder import cards
from ladder.cards import layer_table, parameters
from ladder.cards.model_page import model_report
from ladder.command import run_stage
from ladder.files import dump_yaml, write_text
from ladder.paths import REPORTS


def planned(recipe):
    """Return a Recipe with its fingerprint. Raises LadderError where its layers do not fit."""
    layer_table(recipe)
    from ladder.training.fingerprint import fingerprint  # imports torch, which takes seconds

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
