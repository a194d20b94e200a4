"""How many different values a cell has seen: values with signs in, their number out, estimated above a cap."""

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

DISTINCT_MAX: Final = 1_024
"""Values that are kept one by one before the count becomes an estimate."""


class _Kept(msgspec.Struct, array_like=True):
    cap: int
    lost: int
    counts: dict[str, int]
    rest: bytes


_decode = msgspec.msgpack.Decoder(_Kept).decode


class Distinct(CountingTexts[HllUnion]):
    """A value counts while it was added more often than retracted. None (and what is not there) is no value.

    Up to `cap` values (`EXACT_MAX` when `exact` is asked for) it is exact. Above, HyperLogLog estimates; a retraction
    is then lost and told in `error`.
    """

    __slots__ = ()

    def __init__(self, cap: int = DISTINCT_MAX, exact: bool = False) -> None:
        super().__init__(cap, exact)

    def value(self) -> int:
        """How many different values there are."""
        if self._rest is None:
            return sum(count > 0 for count in self._counts.values())
        # Joined with itself it leaves the estimator that depends on the order in which values came.
        told = new_union()
        union_into(told, self._rest)
        union_into(told, self._rest)
        return round(told.get_estimate())

    @property
    def error(self) -> float:
        """How far off `value` may be, relative (two standard deviations, and the retractions that were lost)."""
        return 0.0 if self._rest is None else hll_error() + self._lost / max(self.value(), 1)

    def dump(self) -> bytes:
        """All of it as bytes."""
        rest = b"" if self._rest is None else union_bytes(self._rest)
        return msgspec.msgpack.encode(_Kept(self._cap, self._lost, self._counts, rest))

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The sketch of its bytes."""
        kept = _decode(data)
        made = cls(kept.cap)
        made._counts, made._lost = kept.counts, kept.lost
        if kept.rest:
            made._rest = new_union()
            union_into(made._rest, kept.rest)
        return made

    def size(self) -> int:
        """Bytes of memory, roughly."""
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
