"""Where data, models and reports are, from the top folder."""

from pathlib import Path

REPORTS = Path("reports")
PROCESSED = Path("data/processed")
RAW = Path("data/raw")
MODELS = Path("data/models")


def model_path(seed: int, epoch: int) -> Path:
    """Return where the weights of a seed after an epoch (from 1) are."""
    return MODELS / f"seed-{seed}" / f"epoch-{epoch:03d}.safetensors"


RUNGS = REPORTS / "rungs"
PIPELINE = Path("rungs/dvc.yaml")
