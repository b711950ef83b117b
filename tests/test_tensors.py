"""Files of tensors: what the library makes of them in memory, written without its copies."""

import resource
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from projects import REPOSITORY

from ladder.data.tensors import write_tensors
from ladder.exceptions import LadderError


@pytest.mark.parametrize("about", [None, 'ä "quoted"\n/'])
def test_the_bytes_are_those_of_the_library(tmp_path, about):
    tensors = {"b/images": torch.rand(2, 3, 4), "a": torch.tensor(7), "none": torch.zeros(0, 3), "ä": torch.ones(1)}
    write_tensors(tmp_path / "x.safetensors", tensors, about)
    expected = safetensors.torch.save(tensors, {"about": about} if about else None)
    assert (tmp_path / "x.safetensors").read_bytes() == expected


PROGRAM = """
import resource, torch
from ladder.data.tensors import write_tensors
tensors = {"images": torch.ones(200_000_000, dtype=torch.uint8)}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_tensors("x.safetensors", tensors)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_no_copy_of_the_tensors_is_made(tmp_path):
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert int(done.stdout) < 50_000, done.stderr  # KiB


def test_a_file_that_would_be_too_large_is_one_line_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(LadderError, match=r"x\.safetensors: cannot be written: File too large; [^\n]+$"):
            write_tensors(path, {"a": torch.ones(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
