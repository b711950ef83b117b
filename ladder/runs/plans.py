"""What is planned for the ladder: how many seeds a rung has, its recipe, and whether its bits are this machine's."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field, field_validator, model_validator

from ladder import cards, machine
from ladder.exceptions import LadderError
from ladder.files import read_yaml
from ladder.names import is_name, refusal
from ladder.paths import DEFAULT_DATA, PIPELINE, facts_folder, rung_folder, rung_on

if TYPE_CHECKING:
    from ladder.data.splits import Split

PARAMS = PIPELINE.with_name("params.yaml")


class Elsewhere(cards.Strict):
    """A rung that is climbed on another data set than the default one, too."""

    data: cards.RungName
    rung: cards.RungName
    seeds: cards.Seeds


class Ladder(cards.Strict):
    """rungs/params.yaml.

    seeds: of the rungs on the default data set. data_sets: {name: folder of what is told of it}. elsewhere: rungs on
    further ones, by the names that `rung_on` gives them.
    """

    seeds: dict[str, cards.Seeds]
    data_sets: dict[str, str] = Field({DEFAULT_DATA: facts_folder(DEFAULT_DATA).as_posix()})
    elsewhere: dict[str, Elsewhere] = Field({})

    @field_validator("data_sets")
    @classmethod
    def _one_folder_each(cls, data_sets):
        for name, folder in data_sets.items():
            _check_data_set(name)
            if folder != (own := facts_folder(name).as_posix()):
                raise ValueError(f"{name}: {folder!r:.80} will not do; what is told of it goes to {own}")
        return data_sets

    @model_validator(mode="after")
    def _names_say_what_they_are(self):
        for name, what in self.elsewhere.items():
            if what.data == DEFAULT_DATA:
                raise ValueError(f"elsewhere: {name:.130}: the rungs on {DEFAULT_DATA} stand under `seeds`")
            if name != (own := rung_on(what.data, what.rung)):
                raise ValueError(f"elsewhere: {name!r:.130} will not do; this rung's name is {own}")
            if what.data not in self.data_sets:
                raise ValueError(
                    f"elsewhere: {name}: data_sets has no {what.data!r}; {cards.nearest(what.data, self.data_sets)}"
                )
        return self

    @property
    def all_seeds(self) -> dict[str, int]:
        """{rung: number of seeds} on all data sets."""
        return self.seeds | {name: what.seeds for name, what in self.elsewhere.items()}


def _check_data_set(name):
    if not is_name(name):
        raise ValueError(refusal(name))


def read_ladder_params() -> Ladder:
    """Return the checked content of rungs/params.yaml. Raises LadderError."""
    return cards.validated(Ladder, read_yaml(PARAMS), PARAMS)


def check_listed(data: str) -> None:
    """Raise LadderError where DVC has no stages for a data set, since rungs/params.yaml does not name it."""
    if PARAMS.exists() and data not in (known := read_ladder_params().data_sets):
        line = f"{data}: {facts_folder(data)}"
        raise LadderError(f"{PARAMS}: data_sets has no {data!r}; add `{line}` to it (there are {', '.join(known)})")


def seeds_of(names: Iterable[str]) -> dict[str, int]:
    """Return {rung: number of seeds} for these rungs of the ladder. Raises LadderError for an unknown one."""
    seeds = read_ladder_params().all_seeds
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
