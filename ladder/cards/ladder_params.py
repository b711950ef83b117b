"""The ladder's parameters: which rungs are climbed, on which images, from how many seeds each.

rungs/params.yaml has the rungs on the default data set, rungs/data_sets.yaml the data sets and the rungs on others.
"""

from pydantic import Field, field_validator, model_validator

from ladder.cards.schema import RungName, Seeds, Strict, nearest, validated
from ladder.exceptions import LadderError
from ladder.files import read_yaml
from ladder.names import is_name, refusal
from ladder.paths import DEFAULT_DATA, PIPELINE, facts_folder, rung_on

PARAMS, DATA_SETS = PIPELINE.with_name("params.yaml"), PIPELINE.with_name("data_sets.yaml")


class Elsewhere(Strict):
    """A rung that is climbed on another data set than the default one, too."""

    data: RungName
    rung: RungName
    seeds: Seeds


class Ladder(Strict):
    """rungs/params.yaml."""

    seeds: dict[str, Seeds]


class DataSets(Strict):
    """rungs/data_sets.yaml.

    data_sets: {name: folder of what is told of it}. elsewhere: rungs on others than the default one, by the names that
    `rung_on` gives them.
    """

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
                raise ValueError(f"elsewhere: {name:.130}: the rungs on {DEFAULT_DATA} stand in {PARAMS}")
            if name != (own := rung_on(what.data, what.rung)):
                raise ValueError(f"elsewhere: {name!r:.130} will not do; this rung's name is {own}")
            if what.data not in self.data_sets:
                raise ValueError(
                    f"elsewhere: {name}: data_sets has no {what.data!r}; {nearest(what.data, self.data_sets)}"
                )
        return self


def _check_data_set(name):
    if not is_name(name):
        raise ValueError(refusal(name))


def read_seeds() -> dict[str, int]:
    """Return {rung: number of seeds} on the default data set. Raises LadderError."""
    return validated(Ladder, read_yaml(PARAMS), PARAMS).seeds


def read_data_sets() -> DataSets:
    """Return the checked content of rungs/data_sets.yaml; without it there is the default one. Raises LadderError."""
    return validated(DataSets, read_yaml(DATA_SETS), DATA_SETS) if DATA_SETS.exists() else DataSets()


def read_all_seeds() -> dict[str, int]:
    """Return {rung: number of seeds} on all data sets, by the names that `rung_on` gives them. Raises LadderError."""
    return read_seeds() | {name: what.seeds for name, what in read_data_sets().elsewhere.items()}


def check_listed(data: str) -> None:
    """Raise LadderError where DVC has no stages for a data set, since rungs/data_sets.yaml does not name it."""
    if data not in (known := read_data_sets().data_sets):
        line = f"{data}: {facts_folder(data)}"
        raise LadderError(f"{DATA_SETS}: data_sets has no {data!r}; add `{line}` to it (there are {', '.join(known)})")
