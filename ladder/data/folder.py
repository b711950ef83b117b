"""Somebody's own images as a data set: PNG files in a folder, each pinned by a list in Git.

The list, datasets/<name>.csv, has a row an image: path, sha256, label (the class's name), split, group (what belongs
together, or nothing), sorted by the bytes of the path. `python -m commands.import_images` writes it.
"""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ladder.data import png
from ladder.data.data_set import DataSet
from ladder.data.splits import Split
from ladder.data.tensors import label_type
from ladder.exceptions import LadderError

COLUMNS = ("path", "sha256", "label", "split", "group")
SPLITS = ("train", "test")
PACKED = "images.zip"
PROCESS, ROW = 0.5e9, 2000  # bytes: Python with torch and matplotlib; what an image takes beside its pixels


def list_text(rows: pd.DataFrame) -> str:
    """Return the text of a list with the columns COLUMNS."""
    ordered = rows.sort_values("path", key=lambda paths: paths.map(str.encode))
    return ordered.to_csv(columns=list(COLUMNS), index=False, lineterminator="\n")


def read_list(data_set: DataSet) -> pd.DataFrame:
    """Return the rows of a data set's list, all of them text. Raises LadderError unless it is the one of its card."""
    path, again = data_set.manifest, "restore both from Git, or import the images again under another name"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LadderError(f"{path}: {error.strerror}; {again}") from None
    if hashlib.sha256(content).hexdigest() != data_set.source.manifest:
        raise LadderError(f"{path}: not the list that datasets/{data_set.name}.yaml names; {again}")
    try:
        rows = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' own errors, and of text that is not UTF-8
        raise LadderError(f"{path}: not CSV ({' '.join(str(error).split())}); {again}") from None
    if tuple(rows.columns) != COLUMNS:
        raise LadderError(f"{path}: its columns are not {', '.join(COLUMNS)}; {again}")
    if (other := ~rows["split"].isin(SPLITS)).any():
        place = int(np.flatnonzero(other)[0])
        said = f"line {place + 2}: the split {rows['split'].iloc[place]!r:.60} is neither {' nor '.join(SPLITS)}"
        raise LadderError(f"{path}: {said}; {again}")
    return rows


def pack(data_set: DataSet, folder: Path) -> bytes:
    """Return the listed files as a zip archive, in the order of the list. Raises LadderError, which names the file.

    Files that the list does not have are left alone: the list alone says what the data set is.
    """
    rows = read_list(data_set)
    if not folder.is_dir():
        raise LadderError(
            f"there is no folder {folder} with the images of {data_set.name}; name it by DATA_SOURCE=<folder>"
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, sha256 in zip(rows["path"], rows["sha256"], strict=True):
            content = read_file(folder, path)
            if hashlib.sha256(content).hexdigest() != sha256:
                raise LadderError(
                    f"{folder / path}: changed since it was imported (its SHA-256 is another); restore it"
                )
            archive.writestr(zipfile.ZipInfo(path), content)  # without a time, so the same bytes again
    return packed.getvalue()


def read_file(folder: Path, path: str) -> bytes:
    """Return a file's bytes. Raises LadderError."""
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise LadderError(f"{folder / path}: {error.strerror}") from None


def memory_to_read(images: int, channels: int, side: int) -> float:
    """Return about how many bytes `preprocess` takes for so many images, uint8 [C, S, S] each."""
    return PROCESS + images * (ROW + channels * side**2)


def read_folder(data_set: DataSet) -> dict[str, Split]:
    """Return {"train": Split, "test": Split} of what `download` packed. Raises LadderError."""
    rows, packed = read_list(data_set), data_set.raw / PACKED
    if unknown := sorted(set(rows["label"]) - set(data_set.classes)):
        raise LadderError(
            f"datasets/{data_set.name}.yaml: classes: {unknown[0]!r} is missing, which {data_set.manifest} has; to "
            "rename a class, rename it in the folder and import that again"
        )
    of_split = {split: torch.tensor(rows["split"].eq(split).to_numpy()) for split in SPLITS}
    shape = (data_set.channels, data_set.side, data_set.side)
    images = {split: torch.empty((int(of.sum()), *shape), dtype=torch.uint8) for split, of in of_split.items()}
    left = {split: iter(places.numpy()) for split, places in images.items()}
    try:
        with zipfile.ZipFile(packed) as archive:
            for path, split in zip(rows["path"], rows["split"], strict=True):
                next(left[split])[...] = decoded(archive.read(path), path, data_set)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise LadderError(f"{packed}: damaged, or of another list ({error}); make it again with `dvc repro`") from None
    numbers = {name: label for label, name in enumerate(data_set.classes)}
    labels = torch.tensor([numbers[name] for name in rows["label"]], dtype=label_type(len(numbers)))
    grouped = rows["group"].ne("").all()
    groups = torch.tensor(pd.factorize(rows["group"], sort=True)[0], dtype=torch.int32) if grouped else None
    return {
        split: Split(images[split], labels[of], None if groups is None else groups[of])
        for split, of in of_split.items()
    }


def decoded(content: bytes, path: str, data_set: DataSet) -> np.ndarray:
    """Return an image, uint8 [C, S, S], of a PNG file's bytes. Raises LadderError, which names `path`."""
    try:
        pixels = png.read_png(content, data_set.source.background)
    except LadderError as error:
        raise LadderError(f"{path}: {error}") from None
    pixels = png.grey(pixels) if data_set.channels == 1 else pixels
    return png.resized(pixels, data_set.side).transpose(2, 0, 1)
