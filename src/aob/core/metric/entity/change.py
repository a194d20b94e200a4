"""What one event says of one entity, and how it is read off the event: contracts in, readers of changes out."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from aob.core.contract.model import ContractSet, EntityMove, EventContract
from aob.core.event.value import canonical
from aob.core.ingest.event import Event

Read = Callable[[Event], tuple[object, ...]]
Reader = Callable[[Sequence[str], EventContract], Read]
"""How several expressions of a contract are made to read its events at once: UNSET for what cannot be evaluated
(`aob.core.ingest.reading.paths`)."""
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
    """`read` gives the key, whether it counts, whether it removes, then the attributes `names`."""

    entity: str
    names: tuple[str, ...]
    read: Read


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
        for index, (entity, names, read) in enumerate(self._moves.get((event.type, event.version), ())):
            key, counts, removes, *values = read(event)
            id = _id(key)
            if counts is not True or not id:
                continue
            stamp = event.at_ms, event.offset, index
            if removes is True:
                yield entity, id, Change(stamp, event.type, {}, True)
                continue
            told = zip(names, values, strict=True)
            sets = {name: _plain(value) for name, value in told if value is not msgspec.UNSET}
            yield entity, id, Change(stamp, event.type, sets)


def _compiled(move: EntityMove, contract: EventContract, reader: Reader) -> _Move:
    texts = move.key, move.when or "true", move.removes or "false", *move.set.values()
    return _Move(move.entity, tuple(move.set), reader(texts, contract))


def _id(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical(value).decode() if isinstance(value, int | float) else ""


def _plain(value: object) -> object:
    return value if type(value) in _PLAIN else msgspec.to_builtins(value)
