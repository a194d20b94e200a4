"""Quantiles, minimum and maximum of the numbers of a cell, with retractions."""

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final, Self

import msgspec

from aob.core.metric.sketch import ENTRY_BYTES, EXACT_MAX, KLL_K, Counting, Kll, new_kll, read_kll, shift

UNKNOWN: Final = 1.0  # the error of a bound that may have been retracted: it is unknown
MEASURED_MAX: Final = 512  # different numbers counted individually before quantiles become estimates
_ITEM_BYTES: Final = 8


class _Bounds(msgspec.Struct, array_like=True):
    cap: int
    lost: int
    counts: dict[float, int]
    low: float | None
    high: float | None


_decode_bounds = msgspec.msgpack.Decoder(_Bounds).decode


class Extremes:
    """The minimum and maximum; when `exact` is requested, all numbers up to `EXACT_MAX`, so that one can be retracted.
    Without it, or above that, a retraction is lost, and the bounds are no longer exact."""

    __slots__ = ("_cap", "_counts", "_high", "_lost", "_low")

    def __init__(self, exact: bool = False, cap: int = 0) -> None:
        self._cap = max(cap, EXACT_MAX) if exact else cap
        self._counts: dict[float, int] = {}
        self._low: float | None = None
        self._high: float | None = None
        self._lost = 0

    def add(self, value: float, sign: int = 1) -> None:
        """Add a number `sign` times (retract it when negative)."""
        if self._cap:
            shift(self._counts, float(value), sign)
            if len(self._counts) > self._cap:
                self._spill()
        else:
            self._see(float(value), sign)

    def merge(self, other: "Extremes") -> None:
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
        """The minimum; None when empty."""
        if self._cap:
            return min((number for number, count in self._counts.items() if count > 0), default=None)
        return self._low

    @property
    def high(self) -> float | None:
        """The maximum; None when empty."""
        if self._cap:
            return max((number for number, count in self._counts.items() if count > 0), default=None)
        return self._high

    @property
    def exact(self) -> bool:
        return not self._lost

    @property
    def error(self) -> float:
        """0, or `UNKNOWN` once a retraction was lost."""
        return UNKNOWN if self._lost else 0.0

    @property
    def empty(self) -> bool:
        return self._low is None and not self._counts and not self._lost

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(_Bounds(self._cap, self._lost, self._counts, self._low, self._high))

    @classmethod
    def load(cls, data: bytes) -> Self:
        kept = _decode_bounds(data)
        made = cls(cap=kept.cap)
        made._lost, made._counts, made._low, made._high = kept.lost, kept.counts, kept.low, kept.high
        return made

    def size(self) -> int:
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


class _Kept(msgspec.Struct, array_like=True):
    cap: int
    k: int
    lost: int
    counts: dict[float, int]
    rest: bytes


_decode = msgspec.msgpack.Decoder(_Kept).decode


class Quantiles(Counting[float, Kll]):
    """Exact up to `MEASURED_MAX` different numbers (`EXACT_MAX` when `exact` is requested). Above, KLL of width `k`
    estimates: ranks are off by at most `error`, as a share of all numbers, in 99 of 100 cases; retractions are then
    lost."""

    __slots__ = ("_k",)

    def __init__(self, k: int = KLL_K, exact: bool = False, cap: int = MEASURED_MAX) -> None:
        super().__init__(cap, exact)
        self._k = k

    def add(self, value: float, sign: int = 1) -> None:
        """Add a number `sign` times (retract it when negative)."""
        if self._rest is None:
            shift(self._counts, float(value), sign)
            if len(self._counts) > self._cap:
                self._spill()
        elif sign > 0:
            for _ in range(sign):
                self._rest.update(value)
        else:
            self._lost -= sign

    def add_all(self, values: Sequence[float], sign: int = 1) -> None:
        """Add each of these numbers once (`sign` 1) or retract it, as `add` would one by one."""
        at, counts = 0, self._counts
        while self._rest is None and at < len(values):
            end = at + self._cap + 1 - len(counts)  # the cap is exceeded here at the earliest
            new: dict[float, int] = Counter(map(float, values[at:end]))
            if sign < 0:
                new = {value: -count for value, count in new.items()}
            for value in counts.keys() & new.keys():
                shift(counts, value, new.pop(value))
            counts |= new
            at = end
            if len(counts) > self._cap:
                self._spill()
        if self._rest is not None and sign > 0:
            deque(map(self._rest.update, values[at:]), 0)
        elif at < len(values):
            self._lost += len(values) - at

    def values(self, quantiles: Iterable[float]) -> list[float | None]:
        """The numbers at several quantiles (0 to 1); None when empty."""
        if self._rest is not None:
            kll = self._rest
            return [kll.get_quantile(q, True) if kll.n else None for q in quantiles]
        return _nearest(self._counts, list(quantiles))

    @property
    def error(self) -> float:
        """The error of a rank as a share of all numbers (plus the lost retractions)."""
        if self._rest is None:
            return 0.0
        return self._rest.normalized_rank_error(False) + self._lost / max(self._rest.n, 1)

    def dump(self) -> bytes:
        rest = b"" if self._rest is None else self._rest.serialize()
        return msgspec.msgpack.encode(_Kept(self._cap, self._k, self._lost, self._counts, rest))

    @classmethod
    def load(cls, data: bytes) -> Self:
        kept = _decode(data)
        made = cls(kept.k, cap=kept.cap)
        made._counts, made._lost = kept.counts, kept.lost
        made._rest = read_kll(kept.rest) if kept.rest else None
        return made

    def size(self) -> int:
        return ENTRY_BYTES * len(self._counts) + (_ITEM_BYTES * self._rest.num_retained if self._rest else 0) + 100

    def _spill(self) -> Kll:
        counts, self._counts = self._counts, {}
        self._rest = self._built(counts)
        return self._rest

    def _join(self, rest: Kll, other: Kll) -> None:
        rest.merge(other)

    def _feed(self, rest: Kll, counts: dict[float, int]) -> None:
        rest.merge(self._built(counts))

    def _built(self, counts: dict[float, int]) -> Kll:
        """Build quantiles from counts. A count may be millions, so it is added bit by bit: the sketch of the higher
        bits is doubled by merging it with itself, and each lower bit adds its numbers once."""
        self._lost -= sum(count for count in counts.values() if count < 0)
        built = new_kll(self._k)
        for bit in reversed(range(max(counts.values(), default=0).bit_length() if counts else 0)):
            if built.n:
                built.merge(read_kll(built.serialize()))
            for number, count in counts.items():
                if count > 0 and count >> bit & 1:
                    built.update(number)
        return built


def _nearest(counts: dict[float, int], quantiles: list[float]) -> list[float | None]:
    held = sorted((number, count) for number, count in counts.items() if count > 0)
    total = sum(count for _, count in held)
    if not total:
        return [None] * len(quantiles)
    found: list[float | None] = [None] * len(quantiles)
    wanted = sorted(range(len(quantiles)), key=lambda index: quantiles[index], reverse=True)
    passed = 0
    for number, count in held:
        passed += count
        while wanted and passed >= _rank(quantiles[wanted[-1]], total):
            found[wanted.pop()] = number
    return found


def _rank(quantile: float, total: int) -> int:
    """The rank of a quantile among `total` numbers, from 1. 0.07 x 100 is 7.000000000000001 and means 7."""
    return min(max(math.ceil(quantile * total - 1e-9 * total), 1), total)
