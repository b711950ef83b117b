"""A folder of somebody's own pictures, seen for the first time: found, checked, split into training and test images.

Every fault is a LadderError with one line that names the file. Nothing is written here.
"""

import difflib
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ladder.cards import natural
from ladder.data import png
from ladder.data.folder import COLUMNS, SPLITS, read_file
from ladder.exceptions import LadderError, cut
from ladder.lanes.draws import generator, permutation

TABLE = "metadata.csv"
NAMED = ("file_name", "label", "split", "group")  # its columns that are read
IGNORED = ("Thumbs.db", "desktop.ini")  # beside hidden files
MOST_CLASSES, DEEPEST = 1000, 50
LAYOUTS = "<class>/<image>.png, <split>/<class>/<image>.png, or a metadata.csv with file_name and label"


@dataclass(frozen=True)
class Pictures:
    """What is known of pictures once they are read, in the order of the rows.

    rows: a table with the columns COLUMNS. digests: a hash of each one's pixels. sums, squares: int64 [N, 3], of the
    pixels of each channel. coloured: whether any has a colour that is no grey.
    """

    rows: pd.DataFrame
    digests: Sequence[bytes]
    sums: np.ndarray
    squares: np.ndarray
    coloured: bool


def find_images(folder: Path) -> pd.DataFrame:
    """Return a row an image, with path, label, split and group; split and group are empty where nobody says them."""
    if not folder.is_dir():
        raise LadderError(f"{folder}: {'not a folder' if folder.exists() else 'there is no such folder'}")
    paths = list(_files(folder, PurePosixPath()))
    table = PurePosixPath(TABLE)
    images = [path for path in paths if path != table]
    for path in images:
        if path.suffix.lower() != ".png":
            raise LadderError(f"{folder / path}: not a .png file; convert it to PNG, or take it out of the folder")
    if not images:
        raise LadderError(f"{folder}: there are no images in it; it needs {LAYOUTS}")
    rows = _of_table(folder, images) if table in paths else _of_folders(folder, images)
    _check_classes(folder, rows)
    return rows


def _files(folder: Path, inside: PurePosixPath) -> Iterator[PurePosixPath]:
    """Yield the path of every file within, from the folder on; hidden ones are passed over."""
    if len(inside.parts) > DEEPEST:
        raise LadderError(f"{folder / inside}: more than {DEEPEST} folders within each other")
    try:
        with os.scandir(folder / inside) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise LadderError(f"{folder / inside}: {error.strerror}") from None
    for entry in found:
        if entry.name.startswith(".") or entry.name in IGNORED:
            continue
        path = inside / _checked_name(folder, inside, entry.name)
        if entry.is_symlink():
            _check_link(folder, path)
        if entry.is_dir():
            yield from _files(folder, path)
        elif entry.is_file():
            yield path
        else:
            raise LadderError(f"{folder / path}: neither a file nor a folder")


def _checked_name(folder, inside, name):
    """Return a name that a list in Git can hold."""
    if not name.isprintable():  # a byte that is not UTF-8 comes as a surrogate, which cannot be printed either
        raise LadderError(f"{folder / inside}/{_shown(name)}: a name with letters that cannot be printed; rename it")
    return name


def _shown(name):
    return name if name.isprintable() else name.encode("unicode_escape", "replace").decode()


def _check_link(folder, path):
    target = Path(os.path.realpath(folder / path))
    if not target.exists():
        raise LadderError(f"{folder / path}: a link that leads nowhere")
    if target.is_dir():
        raise LadderError(f"{folder / path}: a link to a folder; copy its images instead")
    if not target.is_relative_to(folder.resolve()):
        raise LadderError(f"{folder / path}: a link out of the folder; copy the image instead")


def _of_folders(folder, images):
    """Return the rows of images in <class>/ or <split>/<class>/."""
    split = any(len(path.parts) == 3 and path.parts[0] in SPLITS for path in images)
    for path in images:
        if split and path.parts[0] not in SPLITS:
            raise LadderError(f"{folder / path}: beside the folders train and test; put it into one of them")
        if len(path.parts) != 2 + split:
            within = "<split>/<class>/" if split else "<class>/"
            raise LadderError(f"{folder / path}: images belong into {within}, neither higher nor deeper")
    return pd.DataFrame(
        {
            "path": [path.as_posix() for path in images],
            "label": [path.parts[-2] for path in images],
            "split": [path.parts[0] if split else "" for path in images],
            "group": "",
        }
    )


