"""exp, log, tanh, erf, square root and the fused multiply-add of the kernels, against float64."""

import ctypes
import math
import platform
from fractions import Fraction

import pytest
import torch
from scipy import special

from ladder.lanes.build import NATIVE, library

LESSER = ("haswell", "x86_64") if platform.machine().lower() in ("x86_64", "amd64") else ("generic",)
ODD = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, -1e-45, 1e-39, 1.1754944e-38, 3.4028235e38, -3.4028235e38]


def apply(name, *inputs, cpu=NATIVE):
    """Return a function of the kernels over float32 vectors of one length."""
    length = len(inputs[0])
    padded = [torch.nn.functional.pad(x, (0, -length % 16)) for x in inputs]
    out = torch.empty_like(padded[0])
    pointers = [ctypes.c_void_p(x.data_ptr()) for x in (out, *padded)]
    getattr(library(cpu), f"{name}_forward")(*pointers, ctypes.c_ssize_t(len(out) // 16))
    return out[:length]


def samples(name):
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(200_000, generator=generator, dtype=torch.float64)
    tiny = 10 ** (uniform * 83 - 45)  # from the least denormal to the largest number
    if name == "exp":
        values = [uniform * 193 - 104, uniform - 0.5]
    elif name in ("log", "sqrt"):
        values = [tiny, uniform * 1.5 + 0.5]
    else:
        values = [uniform * 12 - 6, uniform * 2 - 1, tiny, -tiny]
    return torch.cat([*values, torch.tensor(ODD, dtype=torch.float64)]).to(torch.float32)


@pytest.mark.parametrize(
    ("name", "exact", "limit"),
    [
        ("exp", torch.exp, 1.1),
        ("log", torch.log, 0.9),
        ("tanh", torch.tanh, 1.4),
        ("erf", torch.erf, 1.3),
        ("sqrt", torch.sqrt, 0.5),
    ],
)
def test_errors_stay_within_units_in_the_last_place(name, exact, limit):
    x = samples(name)
    y, expected = apply(name, x), exact(x.to(torch.float64))
    if name == "erf":
        expected = torch.from_numpy(special.erf(x.to(torch.float64).numpy()))
    rounded = expected.to(torch.float32)
    finite = rounded.isfinite()
    assert torch.equal(y[~finite].nan_to_num(), rounded[~finite].nan_to_num())
    assert torch.equal(y[~finite].isnan(), rounded[~finite].isnan())
    unit = torch.nextafter(rounded.abs(), torch.tensor(math.inf)).to(torch.float64) - rounded.abs().to(torch.float64)
    errors = (y.to(torch.float64) - expected).abs() / unit
    assert errors[finite].max() <= limit


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf", "sqrt"])
@pytest.mark.parametrize("cpu", LESSER)
def test_every_processor_gives_the_same_bits(name, cpu):
    x = samples(name)
    x = x[~x.isnan()]
    here, there = apply(name, x), apply(name, x, cpu=cpu)
    both = here.isnan() & there.isnan()  # a NaN's sign is the processor's own
    assert torch.equal(here.view(torch.int32)[~both], there.view(torch.int32)[~both])


@pytest.mark.parametrize("cpu", [NATIVE, *LESSER])
def test_fused_multiply_add_rounds_once(cpu):
    generator = torch.Generator().manual_seed(1)
    a, b, c = torch.randn(3, 4000, generator=generator) * 2.0 ** torch.randint(-30, 30, (3, 4000), generator=generator)
    c[::2] = -(a * b)[::2]  # the sums cancel
    c[1::4] *= 1e-30
    a[::7] *= 1e-25  # results are denormal
    triples = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    expected = [float(nearest(Fraction(p) * Fraction(q) + Fraction(r))) for p, q, r in triples]
    assert apply("fused", a, b, c, cpu=cpu).tolist() == expected


@pytest.mark.parametrize("cpu", [NATIVE, *LESSER])
def test_fused_multiply_add_of_odd_numbers(cpu):
    a, b, c = torch.cartesian_prod(*[torch.tensor([*ODD, 1.0, -2.0])] * 3).T.contiguous()
    expected = (a.double() * b.double() + c.double()).float()  # right where a sum is exact, infinite or not a number
    exact = (a.double() * b.double() + c.double() - c.double() == a.double() * b.double()) | ~expected.isfinite()
    y = apply("fused", a, b, c, cpu=cpu)
    assert torch.equal(y[exact].nan_to_num(7.0), expected[exact].nan_to_num(7.0))


def nearest(value):
    """Return the float32 nearest to a Fraction, ties to even."""
    if not value:
        return 0.0
    exponent = max(math.floor(math.log2(abs(value))), -126)
    for e in (exponent - 1, exponent, exponent + 1):
        unit = Fraction(2) ** (max(e, -126) - 23)
        count = round(value / unit)  # ties to even
        if abs(count) <= 2**24:
            return math.inf * count if abs(count * unit) >= Fraction(2) ** 128 else count * unit
    raise AssertionError(value)
