"""Models as ONNX and as C: both must say what the engine says, for every word of the language."""

import importlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from projects import assert_one_clear_line, run_module, small

from commands import export as export_command
from ladder.data.splits import Split
from ladder.data.synthetic import synthetic_digits
from ladder.exceptions import LadderError
from ladder.models.c_header import c_header, c_name, compiled
from ladder.models.checks import agreement
from ladder.models.layers import trained_layers
from ladder.models.model_card import model_card
from ladder.models.weights import Model
from ladder.network.build import build
from ladder.paths import processed_folder

ALL_WORDS = [
    {"conv": {"out": 6, "kernel": 5, "stride": 2, "padding": 3, "bias": True}},
    "batch_norm",
    "relu",
    {"dropout": {"p": 0.1}},
    {
        "residual": [
            {"conv": {"out": 6, "kernel": 3, "padding": 1, "groups": 2}},
            "batch_norm",
            "gelu",
            {"residual": ["silu"]},
        ]
    },
    {"max_pool": {"kernel": 3, "stride": 1}},
    {"conv": {"out": 8, "kernel": 3, "dilation": 2, "padding": 1}},
    "tanh",
    {"avg_pool": {"kernel": 2}},
    {"residual": [{"residual": ["tanh"]}, "relu"]},
    "global_avg_pool",
    "flatten",
    {"linear": {"out": 12}},
    "log_softmax",
    {"residual": ["softmax"]},
    {"linear": {"out": 10}},
]
ENDINGS = {
    "none": ("cross_entropy", []),
    "softmax": ("cross_entropy", ["softmax"]),
    "log_softmax": ("nll", ["log_softmax"]),
}
IMAGES = synthetic_digits(50)[0]


def model_of(network, size=28, loss="cross_entropy", rung="net-7.1"):
    """Return a Model with weights drawn from a seed, and statistics of batch normalisation as after a training."""
    recipe = small(rung=rung, network=network, input={"size": size}, loss=loss)
    state, generator = build(recipe, seed=7).state_dict(), torch.Generator().manual_seed(7)
    for name, tensor in state.items():
        if name.endswith("running_mean"):
            tensor.normal_(generator=generator)
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
    return Model(recipe, 7, state)


def told_apart(model):
    """Return a Model that ends in a linear layer, with that layer changed so that no class is the likeliest always."""
    *_, weight, bias = model.weights
    scores = model.probabilities(IMAGES).log()
    larger = 2 / scores.std(0, correction=0).max().item()
    moved = larger * (model.weights[bias] - scores.mean(0)).to(torch.float32)
    return Model(model.recipe, model.seed, model.weights | {weight: larger * model.weights[weight], bias: moved})


def in_onnxruntime(model):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    from ladder.models.onnx_graph import IMAGES, onnx_model

    session = onnxruntime.InferenceSession(onnx_model(model), providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {IMAGES: images})[0]


def in_c(model):
    return compiled(c_header(model), model)


@pytest.mark.parametrize("export", [in_onnxruntime, in_c])
@pytest.mark.parametrize("size", [28, 32, 17])
def test_every_word_says_what_the_engine_says(export, size):
    model = told_apart(model_of(ALL_WORDS, size))
    found = export(model)(IMAGES.numpy())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.probabilities(IMAGES).numpy(), atol=2e-5)
    assert np.ptp(found, axis=0).max() > 0.05, "the images are told apart"


@pytest.mark.parametrize("export", [in_onnxruntime, in_c])
def test_a_mean_for_each_channel_may_be_a_list_of_one(export):
    network = ["flatten", {"linear": {"out": 10}}, "log_softmax"]
    one, listed = model_of(network, loss="nll"), model_of(network, loss="nll")
    given = {"size": 28, "mean": [one.recipe.input.mean], "std": [one.recipe.input.std]}
    listed = replace(listed, recipe=small(rung="net-7.1", network=network, input=given, loss="nll"))
    np.testing.assert_array_equal(export(listed)(IMAGES.numpy()), export(one)(IMAGES.numpy()))
    assert "0.1307 is subtracted" in model_card(listed, "x", 1, 100, "0")


@pytest.mark.parametrize("export", [in_onnxruntime, in_c])
@pytest.mark.parametrize("ending", ENDINGS)
def test_probabilities_come_out_whatever_the_network_ends_in(export, ending):
    loss, last = ENDINGS[ending]
    model = model_of(["flatten", {"linear": {"out": 10}}, *last], loss=loss)
    found = export(model)(IMAGES.numpy())
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(found, model.probabilities(IMAGES).numpy(), atol=2e-6)


@pytest.mark.parametrize(
    ("export", "module", "said"), [(in_onnxruntime, "onnx_graph", "ONNX"), (in_c, "c_header", "C")]
)
def test_a_word_without_an_export_is_told_in_one_line(export, module, said, monkeypatch):
    if export is in_onnxruntime:
        pytest.importorskip("onnx", reason="the extra `export` is not installed")
    monkeypatch.delitem(importlib.import_module(f"ladder.models.{module}")._WORDS, "max_pool")
    model = model_of([{"residual": ["tanh", {"max_pool": {"kernel": 1}}]}, "flatten", {"linear": {"out": 10}}])
    with pytest.raises(LadderError, match=rf"layer 1\.2: the word 'max_pool' cannot be exported to {said} yet"):
        export(model)


