"""Write a trained model as an ONNX file or as a C header, and compare it with the engine on all test images.

Usage:  python -m commands.export champion --onnx champion.onnx
        python -m commands.export champion --c champion.h
        python -m commands.export --onnx model.onnx      what `make repro` trained
Reads:  models/<rung>.safetensors, or without a rung reports/recipe.yaml and data/models/;
        data/sets/mnist/processed/test.safetensors
Writes: the files named, once they are compared

ONNX: the graph maps `images`, uint8 [N, 1, 28, 28], to `probabilities`, float32 [N, 10]. Needs the packages onnx and
onnxruntime. C: a header with one function, `void <rung>_predict(const unsigned char image[784], float
probabilities[10])`, that allocates nothing. Images are as MNIST's, the digit white on black: see commands.predict.
"""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ladder.command import name, new_file, parser, run_stage
from ladder.data.splits import preprocess, read_split
from ladder.exceptions import LadderError
from ladder.files import write_bytes
from ladder.paths import DEFAULT_DATA, processed_folder

if TYPE_CHECKING:
    import numpy as np

    from ladder.models.weights import Model


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments. A wrong one ends the program with exit code 2."""
    reader = parser("commands.export", __doc__)
    reader.add_argument("rung", nargs="?", type=name, help="a published model; without it the one just trained")
    reader.add_argument("--onnx", type=new_file, metavar="FILE.onnx", help="write an ONNX file")
    reader.add_argument("--c", type=new_file, metavar="FILE.h", help="write a C header")
    asked = reader.parse_args(given)
    if not (asked.onnx or asked.c):
        reader.error("say what to write: --onnx FILE.onnx or --c FILE.h")
    return asked


def export_onnx(model: "Model") -> "tuple[bytes, Callable[[np.ndarray], np.ndarray]]":
    """Return the content of an ONNX file and the function of images that onnxruntime computes with it."""
    try:
        import onnxruntime

        from ladder.models.onnx_graph import IMAGES, onnx_model
    except ModuleNotFoundError as error:
        raise LadderError(f"--onnx needs the package {error.name}: `python -m pip install onnx onnxruntime`") from None
    content = onnx_model(model)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda images: session.run(None, {IMAGES: images})[0]


def export_c(model: "Model") -> "tuple[bytes, Callable[[np.ndarray], np.ndarray]]":
    """Return the content of a C header and the function of images that it is when compiled here."""
    from ladder.models.c_header import c_header, compiled

    text = c_header(model)
    return text.encode(), compiled(text, model)


def main(given: list[str] | None = None) -> None:
    asked = arguments(given)
    from ladder.models import weights  # imports torch, which takes seconds
    from ladder.models.checks import agreement

    model = weights.find(asked.rung)
    images = read_split("test").images if (processed_folder(DEFAULT_DATA) / "test.safetensors").is_file() else None
    for path, export in ((asked.onnx, export_onnx), (asked.c, export_c)):
        if path is None:
            continue
        content, computed = export(model)
        checked = f"not compared: there are no test images here, `dvc repro {preprocess(DEFAULT_DATA)}` brings them"
        if images is not None:
            checked = agreement(model, computed, images, path).told()
        write_bytes(path, content)  # the last step, since a good file may be there already
        print(f"export: {path}, {len(content):,} bytes; {checked}")


if __name__ == "__main__":
    run_stage("export", main)
