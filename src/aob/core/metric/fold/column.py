"""How expressions of a contract read many events at once: events in, a column of values out.

A plain path to a field that is always there is read in C; anything else event by event, where what cannot be evaluated
is no value.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from operator import attrgetter
from re import compile as pattern
from typing import Any, Final, NamedTuple

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract
from aob.core.event.value import canonical
from aob.core.expression import EvalError
from aob.core.ingest.reading import reader
from aob.core.ingest.shape import Field, shape_of

Value = Any
"""What an expression gives of an event."""
Read = Callable[[Event], Value]
Column = Callable[[Sequence[Event]], Iterable[Value]]
NUMBERS: Final = frozenset(("int", "double"))
_PATH: Final = pattern(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_ENVELOPE: Final = frozenset(("id", "source", "type", "subject"))


class Path(NamedTuple):
    """A field that every event of a contract has: where it is, and its kind in CEL (`dyn`: not known)."""

    attribute: str
    kind: str


def path_of(text: str, contract: EventContract) -> Path | None:
    """The path that an expression is, when what it leads to is always there."""
    if not _PATH.fullmatch(text):
        return None
    root, *names = text.split(".")
    if not names:
        return Path(root, "string") if root in _ENVELOPE else None
    if root != "data":
        return None
    fields, found, field = shape_of(contract.schema).fields, [root], None
    for name in names:
        field = _field(fields, name)
        if field is None or not field.required:
            return None
        found.append(field.attribute)
        fields = field.fields
    return Path(".".join(found), field.kind) if field is not None else None


def _field(fields: Mapping[str, Field] | None, name: str) -> Field | None:
    return fields.get(name) if fields is not None else None


class Values(NamedTuple):
    """An expression over events. `sure`: it has a number (or text, as asked) for every event of the contract."""

    column: Column
    sure: bool
    whole: bool = False


def values_of(text: str, contract: EventContract, numeric: bool) -> Values:
    """The values of an expression; what is missing, null, or no number where one is asked for, is None."""
    path = path_of(text, contract)
    if path is not None and path.kind in (NUMBERS if numeric else NUMBERS | {"string", "bool"}):
        get = attrgetter(path.attribute)
        return Values(lambda events: list(map(get, events)), True, path.kind == "int")
    read = guarded(text, contract)

    def column(events: Sequence[Event]) -> list[Value]:
        found = map(read, events)
        return [_number(value) for value in found] if numeric else [_scalar(value) for value in found]

    return Values(column, False)


def guarded(text: str, contract: EventContract) -> Read:
    """The value of an expression for an event; None for what cannot be evaluated or is not there."""
    read = reader(text, contract)

    def value(event: Event) -> Value:
        try:
            found = read(event)
        except EvalError:
            return None
        return None if found is msgspec.UNSET else found

    return value


def holds(text: str, contract: EventContract) -> Callable[[Event], bool]:
    """Whether a condition is true for an event; one that cannot be evaluated is not."""
    read = guarded(text, contract)
    return lambda event: read(event) is True


def instants_of(text: str, contract: EventContract) -> Callable[[Event], int]:
    """The time in ms at which an event counts; its own where the expression gives none."""
    if not text:
        return attrgetter("at_ms")
    read = guarded(text, contract)

    def at_ms(event: Event) -> int:
        found = read(event)
        return round(found.timestamp() * 1_000) if isinstance(found, datetime) else event.at_ms

    return at_ms


def keys_of(dimensions: Sequence[tuple[str, str]], contract: EventContract) -> Column:
    """The values of dimensions as tuples of texts; what is missing is an empty one."""
    if not dimensions:
        return lambda events: repeat((), len(events))
    paths = [path_of(text, contract) for _, text in dimensions]
    plain = [path.attribute for path in paths if path is not None and path.kind == "string"]
    if len(plain) == len(dimensions):
        get = attrgetter(*plain)
        if len(plain) == 1:
            return lambda events: zip(map(get, events), strict=True)
        return lambda events: map(get, events)
    reads = [guarded(text, contract) for _, text in dimensions]
    return lambda events: [tuple([text_of(read(event)) for read in reads]) for event in events]


def text_of(value: Value) -> str:
    """A value as the value of a dimension or the key of a subject."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical(msgspec.to_builtins(value)).decode()


def _number(value: Value) -> float | None:
    return value if value.__class__ in (float, int) else None


def _scalar(value: Value) -> Value:
    return value if value.__class__ in (str, int, float, bool, None.__class__) else msgspec.to_builtins(value)
