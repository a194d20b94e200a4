"""Counts values with signs up to a cap; above, a sketch of `datasketches` estimates. A count may be negative for a
while: a retraction can be folded before its value. Sketches cannot retract: lost retractions are part of the error.
Loading the library takes 0.3 s and 27 MB: `warm` does it beforehand, in a thread."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Generic, Protocol, Self, TypeVar

EXACT_MAX: Final = 65_536  # values counted individually when the metric asks for `exact`
ENTRY_BYTES: Final = 140  # approximate bytes of memory of one counted value

K = TypeVar("K", str, float)
Rest = TypeVar("Rest")
HLL_LOG2: Final = 12
"""Registers of a distinct count: 4,096, hence 4 KiB and an error of 3.2 % (two standard deviations)."""
KLL_K: Final = 200  # width of a quantile sketch: about 5 KiB, ranks that are off by at most 1.4 % in 99 of 100 cases
TOP_LOG2: Final = 12  # slots of a top list: 3,072 values, each off by at most 0.09 % of the total


def shift(counts: dict[K, int], key: K, sign: int) -> None:
    """Change the count of a value by `sign`; remove it at zero."""
    now = counts.get(key, 0) + sign
    if now:
        counts[key] = now
    else:
        counts.pop(key, None)


class Counting(Generic[K, Rest]):
    """Counts up to `cap` different values (`EXACT_MAX` when `exact` is requested). Above, `_rest` estimates:
    retractions are then lost and added to the error. Every sketch says whether its `value` is `exact`; if not, `error`
    is relative (two standard deviations, or the bound that it promises). `merge` adds another sketch without changing
    it; the order and grouping of merges has no effect. `load(dump())` gives the same sketch. `size` is approximate
    bytes of memory."""

    __slots__ = ("_cap", "_counts", "_lost", "_rest")

    def __init__(self, cap: int, exact: bool) -> None:
        self._cap = max(cap, EXACT_MAX) if exact else cap
        self._counts: dict[K, int] = {}
        self._rest: Rest | None = None
        self._lost = 0

    @property
    def exact(self) -> bool:
        return self._rest is None

    @property
    def empty(self) -> bool:
        return self._rest is None and not self._counts

    def merge(self, other: Self) -> None:
        self._lost += other._lost
        if self._rest is None and other._rest is None:
            for key, count in other._counts.items():
                shift(self._counts, key, count)
            if len(self._counts) > self._cap:
                self._spill()
            return
        rest = self._rest if self._rest is not None else self._spill()
        if other._rest is not None:
            self._join(rest, other._rest)
        else:
            self._feed(rest, other._counts)

    def _spill(self) -> Rest:
        """Switch to estimates."""
        rest = self._rest = self._new()
        counts, self._counts = self._counts, {}
        self._feed(rest, counts)
        return rest

    def _new(self) -> Rest:
        raise NotImplementedError

    def _join(self, rest: Rest, other: Rest) -> None:
        raise NotImplementedError

    def _feed(self, rest: Rest, counts: dict[K, int]) -> None:
        raise NotImplementedError


class Hll(Protocol):
    """A distinct count (`hll_sketch`, `hll_union`)."""

    def update(self, value: object, /) -> None: ...
    def get_estimate(self) -> float: ...


class HllUnion(Hll, Protocol):
    """A distinct count that merges others."""

    def get_result(self, kind: object, /) -> "HllSketch": ...


class HllSketch(Hll, Protocol):
    """A serializable distinct count."""

    def serialize_compact(self) -> bytes: ...


class Kll(Protocol):
    """Quantiles of numbers (`kll_doubles_sketch`)."""

    @property
    def n(self) -> int: ...
    @property
    def num_retained(self) -> int: ...
    def update(self, value: float, /) -> None: ...
    def merge(self, other: "Kll", /) -> None: ...
    def get_quantile(self, rank: float, inclusive: bool, /) -> float: ...
    def normalized_rank_error(self, as_pmf: bool, /) -> float: ...
    def serialize(self) -> bytes: ...


class Frequent(Protocol):
    """The most frequent items (`frequent_strings_sketch`)."""

    @property
    def epsilon(self) -> float: ...
    @property
    def num_active_items(self) -> int: ...
    @property
    def total_weight(self) -> int: ...
    def update(self, item: str, weight: int, /) -> None: ...
    def merge(self, other: "Frequent", /) -> None: ...
    def get_frequent_items(self, kind: object, /) -> list[tuple[str, int, int, int]]: ...
    def serialize(self) -> bytes: ...


@cache
def _module() -> Any:
    return importlib.import_module("datasketches")


def warm() -> None:
    """Load the library now."""
    _module()


def new_union() -> HllUnion:
    """An empty distinct count."""
    made: HllUnion = _module().hll_union(HLL_LOG2)
    return made


def union_bytes(union: HllUnion) -> bytes:
    """Serialize a distinct count."""
    return union.get_result(_module().tgt_hll_type.HLL_8).serialize_compact()


def union_into(union: HllUnion, other: HllUnion | bytes) -> None:
    """Merge another distinct count, or its bytes, into `union`."""
    kind = _module().tgt_hll_type.HLL_8
    union.update(_module().hll_sketch.deserialize(other) if isinstance(other, bytes) else other.get_result(kind))


def hll_error() -> float:
    """Two standard deviations of a distinct count, relative."""
    tell: Callable[[bool, bool, int, int], float] = _module().hll_sketch.get_rel_err
    return max(abs(tell(upper, True, HLL_LOG2, 2)) for upper in (True, False))


def new_kll(k: int = KLL_K) -> Kll:
    """Empty quantiles."""
    made: Kll = _module().kll_doubles_sketch(k)
    return made


def read_kll(data: bytes) -> Kll:
    """Deserialize quantiles."""
    made: Kll = _module().kll_doubles_sketch.deserialize(data)
    return made


def new_frequent() -> Frequent:
    """An empty sketch of frequent items."""
    made: Frequent = _module().frequent_strings_sketch(TOP_LOG2)
    return made


def read_frequent(data: bytes) -> Frequent:
    """Deserialize frequent items."""
    made: Frequent = _module().frequent_strings_sketch.deserialize(data)
    return made


def items_of(sketch: Frequent) -> list[tuple[str, int]]:
    """Every item that may be frequent with its estimated weight, heaviest first."""
    kind = _module().frequent_items_error_type.NO_FALSE_NEGATIVES
    return [(item, estimate) for item, estimate, _, _ in sketch.get_frequent_items(kind)]
