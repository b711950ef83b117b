"""What is planned for the ladder: how many seeds a rung has, its recipe, and whether its bits are this machine's."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ladder import cards, machine
from ladder.cards.ladder_params import PARAMS, read_all_seeds
from ladder.exceptions import LadderError
from ladder.paths import PIPELINE, rung_folder

if TYPE_CHECKING:
    from ladder.data.splits import Split


def seeds_of(names: Iterable[str]) -> dict[str, int]:
    """Return {rung: number of seeds} for these rungs of the ladder. Raises LadderError for an unknown one."""
    seeds = read_all_seeds()
    for name in names:
        if name not in seeds:
            raise LadderError(f"{PARAMS} has no seeds for a rung {name!r}; {cards.nearest(name, seeds)}")
    return {name: seeds[name] for name in names}


def plan_stage(rung: str) -> str:
    """Return what DVC calls the stage that plans a rung."""
    return f"{PIPELINE}:{'plan_elsewhere' if '/' in rung else 'plan'}@{rung}"


def read_plan(rung: str) -> cards.Recipe:
    """Return a rung's Recipe as its stage `plan` wrote it. Raises LadderError where that has not run."""
    path = rung_folder(rung) / "recipe.yaml"
    if not path.exists():
        raise LadderError(f"there is no {path}; run `dvc repro {plan_stage(rung)}` first")
    return cards.read_recipe(path)


def warn_if_bits_differ(recipe: cards.Recipe, found: str, plan: str = "plan") -> cards.Recipe:
    """Return the recipe with the fingerprint `found` here. Print a warning where the stage `plan` found another."""
    if found != recipe.fingerprint:
        print(
            f"{recipe.name}: this machine computes other bits than those planned (other code, or a GPU). "
            f"The results will differ in their last digits; plan again: `dvc repro --single-item --force {plan}`",
            flush=True,
        )
    return recipe.model_copy(update={"fingerprint": found})


def train_missing(recipe: cards.Recipe, seeds: Sequence[int], data: "Split") -> cards.Recipe:
    """Train those of a rung's runs that the store lacks.

    Return the recipe: as it was where none was lacking, or else with the fingerprint found here.
    """
    from ladder.runs import store
    from ladder.runs.pool import computed_here, train_seeds, training_pool

    folders = (store.folder_of(recipe, data, seed) for seed in seeds)
    if all(len(store.load(folder, recipe.epochs)) == recipe.epochs for folder in folders):
        return recipe
    with training_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        found = computed_here([recipe], executor)[recipe.name]
        recipe = warn_if_bits_differ(recipe, found, plan_stage(recipe.name))
        train_seeds(recipe, data, seeds, executor)
    return recipe