def _of_table(folder, images):
    """Return the rows of a metadata.csv, as Hugging Face's imagefolder has it."""
    table = folder / TABLE
    try:
        rows = pd.read_csv(table, header=None, dtype=str, keep_default_na=False)
    except UnicodeDecodeError:
        raise LadderError(f"{table}: not UTF-8; save it so") from None
    except pd.errors.EmptyDataError:
        raise LadderError(f"{table}: it is empty; give it the columns file_name and label, or remove it") from None
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise LadderError(f"{table}: {' '.join(str(error).split())}") from None
    names, rows = rows.iloc[0].tolist(), rows.iloc[1:].reset_index(drop=True)
    _check_columns(table, names)
    rows = rows.set_axis(names, axis=1).rename(columns={"file_name": "path"})
    _check_same_files(table, rows["path"], [path.as_posix() for path in images])
    for column in ("split", "group"):
        if column not in rows:
            rows[column] = ""
        if (empty := rows[column] == "").any() and not empty.all():
            raise LadderError(f"{table}: {rows['path'][empty].iloc[0]} has no {column}, but others have")
    if (empty := rows["label"].str.strip() == "").any():
        raise LadderError(f"{table}: {rows['path'][empty].iloc[0]} has no label")
    if (other := ~rows["split"].isin(("", *SPLITS))).any():
        row = rows[other].iloc[0]
        raise LadderError(f"{table}: {row['path']} has the split {row['split']!r}; train and test will do")
    return rows[["path", "label", "split", "group"]]


def _check_columns(table, columns):
    """Refuse a column that is missing, or whose name looks like a misspelt one: groups would be lost in silence."""
    for column in ("file_name", "label"):
        if (count := columns.count(column)) != 1:
            raise LadderError(f"{table}: there {'is no column' if not count else f'are {count} columns'} {column}")
    for column in set(columns) - set(NAMED):
        if close := difflib.get_close_matches(column.lower(), NAMED, n=1, cutoff=0.75):
            raise LadderError(f"{table}: column {column!r}: is it {close[0]!r}? Name it so, or take it out")


def _check_same_files(table, listed, found):
    if (twice := listed.duplicated()).any():
        raise LadderError(f"{table}: {_shown(listed[twice].iloc[0])} is there twice")
    if missing := sorted(set(listed) - set(found)):
        raise LadderError(f"{table}: there is no file {_shown(missing[0])}, which a row names")
    if left := sorted(set(found) - set(listed)):
        raise LadderError(f"{table}: no row for {left[0]}; add one, or take the file out of the folder")


def _check_classes(folder, rows):
    first = rows.drop_duplicates("label")
    names = first["label"].tolist()
    if len(names) < 2:
        raise LadderError(f"{folder}: all images are of one class, {cut(names[0], 60)!r}; there must be two or more")
    if len(names) > MOST_CLASSES:
        raise LadderError(f"{folder}: {len(names):,} classes; at most {MOST_CLASSES:,} will do")
    for name, path in zip(names, first["path"], strict=True):
        if len(name) > 60 or not name.isprintable() or name != name.strip():
            rule = "a name has 1 to 60 letters, no space at its ends"
            raise LadderError(f"{folder / path}: its class {cut(name, 60)!r}: {rule}")


def class_names(rows: pd.DataFrame) -> list[str]:
    """Return the names of the classes in the order of their labels: 9 before 10."""
    return sorted(rows["label"].unique(), key=natural)


def read_pictures(
    folder: Path, found: pd.DataFrame, side: int, grey: bool = False, background: png.Background | None = None
) -> Pictures:
    """Return the Pictures of `find_images`, each decoded and resized once as `download` will do it."""
    hashes, digests, sums, squares, coloured = [], [], [], [], False
    for path in found["path"]:
        content = read_file(folder, path)
        try:
            pixels = png.read_png(content, background)
        except LadderError as error:
            raise LadderError(f"{folder / path}: {error}") from None
        pixels = png.grey(pixels).repeat(3, axis=2) if grey else pixels
        coloured = coloured or bool((pixels[..., :2] != pixels[..., 1:]).any())
        small = png.resized(pixels, side).astype(np.int64)
        hashes.append(hashlib.sha256(content).hexdigest())
        digests.append(hashlib.sha256(small.astype(np.uint8).tobytes()).digest())
        sums.append(small.sum(axis=(0, 1)))
        squares.append((small**2).sum(axis=(0, 1)))
    rows = found.assign(sha256=hashes)[list(COLUMNS)]
    return Pictures(rows, digests, np.array(sums), np.array(squares), coloured)


