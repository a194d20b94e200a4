"""Compiles expressions of a contract into readers of many events at once: a column of values. A plain path to a
required field is read in C; any other expression event by event, where a missing value is None and a value that is no
valid number or time is a fault: it is counted and not used. Nothing here raises."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import repeat
from math import isfinite
from operator import attrgetter
from re import compile as pattern
from typing import Any, Final, NamedTuple

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, MetricContract, Move
from aob.core.expression import EvalError
from aob.core.expression.paths import chain_of
from aob.core.ingest.envelope import form_of
from aob.core.ingest.inline import NotInline, Writer
from aob.core.ingest.reading import compiled, reader
from aob.core.ingest.shape import INT_MAX, INT_MIN
from aob.core.instant import cut_ms
from aob.core.metric.span import FIRST_MS, LAST_MS
from aob.core.metric.tile import Key
from aob.core.value import canonical, decode

Value = Any  # the value of an expression for an event
Read = Callable[[Event], Value]
Column = Callable[[Sequence[Event]], Iterable[Value]]
NUMBERS: Final = frozenset(("int", "double"))
FAULT: Final = object()  # in a column: an invalid value, such as 0/0, or an integer of more than 64 bits
NOWHERE: Final = 1 << 62  # the time of an event whose instant is outside the calendar
_ARITHMETIC: Final = pattern("zero|overflow|range")
"""Matches errors of the expression language that mean invalid rather than missing values."""
_NUMERIC = frozenset(("min", "max", "percentile"))
"""Types of metrics, of those that may be recounted, that accept only numbers."""
Valued = tuple[int, Key, Event, Value]


def path_of(text: str, contract: EventContract) -> tuple[str, str] | None:
    """The attribute path and the kind in CEL (`dyn`: unknown) of an expression that is a field of every event."""
    path = chain_of(compiled(text).tree.root)
    if path is None or path.tested:
        return None
    with suppress(NotInline):
        code = Writer(form_of(contract, newest=True), {}).path(path)
        return code.text.removeprefix("e."), code.kind
    return None


class Values(NamedTuple):
    """An expression over events. `sure`: it has a number (or text, as requested) for every event of the contract."""

    column: Column
    sure: bool
    whole: bool = False


def values_of(text: str, contract: EventContract, numeric: bool) -> Values:
    """The values of an expression; None if missing, null or (with `numeric`) not a number, FAULT if invalid."""
    path = path_of(text, contract)
    if path is not None and path[1] in (NUMBERS if numeric else NUMBERS | {"string", "bool"}):
        get = attrgetter(path[0])
        return Values(lambda events: list(map(get, events)), True, path[1] == "int")
    read = guarded(text, contract)

    def column(events: Sequence[Event]) -> list[Value]:
        found = map(read, events)
        return [_number(value) for value in found] if numeric else [_scalar(value) for value in found]

    return Values(column, False)


def guarded(text: str, contract: EventContract) -> Read:
    """The value of an expression for an event; None if missing or not evaluable, FAULT if invalid."""
    read = reader(text, contract)

    def value(event: Event) -> Value:
        try:
            found = read(event)
        except EvalError as error:
            return FAULT if _ARITHMETIC.search(error.detail) else None
        except Exception:  # any error of a library on an accepted event: counted, not used
            return FAULT
        return None if found is msgspec.UNSET else found

    return value


def holds(text: str, contract: EventContract) -> Callable[[Event], bool]:
    """Whether a condition is true for an event; one that cannot be evaluated is false."""
    read = guarded(text, contract)
    return lambda event: read(event) is True


def instants_of(text: str, contract: EventContract) -> Callable[[Event], int]:
    """The time in ms at which an event counts: by default its own; NOWHERE where no window can hold it."""
    if not text:
        return attrgetter("at_ms")
    read = guarded(text, contract)

    def at_ms(event: Event) -> int:
        found = read(event)
        if found is FAULT:
            return NOWHERE
        if not isinstance(found, datetime):
            return event.at_ms
        told = cut_ms(found)
        return told if FIRST_MS <= told <= LAST_MS else NOWHERE

    return at_ms


def keys_of(dimensions: Sequence[tuple[str, str]], contract: EventContract) -> Column:
    """The values of dimensions as tuples of texts; a missing one is empty."""
    if not dimensions:
        return lambda events: repeat((), len(events))
    paths = [path_of(text, contract) for _, text in dimensions]
    plain = [path[0] for path in paths if path is not None and path[1] == "string"]
    if len(plain) == len(dimensions):
        get = attrgetter(*plain)
        if len(plain) == 1:
            return lambda events: zip(map(get, events), strict=True)
        return lambda events: map(get, events)
    reads = [guarded(text, contract) for _, text in dimensions]
    return lambda events: [tuple([text_of(read(event)) for read in reads]) for event in events]


def text_of(value: Value) -> str:
    """A value as text for a dimension or subject key; empty if it has none."""
    if isinstance(value, str):
        return value
    if value is None or value is FAULT or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return canonical(msgspec.to_builtins(value)).decode()
    except (TypeError, ValueError, RecursionError):
        return ""


def _number(value: Value) -> Value:
    kind = value.__class__
    if kind is float:
        return value if isfinite(value) else FAULT
    if kind is int:
        return value if INT_MIN <= value <= INT_MAX else FAULT
    return FAULT if value is FAULT else None


def _scalar(value: Value) -> Value:
    kind = value.__class__
    if kind is str or kind is bool or value is None:
        return value
    if kind is float or kind is int or value is FAULT:
        return _number(value)
    try:
        found = decode(canonical(msgspec.to_builtins(value)))
    except (TypeError, ValueError, RecursionError):
        return FAULT
    return found if _fits(found) else FAULT


def _fits(value: Value) -> bool:
    """Whether all integers of a value fit in 64 bits."""
    if isinstance(value, dict):
        return all(map(_fits, value.values()))
    if isinstance(value, list):
        return all(map(_fits, value))
    return value.__class__ is not int or INT_MIN <= value <= INT_MAX


class Teller:
    """A move of a metric for one version of its event type. `part` is the part it adds to; None when it retracts."""

    __slots__ = ("_ats", "_holds", "_keys", "_values", "_weights", "part")

    def __init__(self, metric: MetricContract, move: Move, event: EventContract, part: int | None) -> None:
        self.part = part
        self._holds = holds(move.when, event) if move.when else None
        self._values = values_of(move.value, event, metric.type in _NUMERIC)
        weight = metric.weight_of(move)
        self._weights = values_of(weight, event, True).column if weight else None
        self._ats = instants_of(move.at, event)
        self._keys = keys_of(sorted(metric.dimensions.items()), event)

    def tell(self, events: Sequence[Event]) -> list[Valued]:
        """The values of these events; events without one are omitted."""
        there = events if self._holds is None else [event for event in events if self._holds(event)]
        if not there:
            return []
        found: list[Valued] = []
        values = list(self._values.column(there))
        if self._weights is not None:  # pair each value with its weight
            values = [
                None if value is None or value is FAULT or weight is None or weight is FAULT else (value, weight)
                for value, weight in zip(values, self._weights(there), strict=True)
            ]
        for event, key, value in zip(there, self._keys(there), values, strict=True):
            at_ms = self._ats(event)
            if value is not None and value is not FAULT and at_ms != NOWHERE:
                found.append((at_ms, key, event, value))
        return found
