"""Sums that do not depend on the order of what is added: floats in, whole multiples of 2^-104 out, and back.

A float of at least 2^-52 is such a multiple, so that nothing of it is lost; the rest of a smaller one is cut off.
"""

from collections.abc import Sequence
from math import fsum
from typing import Final

BITS: Final = 104
ONE: Final = 1 << BITS
_SCALE: Final = float(ONE)
_PLAIN_MAX: Final = 1e270
_FEW: Final = 6


def whole(value: float) -> int:
    """One number as a multiple of 2^-104."""
    if isinstance(value, int):
        return value << BITS
    if -_PLAIN_MAX < value < _PLAIN_MAX:
        return int(value * _SCALE)
    numerator, denominator = value.as_integer_ratio()
    return (numerator << BITS) // denominator


def total(values: Sequence[float]) -> int:
    """The sum of numbers, exactly: `fsum` gives its first 53 bits, what is left of the numbers without them the rest,
    and where even that leaves something each is added as it is. One by one would cost five times as much."""
    if len(values) < _FEW:
        return sum(map(whole, values))
    try:
        head = fsum(values)
        rest = [*values, -head]
        tail = fsum(rest)
        rest.append(-tail)
        if fsum(rest) == 0.0:
            return whole(head) + whole(tail)
    except OverflowError:
        pass
    return sum(map(whole, values))


def plain(sum_: int) -> float:
    """The float nearest to a sum."""
    return quotient(sum_, ONE)


def quotient(a: int, b: int) -> float:
    """`a / b`, rounded once; infinite where no float is as large."""
    try:
        return a / b
    except OverflowError:
        return float("inf") if (a > 0) == (b > 0) else float("-inf")
