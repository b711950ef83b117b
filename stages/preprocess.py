"""Turn a data set's files into tensors, and show what is in them.

Usage:  python -m stages.preprocess              for the data set that params.yaml names
        python -m stages.preprocess <data set>
Reads:  datasets/<data set>.yaml and what it names, data/sets/<data set>/raw/
Writes: data/sets/<data set>/processed/{train,test}.safetensors (the fields of ladder.data.splits.Split);
        to reports/ for MNIST and to reports/<data set>/ for others:
        data.json (counts by class; shape, extremes, mean, deviation and variance of the training pixels),
        samples.png (60 training images), test_images.csv (index, label; group, kind: who made which, if that is known)
"""

import hashlib
import json

import torch
from torch import Tensor

from ladder import cards
from ladder.command import name, parser, run_stage
from ladder.data import idx, pictures
from ladder.data.data_set import CARDS, DataSet, Idx, read_data_set
from ladder.data.splits import LISTED, Split
from ladder.data.tensors import write_tensors
from ladder.data.writers import read_writers
from ladder.exceptions import LadderError
from ladder.files import dump_csv, write_bytes, write_text
from ladder.paths import DEFAULT_DATA, facts_folder

SAMPLES = 60
AT_ONCE = 1000  # images whose pixels are counted together


def read_splits(data_set: DataSet) -> dict[str, Split]:
    """Return {"train": Split, "test": Split} of a data set's files. Raises LadderError."""
    if not isinstance(data_set.source, Idx):
        from ladder.data.folder import read_folder

        return read_folder(data_set)
    files = idx.files_of(data_set)
    return {
        "train": idx_split(data_set, "train", files.train_images, files.train_labels),
        "test": idx_split(data_set, "test", files.test_images, files.test_labels),
    }


def idx_split(data_set: DataSet, split: str, images: idx.IdxFile, labels: idx.IdxFile) -> Split:
    """Return the Split `train` or `test` from two IdxFiles. Raises LadderError."""
    groups = data_set.groups
    makers = read_writers(groups, split, labels.shape[0]) if groups and groups.table else ()
    return Split(read_idx(data_set, images).unsqueeze(1), read_idx(data_set, labels), *makers)


def read_idx(data_set: DataSet, file: idx.IdxFile) -> Tensor:
    """Return an IdxFile of a data set as a uint8 tensor of its shape. Raises LadderError."""
    content = (data_set.raw / file.name).read_bytes()
    return torch.frombuffer(bytearray(idx.decode(content, file)), dtype=torch.uint8).view(file.shape)


def statistics(data_set: DataSet, train: Split, test: Split) -> dict:
    """Return what data.json says."""
    pixels = pixel_counts(train.images)
    facts = {
        "classes": class_counts(data_set, train, test),
        "train_images": len(train.labels),
        "test_images": len(test.labels),
        "test_sha256": sha256_of(test.images, test.labels),
    }
    if data_set.groups and data_set.groups.kinds:
        facts["kinds"] = {str(kind): called for kind, called in data_set.groups.kinds.items()}
    facts |= {"shape": list(train.images.shape[1:]), "train_pixels": pixel_statistics(pixels)}
    return facts if data_set.name == DEFAULT_DATA else about(data_set) | facts


def sha256_of(*tensors: Tensor) -> str:
    """Return the SHA-256 of the bytes of tensors, one behind the other."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.contiguous().numpy())
    return found.hexdigest()


def about(data_set: DataSet) -> dict:
    """Return the words of a data set's card that reports about it need. Those of the default one are known."""
    groups = {"groups": data_set.groups.are} if data_set.groups else {}
    return {"data": data_set.name, "title": data_set.title, "thing": data_set.thing, "things": data_set.things} | groups


def class_counts(data_set: DataSet, train: Split, test: Split) -> list[dict]:
    """Return how many training and test images each class has."""
    count = len(data_set.classes)
    counts = [part.labels.bincount(minlength=count).tolist() for part in (train, test)]
    numbered = enumerate(zip(data_set.classes, *counts, strict=True))
    return [
        ({"digit": label} if data_set.name == DEFAULT_DATA else {"name": called}) | {"train": of_train, "test": of_test}
        for label, (called, of_train, of_test) in numbered
    ]


def pixel_counts(images: Tensor) -> Tensor:
    """Return how many pixels of each channel have each byte, float64 [C, 256]; images: uint8 [N, C, S, S]."""
    counts = torch.zeros(images.shape[1], 256, dtype=torch.float64)
    for part in images.split(AT_ONCE):
        for channel in range(len(counts)):
            counts[channel] += part[:, channel].flatten().bincount(minlength=256)
    return counts


def pixel_statistics(counts: Tensor) -> dict:
    """Return extremes, mean, deviation and variance of the pixels / 255: numbers, or lists with one a channel."""
    values = torch.arange(256, dtype=torch.float64) / 255
    shares = counts / counts.sum(dim=1, keepdim=True)
    mean = (shares * values).sum(dim=1)
    variance = (shares * (values - mean[:, None]) ** 2).sum(dim=1)
    seen = [values[of_channel > 0] for of_channel in counts]
    found = {
        "min": [of_channel.min().item() for of_channel in seen],
        "max": [of_channel.max().item() for of_channel in seen],
        "mean": [round(value, 6) for value in mean.tolist()],
        "std": [round(value, 6) for value in variance.sqrt().tolist()],
        "var": [round(value, 6) for value in variance.tolist()],
    }
    return {key: of_channels if len(counts) > 1 else of_channels[0] for key, of_channels in found.items()}


def test_images_csv(test: Split) -> str:
    """Return test_images.csv as text: by it a comparison knows which images belong together."""
    columns = [column for column in (test.labels, test.groups, test.kinds) if column is not None]
    names = LISTED[: 1 + len(columns)]
    rows = zip(range(len(test.labels)), *(column.tolist() for column in columns), strict=True)
    return dump_csv(list(names), [dict(zip(names, row, strict=True)) for row in rows])


def check_mislabelled(data_set: DataSet, test: Split) -> None:
    """Raise LadderError where the card lists a mislabelled test image that there is not."""
    last = len(test.labels) - 1
    if (beyond := max(data_set.mislabelled, default=0)) > last:
        raise LadderError(
            f"{CARDS / data_set.name}.yaml: mislabelled: there is no test image {beyond}; they are counted from 0, and "
            f"the last is {last}"
        )


def main(given: list[str] | None = None) -> None:
    reader = parser("stages.preprocess", __doc__)
    reader.add_argument("data", nargs="?", type=name, help="a data set; without it: the one of params.yaml")
    data_set = read_data_set(reader.parse_args(given).data or cards.read_params().data)
    splits = read_splits(data_set)
    check_mislabelled(data_set, splits["test"])
    for split, part in splits.items():
        write_tensors(
            data_set.processed / f"{split}.safetensors", {k: v for k, v in part._asdict().items() if v is not None}
        )
    train, folder = splits["train"], facts_folder(data_set.name)
    found = statistics(data_set, train, splits["test"])
    write_text(folder / "data.json", json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "test_images.csv", test_images_csv(splits["test"]))
    write_bytes(folder / "samples.png", pictures.samples(data_set, train.images, train.labels, SAMPLES))
    print(
        f"preprocess: {found['train_images']:,} training and {found['test_images']:,} test images of {data_set.title}"
    )
    print("preprocess: training pixels / 255:", ", ".join(f"{k} {v}" for k, v in found["train_pixels"].items()))


if __name__ == "__main__":
    run_stage("preprocess", main)
