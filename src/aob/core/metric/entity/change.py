"""What one event says of one entity, and how it is read off the event: contracts in, readers of changes out."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from aob.core.contract.model import ContractSet, EntityMove, EventContract
from aob.core.event.value import canonical
from aob.core.expression import EvalError
from aob.core.ingest.event import Event

Read = Callable[[Event], object]
Reader = Callable[[str, EventContract], Read]
"""How an expression of a contract is made to read its events (`aob.core.ingest.reading.reader`)."""
Stamp = tuple[int, int, int]
"""When something was written: event time in ms, offset in the log, which of the event's moves. The later one holds."""
_PLAIN = (str, int, float, bool, type(None))


class Change(msgspec.Struct, array_like=True, gc=False):
    """Attributes that an event sets, or that it removes the entity. `type` is the event's."""

    stamp: Stamp
    type: str
    set: dict[str, object]
    removes: bool = False


class _Move(NamedTuple):
    entity: str
    key: Read
    sets: tuple[tuple[str, Read], ...]
    removes: Read | None
    when: Read | None


class Changes:
    """Reads events for what they say of entities, by the version of their contract."""

    def __init__(self, contracts: ContractSet, reader: Reader) -> None:
        self._moves = {
            (type, version): [_compiled(move, contract, reader) for move in contract.entities]
            for type, versions in contracts.events.items()
            for version, contract in versions.items()
            if contract.entities
        }

    @property
    def entities(self) -> frozenset[str]:
        """The types of entities that events speak of."""
        return frozenset(move.entity for moves in self._moves.values() for move in moves)

    def of(self, event: Event) -> Iterator[tuple[str, str, Change]]:
        """Entity type, id and change, for each entity that the event speaks of. What cannot be evaluated is left out:
        an attribute, or, when it is the key or the condition, the change."""
        for index, move in enumerate(self._moves.get((event.type, event.version), ())):
            if move.when is not None and _told(move.when, event) is not True:
                continue
            key = _id(_told(move.key, event))
            if not key:
                continue
            stamp = event.at_ms, event.offset, index
            if move.removes is not None and _told(move.removes, event) is True:
                yield move.entity, key, Change(stamp, event.type, {}, True)
                continue
            found = {name: _told(read, event) for name, read in move.sets}
            sets = {name: _plain(value) for name, value in found.items() if value is not msgspec.UNSET}
            yield move.entity, key, Change(stamp, event.type, sets)


def _compiled(move: EntityMove, contract: EventContract, reader: Reader) -> _Move:
    return _Move(
        move.entity,
        reader(move.key, contract),
        tuple((name, reader(text, contract)) for name, text in move.set.items()),
        reader(move.removes, contract) if move.removes else None,
        reader(move.when, contract) if move.when else None,
    )


def _told(read: Read, event: Event) -> object:
    try:
        return read(event)
    except EvalError:
        return msgspec.UNSET


def _id(value: object) -> str:
    if isinstance(value, str):
        return value
    return canonical(value).decode() if isinstance(value, int | float) else ""


def _plain(value: object) -> object:
    return value if type(value) in _PLAIN else msgspec.to_builtins(value)
