"""The part of `datasketches` that cells use, as types; it is loaded when the first cell outgrows counting.

Loading it takes 0.3 s and 27 MB, so whoever must not wait calls `warm` in a thread beforehand.
"""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol

HLL_LOG2: Final = 12
"""Registers of a distinct count: 4,096, hence 4 KiB and an error of 3.2 % (two standard deviations)."""
KLL_K: Final = 200
"""Width of a quantile sketch: about 5 KiB, ranks that are off by at most 1.4 % in 99 of 100 cases."""
TOP_LOG2: Final = 12
"""Slots of a top list: 3,072 values, each off by at most 0.09 % of the total."""


class Hll(Protocol):
    """A distinct count (`hll_sketch`, `hll_union`)."""

    def update(self, value: object, /) -> None: ...
    def get_estimate(self) -> float: ...


class HllUnion(Hll, Protocol):
    """A distinct count that takes others in."""

    def get_result(self, kind: object, /) -> "HllSketch": ...


class HllSketch(Hll, Protocol):
    """A distinct count that can be written."""

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
    """The items that come most often (`frequent_strings_sketch`)."""

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
    """Load the library now; later calls find it loaded."""
    _module()


def new_union() -> HllUnion:
    """An empty distinct count."""
    made: HllUnion = _module().hll_union(HLL_LOG2)
    return made


def union_bytes(union: HllUnion) -> bytes:
    """A distinct count as bytes."""
    return union.get_result(_module().tgt_hll_type.HLL_8).serialize_compact()


def union_into(union: HllUnion, other: HllUnion | bytes) -> None:
    """Take another distinct count, or its bytes, into one."""
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
    """Quantiles of their bytes."""
    made: Kll = _module().kll_doubles_sketch.deserialize(data)
    return made


def new_frequent() -> Frequent:
    """Empty list of the items that come most often."""
    made: Frequent = _module().frequent_strings_sketch(TOP_LOG2)
    return made


def read_frequent(data: bytes) -> Frequent:
    """The list of its bytes."""
    made: Frequent = _module().frequent_strings_sketch.deserialize(data)
    return made


def items_of(sketch: Frequent) -> list[tuple[str, int]]:
    """Every item that may be frequent with its estimated weight, heaviest first."""
    kind = _module().frequent_items_error_type.NO_FALSE_NEGATIVES
    return [(item, estimate) for item, estimate, _, _ in sketch.get_frequent_items(kind)]
