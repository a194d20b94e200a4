"""Counts the different values of a cell, with retractions; estimates above a cap."""

from typing import Final, Self

import msgspec

from aob.core.metric.sketch import (
    ENTRY_BYTES,
    HLL_LOG2,
    CountingTexts,
    HllUnion,
    hll_error,
    new_union,
    union_bytes,
    union_into,
)

DISTINCT_MAX: Final = 1_024  # values counted individually before the count becomes an estimate


class _Kept(msgspec.Struct, array_like=True):
    cap: int
    lost: int
    counts: dict[str, int]
    rest: bytes


_decode = msgspec.msgpack.Decoder(_Kept).decode


class Distinct(CountingTexts[HllUnion]):
    """Counts a value while it was added more often than retracted. None and missing values are ignored. Exact up to
    `cap` values (`EXACT_MAX` when `exact` is requested). Above, HyperLogLog estimates; a retraction is then lost and
    included in `error`."""

    __slots__ = ()

    def __init__(self, cap: int = DISTINCT_MAX, exact: bool = False) -> None:
        super().__init__(cap, exact)

    def value(self) -> int:
        """The number of different values."""
        if self._rest is None:
            return sum(count > 0 for count in self._counts.values())
        # A union with itself drops the estimator that depends on the order of updates.
        told = new_union()
        union_into(told, self._rest)
        union_into(told, self._rest)
        return round(told.get_estimate())

    @property
    def error(self) -> float:
        """Relative error of `value` (two standard deviations, plus the lost retractions)."""
        return 0.0 if self._rest is None else hll_error() + self._lost / max(self.value(), 1)

    def dump(self) -> bytes:
        rest = b"" if self._rest is None else union_bytes(self._rest)
        return msgspec.msgpack.encode(_Kept(self._cap, self._lost, self._counts, rest))

    @classmethod
    def load(cls, data: bytes) -> Self:
        kept = _decode(data)
        made = cls(kept.cap)
        made._counts, made._lost = kept.counts, kept.lost
        if kept.rest:
            made._rest = new_union()
            union_into(made._rest, kept.rest)
        return made

    def size(self) -> int:
        return ENTRY_BYTES * len(self._counts) + (2**HLL_LOG2 if self._rest else 0) + 100

    def _new(self) -> HllUnion:
        return new_union()

    def _join(self, rest: HllUnion, other: HllUnion) -> None:
        union_into(rest, other)

    def _feed(self, rest: HllUnion, counts: dict[str, int]) -> None:
        for key, count in counts.items():
            if count > 0:
                rest.update(key)
            else:
                self._lost -= count
