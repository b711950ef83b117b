"""Turn the MNIST files into tensors, and show what is in them.

Usage:  python -m stages.preprocess
Reads:  data/raw/, datasets/mnist_writers.csv.gz
Writes: data/processed/{train,test}.safetensors (the fields of ladder.data.splits.Split),
        reports/data.json (counts by class; shape, extremes, mean, deviation and variance of the training pixels),
        reports/samples.png (60 training images), reports/test_images.csv (index, label, group, kind: who wrote which)
"""

import hashlib
import json

import torch

from ladder.command import parser, run_stage
from ladder.data import mnist, pictures
from ladder.data.splits import LISTED, Split
from ladder.data.tensors import write_tensors
from ladder.data.writers import KINDS, read_writers
from ladder.files import dump_csv, write_bytes, write_text
from ladder.paths import PROCESSED, RAW, REPORTS

SAMPLES = 60


def read_idx(file: mnist.IdxFile) -> torch.Tensor:
    """Return an IdxFile in data/raw/ as a uint8 tensor of its shape. Raises LadderError."""
    content = (RAW / file.name).read_bytes()
    return torch.frombuffer(bytearray(mnist.decode(content, file)), dtype=torch.uint8).view(file.shape)


def split(name: str, images: mnist.IdxFile, labels: mnist.IdxFile) -> Split:
    """Return the Split `train` or `test` from two IdxFiles in data/raw/. Raises LadderError."""
    return Split(read_idx(images).unsqueeze(1), read_idx(labels), *read_writers(name, labels.shape[0]))


def statistics(train: Split, test: Split) -> dict:
    """Return what reports/data.json says."""
    counts = [part.labels.bincount(minlength=10).tolist() for part in (train, test)]
    pixels = train.images.to(torch.float64).div_(255)
    return {
        "classes": [
            {"digit": digit, "train": of_train, "test": of_test}
            for digit, (of_train, of_test) in enumerate(zip(*counts, strict=True))
        ],
        "train_images": len(train.labels),
        "test_images": len(test.labels),
        "test_sha256": hashlib.sha256(test.images.numpy().tobytes() + test.labels.numpy().tobytes()).hexdigest(),
        "kinds": {str(kind): name for kind, name in KINDS.items()},
        "shape": list(train.images.shape[1:]),
        "train_pixels": {
            "min": pixels.min().item(),
            "max": pixels.max().item(),
            "mean": round(pixels.mean().item(), 6),
            "std": round(pixels.std(correction=0).item(), 6),
            "var": round(pixels.var(correction=0).item(), 6),
        },
    }


def test_images_csv(test: Split) -> str:
    """Return reports/test_images.csv as text: by it a comparison knows which images one person wrote."""
    cells = zip(*(values.tolist() for values in (test.labels, test.groups, test.kinds)), strict=True)
    return dump_csv(LISTED, [dict(zip(LISTED, (index, *of), strict=True)) for index, of in enumerate(cells)])


def main(given: list[str] | None = None) -> None:
    parser("stages.preprocess", __doc__).parse_args(given)
    train = split("train", mnist.TRAIN_IMAGES, mnist.TRAIN_LABELS)
    test = split("test", mnist.TEST_IMAGES, mnist.TEST_LABELS)
    for name, part in {"train": train, "test": test}.items():
        write_tensors(PROCESSED / f"{name}.safetensors", part._asdict())
    found = statistics(train, test)
    write_text(REPORTS / "data.json", json.dumps(found, indent=2) + "\n")
    write_text(REPORTS / "test_images.csv", test_images_csv(test))
    write_bytes(REPORTS / "samples.png", pictures.samples(train.images[:SAMPLES], train.labels[:SAMPLES]))
    print(f"preprocess: {found['train_images']:,} training and {found['test_images']:,} test images")
    print("preprocess: training pixels / 255:", ", ".join(f"{k} {v}" for k, v in found["train_pixels"].items()))


if __name__ == "__main__":
    run_stage("preprocess", main)
