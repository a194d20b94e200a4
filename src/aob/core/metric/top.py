"""Ranks the most frequent values of a cell, or those with the largest sums of weights; estimates above a cap."""

from typing import Final, Self

import msgspec

from aob.core.metric.sketch import ENTRY_BYTES, CountingTexts, Frequent, items_of, new_frequent, read_frequent, untoken

RANKED_MAX: Final = 1_024  # values counted individually before the counts become estimates


UNIT_BITS: Final = 94  # weights are multiples of 2^-104; estimates are in multiples of 2^-10
_PART: Final = (1 << UNIT_BITS) - 1
TOTAL_MAX: Final = 1 << 62
"""Limit of the total weight of an estimate, a 64-bit sum. The excess is lost and included in the error."""


class _Kept(msgspec.Struct, array_like=True):
    cap: int
    lost: int
    counts: dict[str, int]
    rest: bytes
    sums: dict[str, str] | None = None
    """Sums of weights in hexadecimal: they exceed the integers of a page."""


_decode = msgspec.msgpack.Decoder(_Kept).decode


class Top(CountingTexts[Frequent]):
    """Counts values or sums their weights (integer multiples of 2^-104); the heaviest first, ties by text. None is
    ignored. Exact up to `cap` values (`EXACT_MAX` when `exact` is requested). Above, frequent items estimate: a count
    is off by at most `error` times the total; retractions and fractions of a unit of weight are lost."""

    __slots__ = ("_weighed",)

    def __init__(self, cap: int = RANKED_MAX, exact: bool = False) -> None:
        super().__init__(cap, exact)
        self._weighed = False

    def weigh(self, value: object, amount: int) -> None:
        self._weighed = True
        if amount:
            self.add(value, amount)

    def merge(self, other: Self) -> None:
        self._weighed = self._weighed or other._weighed
        super().merge(other)

    def value(self, k: int = 10) -> list[tuple[object, int]]:
        """The `k` most frequent values with their counts, or the heaviest with their sums of weights."""
        if self._rest is None:
            found = [(key, n) for key, n in self._counts.items() if n > 0]
        else:
            found = [(key, n << UNIT_BITS if self._weighed else n) for key, n in items_of(self._rest)]
        found.sort(key=lambda pair: (-pair[1], pair[0]))
        return [(untoken(key), count) for key, count in found[:k]]

    @property
    def error(self) -> float:
        """The error of a count as a share of the total (plus the lost retractions)."""
        if self._rest is None:
            return 0.0
        return self._rest.epsilon + self._lost / max(self._rest.total_weight, 1)

    def dump(self) -> bytes:
        rest = b"" if self._rest is None else self._rest.serialize()
        if not self._weighed:
            return msgspec.msgpack.encode(_Kept(self._cap, self._lost, self._counts, rest))
        sums = {key: format(amount, "x") for key, amount in self._counts.items()}
        return msgspec.msgpack.encode(_Kept(self._cap, self._lost, {}, rest, sums))

    @classmethod
    def load(cls, data: bytes) -> Self:
        kept = _decode(data)
        made = cls(kept.cap)
        made._counts, made._lost, made._weighed = kept.counts, kept.lost, kept.sums is not None
        if kept.sums is not None:
            made._counts = {key: int(amount, 16) for key, amount in kept.sums.items()}
        made._rest = read_frequent(kept.rest) if kept.rest else None
        return made

    def size(self) -> int:
        return ENTRY_BYTES * (len(self._counts) + (self._rest.num_active_items if self._rest else 0)) + 100

    def _new(self) -> Frequent:
        return new_frequent()

    def _join(self, rest: Frequent, other: Frequent) -> None:
        if rest.total_weight + other.total_weight > TOTAL_MAX:
            self._lost += other.total_weight
        else:
            rest.merge(other)

    def _feed(self, rest: Frequent, counts: dict[str, int]) -> None:
        for key, count in counts.items():
            units, part = (abs(count) >> UNIT_BITS, abs(count) & _PART) if self._weighed else (abs(count), 0)
            taken = min(units, TOTAL_MAX - rest.total_weight) if count > 0 else 0
            if taken > 0:
                rest.update(key, taken)
            self._lost += units - max(taken, 0) + bool(part)
