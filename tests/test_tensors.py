"""Files of tensors: the bytes that their own library would write, without its copies."""

import tracemalloc

import pytest
import safetensors.torch
import torch

from ladder.data.tensors import KINDS, write_tensors


@pytest.mark.parametrize("about", [None, 'ä "quoted"\n\x1f\x7f/\u2028'])
def test_the_bytes_are_those_of_the_library(tmp_path, about):
    tensors = {f"{name} {number}": torch.arange(5).to(kind) for kind, name in KINDS.items() for number in (10, 9)}
    tensors |= {"b/images": torch.rand(2, 3, 4), "a": torch.tensor(7.0), "none": torch.zeros(0, 3), "ä": torch.ones(1)}
    write_tensors(tmp_path / "x.safetensors", tensors, about)
    expected = safetensors.torch.save(tensors, {"about": about} if about else None)
    assert (tmp_path / "x.safetensors").read_bytes() == expected


def test_no_copy_is_made(tmp_path):
    tensors = {"images": torch.zeros(10**7, dtype=torch.uint8)}
    tracemalloc.start()
    write_tensors(tmp_path / "x.safetensors", tensors)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**6
