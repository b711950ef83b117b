"""Decide what to train, and stop before any work where that is not possible.

Usage:      python -m stages.plan          for the model that params.yaml names
            python -m stages.plan <rung>   for a rung of the ladder; reads no params.yaml
Reads:      rungs/cards/
Parameters: all of params.yaml
Writes:     reports/recipe.yaml (the rung's whole recipe, with `train` of params.yaml over it and the run's
            fingerprint) and reports/model.md (the network layer by layer); for a rung of the ladder
            reports/rungs/<rung>/recipe.yaml instead
"""

from ladder import cards
from ladder.cards import layer_table, parameters
from ladder.cards.model_page import model_report
from ladder.command import name, parser, run_stage
from ladder.files import dump_yaml, write_text
from ladder.paths import REPORTS, RUNGS


def planned(recipe: cards.Recipe) -> tuple[cards.Recipe, str | None]:
    """Return (Recipe with its fingerprint, why its bits are this machine's); the Recipe then says so too.

    The reason is None where the bits are the same on every machine. Raises LadderError where its layers do not fit.
    """
    layer_table(recipe)
    from ladder.training.bits import THIS_MACHINES, reason_for_own_bits  # imports torch, which takes seconds
    from ladder.training.fingerprint import fingerprint

    found = {"fingerprint": fingerprint(recipe)}
    reason = reason_for_own_bits(recipe)
    return recipe.model_copy(update=found | ({"bits": THIS_MACHINES} if reason else {})), reason


def main(given: list[str] | None = None) -> None:
    reader = parser("stages.plan", __doc__)
    reader.add_argument("rung", nargs="?", type=name, help="a rung of the ladder; without it: the model of params.yaml")
    rung = reader.parse_args(given).rung
    if rung:
        recipe, own_bits = planned(cards.resolve(rung))
        folder = RUNGS / rung
    else:
        params = cards.read_params()
        recipe, own_bits = planned(cards.resolve(params.model, params.train))
        folder = REPORTS
        write_text(REPORTS / "model.md", model_report(params.model, recipe))
    write_text(folder / "recipe.yaml", dump_yaml(cards.recipe_content(recipe)))
    if own_bits:
        print(f"plan: {recipe.rung}: the bits are {recipe.bits}: {own_bits}")
    print(f"plan: {recipe.rung}, {parameters(recipe):,} parameters, see {folder}/")


if __name__ == "__main__":
    run_stage("plan", main)
