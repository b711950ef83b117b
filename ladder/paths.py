"""Where data, models and reports are, from the top folder."""

from pathlib import Path

REPORTS = Path("reports")
DATA = Path("data/sets")
MODELS = Path("data/models")


def model_path(seed: int, epoch: int) -> Path:
    """Return where the weights of a seed after an epoch (from 1) are."""
    return MODELS / f"seed-{seed}" / f"epoch-{epoch:03d}.safetensors"


RUNGS = REPORTS / "rungs"
DEFAULT_DATA = "mnist"  # where nothing names a data set; its results lie where they lay before there were others


def raw_folder(data: str) -> Path:
    """Return the folder of a data set's files as they were fetched."""
    return DATA / data / "raw"


def processed_folder(data: str) -> Path:
    """Return the folder of a data set's training and test images as tensors."""
    return DATA / data / "processed"


def facts_folder(data: str) -> Path:
    """Return the folder of what is told of a data set: data.json, test_images.csv, samples.png."""
    return REPORTS if data == DEFAULT_DATA else REPORTS / data


def rung_folder(rung: str) -> Path:
    """Return the folder of a rung's reports: of `net9`, or on a further data set of `<data set>/net9`."""
    return REPORTS / rung if "/" in rung else RUNGS / rung


def rung_on(data: str, rung: str) -> str:
    """Return the name of a rung on a data set: `net9` on the default one, `<data set>/net9` on others."""
    return rung if data == DEFAULT_DATA else f"{data}/{rung}"


PIPELINE = Path("rungs/dvc.yaml")
