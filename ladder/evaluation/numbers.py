"""Numbers as people read them: rounded by one rule wherever they are shown."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

NOISE = 9  # decimals; a mean of percentages carries a binary error of about 1e-14, which no longer counts here
NONE = "–"


def rounded(value: float, decimals: int) -> Decimal:
    """Return a finite value with that many decimals, a half to the even digit: 0.025 and 0.02499999999999 both to 0.02.

    Python's own `round` decides by the binary number, so the same step could be shown as 0.03 and as 0.02.
    """
    exact = Decimal(repr(round(float(value), NOISE)))
    return exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)


def number(value: float | None, decimals: int, sign: str = "") -> str:
    """Return a number with that many decimals, '–' for None. sign: '+' writes it in front, except before zero."""
    if value is None:
        return NONE
    near = rounded(value, decimals)
    return f"{near:{sign}f}" if near else f"{abs(near):f}"


def chance(value: float | None) -> str:
    """Return a p-value or a q-value as text, '–' for None."""
    return "< 0.001" if value is not None and value < 0.001 else number(value, 3)


def interval(ends: Mapping, decimals: int) -> str:
    """Return '[low, high]' of a mapping with these keys, '–' where one of them is None.

    An end that would round to 0 hides its sign. Then both ends get up to two decimals more.
    """
    both = (ends["low"], ends["high"])
    if None in both:
        return NONE
    enough = (more for more in range(decimals, decimals + 3) if all(rounded(end, more) for end in both))
    decimals = next(enough, decimals)
    return f"[{', '.join(number(end, decimals) for end in both)}]"
