"""The store of runs, `.runs/`: finished epochs survive a kill, finished runs are never repeated.

Each run has a folder, named by a digest of all that decides its bytes. Each epoch is a safetensors file there, with the
weights, the optimizer's state, the row of metrics and a checksum. A file is written whole or not at all. A file under
its final name is therefore right, unless it was damaged later, which the checksum shows.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import safetensors
from filelock import FileLock, Timeout

from ladder.cards import Recipe, recipe_content
from ladder.data.splits import Split
from ladder.data.tensors import write_tensors
from ladder.exceptions import LadderError, is_out_of_memory
from ladder.files import write_bytes
from ladder.training import run
from ladder.training.run import Epoch


def _runs():
    """Return the folder of the store. An experiment in a copy made by DVC, below .dvc/tmp/, uses its repository's."""
    copied_from = (folder.parent for folder in Path.cwd().parents if folder.name == ".dvc")
    return next(copied_from, Path()) / ".runs"


RUNS = _runs()


def digest(recipe: Recipe, data: Split, seed: int) -> str:
    """Return the name of a run: a hash of the recipe (its fingerprint included), the data and the seed."""
    content = recipe_content(recipe) | {"rung": None, "seed": seed}
    content.pop("data", None)  # a name; the images themselves count
    sha = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for tensor in _deciding(recipe, data):
        sha.update(tensor.numpy().data)
    return sha.hexdigest()[:24]


def folder_of(recipe: Recipe, data: Split, seed: int, root: Path = RUNS) -> Path:
    """Return the folder of a run in the store under `root`."""
    return Path(root) / digest(recipe, data, seed)


def train(
    recipe: Recipe,
    data: Split,
    seed: int,
    root: Path = RUNS,
    on_saved: Callable[[Path], None] = lambda path: None,
) -> list[Epoch]:
    """Return the Epochs of a run, training only those that the store under `root` lacks.

    on_saved is called with the file of each epoch that was trained. Where another process trains the same run, this one
    waits and uses its epochs. Raises LadderError that names rung, seed and epoch where a loss is not finite or the
    memory is not enough.
    """
    folder = folder_of(recipe, data, seed, root)
    with _locked(folder):
        for leftover in folder.glob(".*.tmp"):  # of a process that was killed while writing
            leftover.unlink()
        done = load(folder, recipe.epochs)
        try:
            for epoch in run.epochs(recipe, data, seed, done):
                on_saved(_save(folder, epoch))
                done.append(epoch)
        except (LadderError, MemoryError, RuntimeError) as error:
            raise LadderError(f"rung {recipe.name}, seed {seed}, {_explained(error, len(done) + 1)}") from error
    return done


def load(folder: Path, limit: int) -> list[Epoch]:
    """Return the Epochs 1, 2, ... of a run's folder, up to the first that is missing or damaged."""
    with suppress(OSError):  # no such run; or a store that can only be read
        os.utime(folder)  # used now: see `prune`
    done = []
    while len(done) < limit and (epoch := _read(_path(folder, len(done) + 1), folder.name)) is not None:
        done.append(epoch)
    return done


def finished(recipe: Recipe, data: Split, seed: int, root: Path = RUNS) -> list[Epoch]:
    """Return the Epochs of a run that was trained. Raises LadderError where some are missing or damaged."""
    folder = folder_of(recipe, data, seed, root)
    done = load(folder, recipe.epochs)
    if len(done) != recipe.epochs:
        raise LadderError(f"rung {recipe.name}, seed {seed}: {folder} lost epochs meanwhile; start again")
    return done


def rows(folder: Path) -> list[dict]:
    """Return the rows of metrics of a run's finished epochs, without reading their weights."""
    found = []
    while (path := _path(folder, len(found) + 1)).exists():
        try:
            with safetensors.safe_open(path, "pt") as file:
                found.append(json.loads(file.metadata()["about"])["row"])
        except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError):
            break
    return found


def count(folder: Path) -> int:
    """Return how many files of epochs a run's folder holds, without reading them."""
    return sum(1 for _ in folder.glob("epoch-*.safetensors"))


def pack(folder: Path) -> dict[str, bytes]:
    """Return {name: bytes} of a run's finished epochs, for another machine."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("epoch-*.safetensors"))}


def unpack(folder: Path, files: dict[str, bytes]) -> None:
    """Write into a run's folder what `pack` returned."""
    with _locked(folder):
        for name, content in files.items():
            write_bytes(folder / name, content)


def prune(days: int, root: Path = RUNS) -> tuple[int, int]:
    """Remove the runs not used for `days` days, except those in training. Return how many runs and bytes that were."""
    removed, size = 0, 0
    for folder in sorted(Path(root).glob("*/")):
        if time.time() - folder.stat().st_mtime < days * 86400:
            continue
        try:
            with _locked(folder, wait=False):
                size += sum(path.stat().st_size for path in folder.iterdir())
                shutil.rmtree(folder, ignore_errors=True)  # whoever waits for the lock may open it anew meanwhile
                removed += 1
        except Timeout:
            continue
    return removed, size


def _deciding(recipe, data):
    """Return the tensors of a Split that decide a run's bytes: who made an image matters to a holdout alone."""
    watched = recipe.holdout and data.groups is not None
    return (data.images, data.labels, data.groups) if watched else (data.images, data.labels)


def _save(folder, epoch):
    """Write an Epoch into a run's folder and return its file."""
    tensors = {f"weights/{name}": tensor for name, tensor in epoch.weights.items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in epoch.optimizer.items()}
    content = {"run": folder.name, "row": epoch.row}
    metadata = json.dumps(content | {"sha256": _checksum(tensors, content)})
    path = _path(folder, epoch.row["epoch"])
    write_tensors(path, tensors, metadata)
    return path


def _read(path, name):
    """Return the Epoch in a file of the run `name`, or None where the file is missing, damaged or foreign."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            content = json.loads(file.metadata()["about"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        sha = content.pop("sha256")
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None
    if content.get("run") != name or sha != _checksum(tensors, content):
        return None
    parts = {"weights": {}, "optimizer": {}}
    for key, tensor in tensors.items():
        part, _, key = key.partition("/")
        parts[part][key] = tensor
    return run.Epoch(content["row"], **parts)


def _checksum(tensors, content):
    sha = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.numpy().data)
    return sha.hexdigest()


def _path(folder, number):
    return folder / f"epoch-{number:03d}.safetensors"


@contextmanager
def _locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold the run's lock. The system releases it when the process ends, however it ends.

    Raises filelock.Timeout where another process holds it and `wait` is false, LadderError where the store is not as
    needed.
    """
    # a soft lock would outlive a process that is killed
    lock = FileLock(folder / "lock", blocking=wait, fallback_to_soft=False)
    _acquire(lock, folder)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock, folder):
    try:
        while not lock.is_locked:
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # `prune` has just removed the folder
                lock.acquire()
    except (FileExistsError, NotADirectoryError):
        raise LadderError(f"{folder.parent} is a file; move it away, since runs are kept in a folder there") from None
    except Timeout:
        raise
    except OSError as error:
        raise LadderError(
            f"{folder}: cannot be opened: {error.strerror}; give yourself the right to read and write {folder.parent}, "
            "or move it away"
        ) from error


def _explained(error, epoch):
    """Return what to tell of an exception during `epoch`; re-raise what nobody foresaw."""
    if isinstance(error, LadderError):
        return str(error)
    if is_out_of_memory(error):
        return f"epoch {epoch}: not enough memory; set DIGIT_LADDER_WORKERS=1, or take a smaller batch_size"
    raise error
