"""Make a data set of a folder of your own PNG files: a card, a list that pins every image, and a split that stays.

Usage:  python -m commands.import_images pictures --name mine
        python -m commands.import_images pictures --name mine --side 32 --grey
Reads:  the folder
Writes: datasets/<name>.yaml, datasets/<name>.csv, a line of rungs/data_sets.yaml; nothing where anything is wrong

The folder has <class>/<image>.png, or <split>/<class>/<image>.png with the splits train and test, or a metadata.csv
with the columns file_name and label, and, where they are known, split and group. What is of one group (one patient, one
writer) stays on one side of the split. Images of any size are resized once; those that are not square are stretched.
"""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ladder import command
from ladder.cards.ladder_params import DATA_SETS
from ladder.cards.schema import validated
from ladder.command import parser, run_stage, whole_number
from ladder.data.data_set import CARDS, TAKEN, DataSet, data_set_names
from ladder.exceptions import LadderError
from ladder.files import dump_yaml, with_line, write_text
from ladder.paths import REPORTS

if TYPE_CHECKING:
    import pandas as pd

    from ladder.data.importing import Pictures

MUCH = 2e9  # bytes of memory


def check_free(name: str) -> None:
    """Raise LadderError where a data set cannot have this name."""
    if name in data_set_names():
        raise LadderError(f"{CARDS / name}.yaml is there already; take another name, or remove it and its .csv first")
    if (CARDS / f"{name}.csv").exists():
        raise LadderError(f"{CARDS / name}.csv is there already; take another name, or remove it first")
    folder = REPORTS / name
    if name in TAKEN or (folder.exists() and not (folder / "data.json").exists()):
        raise LadderError(f"{REPORTS}/ has something called {name!r} already; take another name")


def card_of(asked: argparse.Namespace, rows: "pd.DataFrame", pictures: "Pictures") -> dict:
    """Return the content of the card of a folder that was read. Raises LadderError."""
    from ladder.data import folder, importing

    mean, deviation = importing.pixel_statistics(pictures, rows, asked.side)
    if min(deviation) < 0.0001:
        raise LadderError(f"{asked.folder}: all training pixels are the same, so there is nothing to see")
    content = {
        "title": asked.title or asked.name,
        "classes": importing.class_names(rows),
        "channels": len(mean),
        "side": asked.side,
        "mean": mean,
        "std": deviation,
    }
    if rows["group"].ne("").all():
        content["groups"] = {"are": "groups"}
    manifest = hashlib.sha256(folder.list_text(rows).encode()).hexdigest()
    source = {"path": _from_here(asked.folder), "manifest": manifest}
    if asked.background:
        source["background"] = asked.background
    content |= {"licence": asked.licence, "source": {"folder": source}}
    validated(DataSet, content, CARDS / f"{asked.name}.yaml")
    return content


def _from_here(folder):
    """Return the folder's path from the repository's top folder where it lies within, else from the root."""
    path = folder.resolve()
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else path.as_posix()


def main(given: list[str] | None = None) -> None:
    reader = parser("commands.import_images", __doc__)
    reader.add_argument("folder", type=Path)
    reader.add_argument("--name", required=True, type=command.name, help="the data set's name")
    reader.add_argument("--title", help="its name for people (default: its name)")
    reader.add_argument("--side", type=whole_number(2, 96), default=28, help="side in pixels (default: 28)")
    reader.add_argument("--grey", action="store_true", help="turn colours into grey")
    reader.add_argument("--background", choices=["black", "white"], help="what lies behind transparent pixels")
    reader.add_argument(
        "--test", type=whole_number(1, 50), default=20, metavar="PERCENT", help="images to test with (default: 20 %%)"
    )
    reader.add_argument("--licence", default="not stated", help="by whom the images may be used")
    asked = reader.parse_args(given)
    check_free(asked.name)
    line = (DATA_SETS, "data_sets", asked.name, (REPORTS / asked.name).as_posix())
    with_line(*line)  # a file that takes no line is named before any work
    from ladder.data import folder, importing  # import torch, which takes seconds

    found = importing.find_images(asked.folder)
    pictures = importing.read_pictures(asked.folder, found, asked.side, asked.grey, asked.background)
    rows = importing.with_split(asked.folder, pictures, asked.test)
    card = card_of(asked, rows, pictures)
    named = with_line(*line)  # of the file as it is now: to read pictures takes minutes, and another import may end
    write_text(CARDS / f"{asked.name}.csv", folder.list_text(rows))
    write_text(CARDS / f"{asked.name}.yaml", dump_yaml(card))
    write_text(DATA_SETS, named)
    _tell(asked.name, card, rows)


def _tell(name, card, rows):
    from ladder.data import folder

    counts = rows["split"].value_counts()
    colour, side = "colour" if card["channels"] == 3 else "grey", card["side"]
    print(
        f"import_images: {len(rows):,} images of {len(card['classes'])} classes, {counts['train']:,} to train on and "
        f"{counts['test']:,} to test with; {colour}, {side}×{side} pixels"
    )
    needed = folder.memory_to_read(len(rows), card["channels"], side)
    if needed > MUCH:
        print(f"import_images: preprocess will take about {needed / 1e9:.1f} GB of memory; a smaller --side takes less")
    if untested := sorted(set(rows["label"]) - set(rows["label"][rows["split"] == "test"])):
        print(f"import_images: no image to test with: {', '.join(untested[:10])}{', …' * (len(untested) > 10)}")
    print(f"import_images: wrote {CARDS}/{name}.yaml and {CARDS}/{name}.csv, and named them in {DATA_SETS}")
    print(f"next:     dvc exp run -n first -S data={name} -S model=sprint")
    print(f"to share: git add {CARDS} {DATA_SETS} && git commit -m 'Data set {name}'")


if __name__ == "__main__":
    run_stage("import_images", main)
