"""The lanes' kernels for WebAssembly: the sources of ladder/lanes/kernels as they are, by the same locked compiler.

WebAssembly has no fused multiply-add; lanes.h then computes it exactly, so that the bits are those of any processor.
Vectors of 128 bits (simd128) are part of WebAssembly since 2021.
"""

import tempfile
from pathlib import Path

from ladder.compiler import compile_c
from ladder.lanes import build

CALLED = ("block_work", "block_forward", "normalise", "softmax_forward", "log_softmax_forward")
FLAGS = (
    "--target=wasm32-freestanding",
    "-msimd128",
    *(flag for flag in build.FLAGS if flag not in ("-shared", "-fPIC")),  # those of the library, which decide bits
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    *(f"-Wl,--export={name}" for name in (*CALLED, "__heap_base")),
)


def web_assembly(cache: Path) -> bytes:
    """Return the kernels as a WebAssembly module, which imports nothing. cache: a folder for the compiler's own files.

    Its exports are `CALLED`, `memory` and `__heap_base`, the first address that the module leaves free. Raises
    LadderError where it cannot be compiled.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "kernels.wasm"
        sources = sorted(map(str, build.KERNELS.glob("*.c")))
        compile_c("the WebAssembly of the kernels", [*FLAGS, *sources, "-o", str(made)], cache)
        return made.read_bytes()