def with_split(folder: Path, pictures: Pictures, percent: int) -> pd.DataFrame:
    """Return the rows with their split: the given one, checked, or else one that is made here, always the same.

    percent: of the images of each class to test with, where the split is made here.
    """
    rows = pictures.rows
    if (rows["split"] == "").all():
        rows = rows.assign(split=_made_split(pictures, percent))
    _check_split(folder, rows, pictures.digests)
    return rows


def _made_split(pictures, percent):
    """Return train or test for each row. What shows the same, and what is of one group, stays together.

    Such parts are taken in random order for testing, each if it brings the classes nearer to their share, which is one
    image at least where a class has two.
    """
    rows = pictures.rows
    groups = np.where(rows["group"] == "", rows["path"], "group " + rows["group"])
    parts = _parts(pd.factorize(groups)[0], pd.factorize(pd.Series(pictures.digests))[0])
    labels = pd.Categorical(rows["label"], class_names(rows)).codes.astype(np.int64)
    counts = sparse.csr_array((np.ones(len(rows), np.int64), (parts, labels)))
    of_classes, taken = np.bincount(labels), np.zeros(counts.shape[0], bool)
    short = -np.where(of_classes > 1, np.maximum(percent * of_classes, 100), 0)
    for part in permutation(len(taken), generator("split")).tolist():
        at = slice(counts.indptr[part], counts.indptr[part + 1])
        classes = counts.indices[at]
        then = short[classes] + 100 * counts.data[at]
        if (then**2).sum() < (short[classes] ** 2).sum():
            short[classes], taken[part] = then, True
    if not taken.any() and len(taken) > 1:  # a few large groups: the smallest
        taken[counts.sum(axis=1).argmin()] = True
    return np.where(taken[parts], "test", "train")


def _parts(groups, digests):
    """Return a number for each image: that of the part that it is in, with all that share its group or its digest."""
    count, of_groups = len(groups), groups.max() + 1
    image = np.arange(count)
    size = count + of_groups + digests.max() + 1
    ends = np.concatenate([count + groups, count + of_groups + digests])
    links = sparse.coo_array((np.ones(2 * count, bool), (np.tile(image, 2), ends)), shape=(size, size))
    return pd.factorize(connected_components(links, directed=False)[1][:count])[0]


def _check_split(folder, rows, digests):
    """Raise LadderError where training and test images are not apart, or a class is not to be learnt."""
    for split in SPLITS:
        if not (rows["split"] == split).any():
            raise LadderError(f"{folder}: no image is left for {split}: there are too few, or they belong together")
    trained = set(rows["label"][rows["split"] == "train"])
    if unknown := sorted(set(rows["label"]) - trained, key=natural):
        raise LadderError(f"{folder}: class {unknown[0]!r} has no training image")
    grouped = rows[rows["group"] != ""]
    sides = grouped.groupby("group")["split"].nunique()
    if (both := sides > 1).any():
        raise LadderError(
            f"{folder}: group {sides.index[both][0]!r} is in train and in test; it must be in one of them"
        )
    _check_apart(folder, rows.assign(digest=list(digests)))


def _check_apart(folder, rows):
    first = {split: rows[rows["split"] == split].drop_duplicates("digest") for split in SPLITS}
    both = first["train"].merge(first["test"], on="digest", suffixes=("", "_of_test"))
    if len(both):
        pair = both.iloc[0]
        more = f" (and {len(both) - 1} more such pairs)" if len(both) > 1 else ""
        raise LadderError(
            f"{folder}: {pair['path']} and {pair['path_of_test']} show the same, one to train on, one to test with"
            f"{more}; take one out"
        )


def pixel_statistics(pictures: Pictures, rows: pd.DataFrame, side: int) -> tuple[list[float], list[float]]:
    """Return (mean, deviation) of the training pixels / 255, one number a channel; one alone where all is grey."""
    train, channels = (rows["split"] == "train").to_numpy(), 3 if pictures.coloured else 1
    pixels = int(train.sum()) * side * side
    mean = pictures.sums[train, :channels].sum(axis=0) / pixels
    variance = pictures.squares[train, :channels].sum(axis=0) / pixels - mean**2
    return (mean / 255).round(4).tolist(), (np.sqrt(variance.clip(min=0)) / 255).round(4).tolist()
