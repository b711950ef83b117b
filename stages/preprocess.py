"""Turn the MNIST files into tensors, and show what is in them.

Usage:  python -m stages.preprocess
Reads:  data/raw/
Writes: data/processed/{train,test}.safetensors (images uint8 [N, 1, 28, 28], labels uint8 [N]),
        reports/data.json (counts by class; shape, extremes, mean, deviation and variance of the training pixels),
        reports/samples.png (60 training images)
"""

import json

import torch

from ladder.command import parser, run_stage
from ladder.data import mnist, pictures
from ladder.data.tensors import write_tensors
from ladder.files import write_bytes, write_text
from ladder.paths import PROCESSED, RAW, REPORTS

SAMPLES = 60


def read_idx(file: mnist.IdxFile) -> torch.Tensor:
    """Return an IdxFile in data/raw/ as a uint8 tensor of its shape. Raises LadderError."""
    content = (RAW / file.name).read_bytes()
    return torch.frombuffer(bytearray(mnist.decode(content, file)), dtype=torch.uint8).view(file.shape)


def statistics(train: dict[str, torch.Tensor], test: dict[str, torch.Tensor]) -> dict:
    """Return what reports/data.json says of two {"images": uint8, "labels": uint8}."""
    counts = [(split["labels"].bincount(minlength=10)).tolist() for split in (train, test)]
    pixels = train["images"].to(torch.float64).div_(255)
    return {
        "classes": [
            {"digit": digit, "train": of_train, "test": of_test}
            for digit, (of_train, of_test) in enumerate(zip(*counts, strict=True))
        ],
        "train_images": len(train["labels"]),
        "test_images": len(test["labels"]),
        "shape": list(train["images"].shape[1:]),
        "train_pixels": {
            "min": pixels.min().item(),
            "max": pixels.max().item(),
            "mean": round(pixels.mean().item(), 6),
            "std": round(pixels.std(correction=0).item(), 6),
            "var": round(pixels.var(correction=0).item(), 6),
        },
    }


def main(given: list[str] | None = None) -> None:
    parser("stages.preprocess", __doc__).parse_args(given)
    splits = {
        "train": (mnist.TRAIN_IMAGES, mnist.TRAIN_LABELS),
        "test": (mnist.TEST_IMAGES, mnist.TEST_LABELS),
    }
    tensors = {
        name: {"images": read_idx(images).unsqueeze(1), "labels": read_idx(labels)}
        for name, (images, labels) in splits.items()
    }
    for name, split in tensors.items():
        write_tensors(PROCESSED / f"{name}.safetensors", split)
    found = statistics(**tensors)
    write_text(REPORTS / "data.json", json.dumps(found, indent=2) + "\n")
    train = tensors["train"]
    write_bytes(REPORTS / "samples.png", pictures.samples(train["images"][:SAMPLES], train["labels"][:SAMPLES]))
    print(f"preprocess: {found['train_images']:,} training and {found['test_images']:,} test images")
    print("preprocess: training pixels / 255:", ", ".join(f"{k} {v}" for k, v in found["train_pixels"].items()))


if __name__ == "__main__":
    run_stage("preprocess", main)