def test_weights_of_another_network_are_refused():
    model = model_of(["flatten", {"linear": {"out": 10}}])
    other = Model(model.recipe, 0, model.weights | {"3_linear.weight": torch.zeros(1)})
    with pytest.raises(LadderError, match="do not fit"):
        trained_layers(other)


def test_a_header_says_its_size_and_is_used_as_it_says(tmp_path):
    """A program of its own with two models in it; the size of the constants is counted from the compiled object."""
    names = []
    for rung in ("net-7.1", "7"):
        model = model_of(["flatten", {"linear": {"out": 10}}], rung=rung)
        names.append(c_name(rung))
        header = c_header(model)
        (tmp_path / f"{names[-1]}.h").write_text(header)
        assert f"7,850 parameters; {4 * 7850:,} bytes of constants, {4 * (784 + 10):,} bytes" in header
    assert names == ["net_7_1", "net_7"]
    includes = "".join(f'#include "{name}.h"\n' for name in names)
    calls = "".join(f"    {name}_predict(image, p);\n" for name in names)
    program = f"""{includes}#include <stdio.h>
int main(void) {{
    unsigned char image[784] = {{0}};
    float p[10];
{calls}    for (int i = 0; i < 10; i++) printf("%.6f ", p[i]);
    return 0;
}}
"""
    (tmp_path / "main.c").write_text(program)
    compiler = [sys.executable, "-m", "ziglang", "cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]
    done = subprocess.run([*compiler, "main.c", "-o", "main", "-lm"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    found = np.array([float(value) for value in said.split()])
    blank = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    np.testing.assert_allclose(found, model.probabilities(blank).numpy()[0], atol=2e-6)


def test_an_export_that_says_something_else_is_refused():
    model = model_of(["flatten", {"linear": {"out": 10}}])
    ours = model.probabilities(IMAGES).numpy()
    told = agreement(model, lambda images: ours + 1e-5, IMAGES, "out.h").told()
    assert told == "all 50 test images read as by the engine, probabilities differ by 1.0e-05 at most"
    swapped = ours[:, ::-1]
    with pytest.raises(LadderError, match=r"out\.h: its probabilities differ"):
        agreement(model, lambda images: swapped, IMAGES, "out.h")
    with pytest.raises(LadderError, match="nan"):
        agreement(model, lambda images: ours * np.nan, IMAGES, "out.h")


def test_a_good_file_stays_where_the_new_one_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    processed_folder("mnist").mkdir(parents=True)
    (processed_folder("mnist") / "test.safetensors").touch()
    model, kept = model_of(["flatten", {"linear": {"out": 10}}]), Path("net.h")
    monkeypatch.setattr("ladder.models.weights.find", lambda rung: model)
    monkeypatch.setattr(export_command, "read_split", lambda name: Split(IMAGES, None))
    export_command.main(["net", "--c", "net.h"])
    good = kept.read_bytes()
    assert f"{len(good):,} bytes; all 50 test images read as by the engine" in capsys.readouterr().out
    monkeypatch.setattr(export_command, "export_c", lambda model: (b"bad", lambda images: np.zeros((50, 10))))
    with pytest.raises(LadderError, match=r"net\.h: its probabilities differ .* not written"):
        export_command.main(["net", "--c", "net.h"])
    assert kept.read_bytes() == good


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere/a.h", "argument --c: there is no folder nowhere; make it first"),
        ("here", "argument --c: here is a folder; name a file in it"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_any_work(tmp_path, path, said):
    (tmp_path / "here").mkdir()
    done = run_module("commands.export", tmp_path, "quick", "--c", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [found.name for found in tmp_path.rglob("*")] == ["here"]


@pytest.mark.slow
def test_the_command_writes_both_and_says_that_they_agree(trained, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(trained[0], folder)
    assert run_module("commands.publish", folder, "quick").returncode == 0
    done = run_module("commands.export", folder, "quick", "--c", "quick.h")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("export: quick.h, ")
    assert "; all 500 test images read as by the engine, probabilities differ by " in done.stdout
    (folder / "data/sets/mnist/processed/test.safetensors").unlink()
    done = run_module("commands.export", folder, "quick", "--c", "quick.h")
    assert "not compared: there are no test images here" in done.stdout
    assert_one_clear_line(run_module("commands.export", folder, "quack", "--c", "a.h"), "there is no models/quack")
    assert_one_clear_line(run_module("commands.export", folder, "quikc", "--c", "a.h"), "published are: quick")
    assert run_module("commands.export", folder, "quick").returncode == 2
    (folder / "onnx.py").write_text("raise ModuleNotFoundError(name='onnx')")
    (folder / "onnxruntime.py").write_text("raise ModuleNotFoundError(name='onnxruntime')")
    lacking = run_module("commands.export", folder, "quick", "--onnx", "a.onnx")
    assert_one_clear_line(lacking, "--onnx needs the package onnxruntime: `python -m pip install onnx onnxruntime`")
    assert not Path(folder / "a.onnx").exists()
