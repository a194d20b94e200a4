"""Counts the texts of JSON values in a cell, with retractions: how many differ (`Distinct`), and which are the most
frequent or have the largest sums of weights (`Top`). Estimates above a cap."""

from typing import Final, Self

import msgspec

from aob.core.ingest.shape import INT_MAX, INT_MIN
from aob.core.metric import sketch
from aob.core.metric.sketch import ENTRY_BYTES, Counting, Rest, shift
from aob.core.value import canonical, decode

DISTINCT_MAX: Final = 1_024  # values counted individually before the count becomes an estimate
RANKED_MAX: Final = 1_024  # values counted individually before the counts become estimates
UNIT_BITS: Final = 94  # weights are multiples of 2^-104; estimates are in multiples of 2^-10
_PART: Final = (1 << UNIT_BITS) - 1
TOTAL_MAX: Final = 1 << 62
"""Limit of the total weight of an estimate, a 64-bit sum. The excess is lost and included in the error."""
_MARK: Final = "\0"


class _Kept(msgspec.Struct, array_like=True):
    cap: int
    lost: int
    counts: dict[str, int]
    rest: bytes


class _Ranked(_Kept, array_like=True):
    sums: dict[str, str] | None = None
    """Sums of weights in hexadecimal: they exceed the integers of a page."""


_kept = msgspec.msgpack.Decoder(_Kept).decode
_ranked = msgspec.msgpack.Decoder(_Ranked).decode


class CountingTexts(Counting[str, Rest]):
    """Counts JSON values by their texts."""

    __slots__ = ()

    def add(self, value: object, sign: int = 1) -> None:
        """Add a value `sign` times (retract it when negative). None and UNSET are ignored."""
        if value is None or value is msgspec.UNSET:
            return
        key = token(value)
        if self._rest is None:
            shift(self._counts, key, sign)
            if len(self._counts) > self._cap:
                self._spill()
        else:
            self._feed(self._rest, {key: sign})


def token(value: object) -> str:
    """A JSON value as text: equal values have equal texts (1 and 1.0 are equal, true and 1 are not)."""
    if type(value) is str:
        return value if not value.startswith(_MARK) else _MARK + canonical(value).decode()
    if type(value) is float and value.is_integer():
        value = int(value)
    return _MARK + canonical(value).decode()


def untoken(text: str) -> object:
    """The inverse of `token`."""
    if not text.startswith(_MARK):
        return text
    found: object = decode(text[1:])
    if type(found) is int and not INT_MIN <= found <= INT_MAX:
        return float(found)  # beyond 64 bits it was a double
    return found


class Distinct(CountingTexts[sketch.HllUnion]):
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
        told = sketch.new_union()
        sketch.union_into(told, self._rest)
        sketch.union_into(told, self._rest)
        return round(told.get_estimate())

    @property
    def error(self) -> float:
        """Relative error of `value` (two standard deviations, plus the lost retractions)."""
        return 0.0 if self._rest is None else sketch.hll_error() + self._lost / max(self.value(), 1)

    def dump(self) -> bytes:
        rest = b"" if self._rest is None else sketch.union_bytes(self._rest)
        return msgspec.msgpack.encode(_Kept(self._cap, self._lost, self._counts, rest))

    @classmethod
    def load(cls, data: bytes) -> Self:
        kept = _kept(data)
        made = cls(kept.cap)
        made._counts, made._lost = kept.counts, kept.lost
        if kept.rest:
            made._rest = sketch.new_union()
            sketch.union_into(made._rest, kept.rest)
        return made

    def size(self) -> int:
        return ENTRY_BYTES * len(self._counts) + (2**sketch.HLL_LOG2 if self._rest else 0) + 100

    def _new(self) -> sketch.HllUnion:
        return sketch.new_union()

    def _join(self, rest: sketch.HllUnion, other: sketch.HllUnion) -> None:
        sketch.union_into(rest, other)

    def _feed(self, rest: sketch.HllUnion, counts: dict[str, int]) -> None:
        for key, count in counts.items():
            if count > 0:
                rest.update(key)
            else:
                self._lost -= count


class Top(CountingTexts[sketch.Frequent]):
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
            found = [(key, n << UNIT_BITS if self._weighed else n) for key, n in sketch.items_of(self._rest)]
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
            return msgspec.msgpack.encode(_Ranked(self._cap, self._lost, self._counts, rest))
        sums = {key: format(amount, "x") for key, amount in self._counts.items()}
        return msgspec.msgpack.encode(_Ranked(self._cap, self._lost, {}, rest, sums))

    @classmethod
    def load(cls, data: bytes) -> Self:
        kept = _ranked(data)
        made = cls(kept.cap)
        made._counts, made._lost, made._weighed = kept.counts, kept.lost, kept.sums is not None
        if kept.sums is not None:
            made._counts = {key: int(amount, 16) for key, amount in kept.sums.items()}
        made._rest = sketch.read_frequent(kept.rest) if kept.rest else None
        return made

    def size(self) -> int:
        return ENTRY_BYTES * (len(self._counts) + (self._rest.num_active_items if self._rest else 0)) + 100

    def _new(self) -> sketch.Frequent:
        return sketch.new_frequent()

    def _join(self, rest: sketch.Frequent, other: sketch.Frequent) -> None:
        if rest.total_weight + other.total_weight > TOTAL_MAX:
            self._lost += other.total_weight
        else:
            rest.merge(other)

    def _feed(self, rest: sketch.Frequent, counts: dict[str, int]) -> None:
        for key, count in counts.items():
            units, part = (abs(count) >> UNIT_BITS, abs(count) & _PART) if self._weighed else (abs(count), 0)
            taken = min(units, TOTAL_MAX - rest.total_weight) if count > 0 else 0
            if taken > 0:
                rest.update(key, taken)
            self._lost += units - max(taken, 0) + bool(part)
