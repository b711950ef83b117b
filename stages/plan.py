"""Decide what to train, and stop before any work where that is not possible.

Usage:      python -m stages.plan          for the model and the data set that params.yaml names
            python -m stages.plan <rung>   for a rung of the ladder; reads no params.yaml
            python -m stages.plan <rung> --data <data set>
Reads:      rungs/cards/, datasets/<data set>.yaml
Parameters: all of params.yaml
Writes:     reports/recipe.yaml (the rung's whole recipe, with `train` of params.yaml over it and the run's
            fingerprint) and reports/model.md (the network layer by layer); for a rung of the ladder
            reports/rungs/<rung>/recipe.yaml instead, or reports/<data set>/<rung>/recipe.yaml
"""

from ladder import cards
from ladder.cards import layer_table, parameters
from ladder.cards.ladder_params import check_listed
from ladder.cards.model_page import model_report
from ladder.command import name, parser, run_stage
from ladder.data.data_set import DataSet, read_data_set
from ladder.files import dump_yaml, write_text
from ladder.paths import DEFAULT_DATA, REPORTS, rung_folder


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


def task_of(data_set: DataSet, target: float | None) -> str:
    """Return what a rung is trained for on a data set, a sentence. target: in percent, over the data set's own."""
    target = data_set.target_unless(target)
    wanted = "No target is set" if target is None else f"The target is {target:g} % of the test images"
    return f"Trained on {data_set.title}. {wanted}."


def main(given: list[str] | None = None) -> None:
    reader = parser("stages.plan", __doc__)
    reader.add_argument("rung", nargs="?", type=name, help="a rung of the ladder; without it: the model of params.yaml")
    reader.add_argument("--data", type=name, default=DEFAULT_DATA, metavar="DATA_SET", help="with a rung: its images")
    asked = reader.parse_args(given)
    if asked.rung:
        data_set = read_data_set(asked.data)
        recipe, own_bits = planned(cards.resolve(asked.rung, data=data_set.part_of_recipes))
        folder = rung_folder(recipe.name)
    else:
        params = cards.read_params()
        data_set = read_data_set(params.data)
        check_listed(params.data)
        recipe, own_bits = planned(cards.resolve(params.model, params.train, data=data_set.part_of_recipes))
        folder = REPORTS
        task = None if params.data == DEFAULT_DATA else task_of(data_set, params.evaluate.target)
        write_text(REPORTS / "model.md", model_report(params.model, recipe, data_set.part_of_recipes, task))
    write_text(folder / "recipe.yaml", dump_yaml(cards.recipe_content(recipe)))
    if own_bits:
        print(f"plan: {recipe.name}: the bits are {recipe.bits}: {own_bits}")
    print(f"plan: {recipe.name}, {parameters(recipe):,} parameters, see {folder}/")


if __name__ == "__main__":
    run_stage("plan", main)
