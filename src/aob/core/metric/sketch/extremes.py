"""The lowest and highest number of a cell: numbers with signs in, the bounds out."""

from typing import Final, Self

import msgspec

from aob.core.metric.sketch.counted import ENTRY_BYTES, EXACT_MAX, shift

UNKNOWN: Final = 1.0
"""The error of a bound that may have been taken back: nothing is known of it."""


class _Kept(msgspec.Struct, array_like=True):
    cap: int
    lost: int
    counts: dict[float, int]
    low: float | None
    high: float | None


_decode = msgspec.msgpack.Decoder(_Kept).decode


class Extremes:
    """Two numbers; when `exact` is asked for, all of them up to `EXACT_MAX`, so that one can be taken back.

    Without, or above that, a retraction is lost, and the bounds are no longer exact.
    """

    __slots__ = ("_cap", "_counts", "_high", "_lost", "_low")

    def __init__(self, exact: bool = False, cap: int = 0) -> None:
        self._cap = max(cap, EXACT_MAX) if exact else cap
        self._counts: dict[float, int] = {}
        self._low: float | None = None
        self._high: float | None = None
        self._lost = 0

    def add(self, value: float, sign: int = 1) -> None:
        """See a number `sign` times more (less, when below zero)."""
        if self._cap:
            shift(self._counts, float(value), sign)
            if len(self._counts) > self._cap:
                self._spill()
        else:
            self._see(float(value), sign)

    def merge(self, other: "Extremes") -> None:
        """Take in what another has seen; that one stays as it is."""
        self._lost += other._lost
        if not (other._cap or other._low is None) and self._cap:
            self._spill()
        for number in (other._low, other._high):
            if number is not None:
                self._see(number, 1)
        for number, count in other._counts.items():
            self.add(number, count)

    @property
    def low(self) -> float | None:
        """The lowest number; None of nothing."""
        if self._cap:
            return min((number for number, count in self._counts.items() if count > 0), default=None)
        return self._low

    @property
    def high(self) -> float | None:
        """The highest number; None of nothing."""
        if self._cap:
            return max((number for number, count in self._counts.items() if count > 0), default=None)
        return self._high

    @property
    def exact(self) -> bool:
        """Whether no retraction was lost."""
        return not self._lost

    @property
    def error(self) -> float:
        """0, or `UNKNOWN` once a retraction was lost."""
        return UNKNOWN if self._lost else 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing is kept."""
        return self._low is None and not self._counts and not self._lost

    def dump(self) -> bytes:
        """All of it as bytes."""
        return msgspec.msgpack.encode(_Kept(self._cap, self._lost, self._counts, self._low, self._high))

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The sketch of its bytes."""
        kept = _decode(data)
        made = cls(cap=kept.cap)
        made._lost, made._counts, made._low, made._high = kept.lost, kept.counts, kept.low, kept.high
        return made

    def size(self) -> int:
        """Bytes of memory, roughly."""
        return ENTRY_BYTES * len(self._counts) + 100

    def _see(self, number: float, sign: int) -> None:
        if sign < 0:
            self._lost -= sign
            return
        self._low = number if self._low is None or number < self._low else self._low
        self._high = number if self._high is None or number > self._high else self._high

    def _spill(self) -> None:
        self._cap = 0
        counts, self._counts = self._counts, {}
        for number, count in counts.items():
            self._see(number, count)
