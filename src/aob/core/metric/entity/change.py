"""What one event says of one entity, and how it is read off the event: contracts in, readers of changes out."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Final, NamedTuple

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import ContractSet, EntityMove, EventContract
from aob.core.event.value import canonical

Read = Callable[[Event], tuple[object, ...]]
Reader = Callable[[Sequence[str], EventContract], Read]
"""How several expressions of a contract are made to read its events at once: UNSET for what cannot be evaluated
(`aob.core.ingest.reading.paths`)."""
Stamp = tuple[int, int, int]
"""When something was written: event time in ms, offset in the log, which of the event's moves. The later one holds."""
_PLAIN: Final = frozenset((str, float, bool, type(None)))
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1


class Change(msgspec.Struct, array_like=True, gc=False):
    """Attributes that an event sets, or that it removes the entity. `type` is the event's."""

    stamp: Stamp
    type: str
    set: dict[str, object]
    removes: bool = False


class Move(NamedTuple):
    """`read` gives the key, then the attributes `names`, then, where they are asked for, whether it counts and whether
    it removes. `place` is its own among the moves of its contract."""

    entity: str
    place: int
    names: tuple[str, ...]
    conditional: bool
    read: Read

    def change(self, event: Event) -> tuple[str, Change] | None:
        """The id of the entity that an event speaks of, and what it says. What cannot be evaluated is left out: an
        attribute, or, when it is the key or a condition, the change."""
        names = self.names
        id, *values = self.read(event)
        if id.__class__ is not str:
            id = _id(id)
        if not id:
            return None
        stamp = event.at_ms, event.offset, self.place
        if self.conditional:
            removes, counts = values.pop(), values.pop()
            if counts is not True:
                return None
            if removes is True:
                return id, Change(stamp, event.type, {}, True)
        sets = dict(zip(names, values, strict=True))
        for name, value in zip(names, values, strict=True):
            if value.__class__ is int:
                if not INT_MIN <= value <= INT_MAX:
                    sets[name] = float(value)
            elif value.__class__ not in _PLAIN:
                if value is msgspec.UNSET:
                    del sets[name]
                else:
                    sets[name] = _held(msgspec.to_builtins(value))
        return id, Change(stamp, event.type, sets)


class Changes:
    """How events are read for what they say of entities: `moves` by the type and version of their contract."""

    def __init__(self, contracts: ContractSet, reader: Reader) -> None:
        self.moves = {
            (type, version): tuple(_compiled(index, move, contract, reader) for index, move in enumerate(told))
            for type, versions in contracts.events.items()
            for version, contract in versions.items()
            if (told := contract.entities)
        }

    @property
    def entities(self) -> frozenset[str]:
        """The types of entities that events speak of."""
        return frozenset(move.entity for moves in self.moves.values() for move in moves)


def _compiled(index: int, move: EntityMove, contract: EventContract, reader: Reader) -> Move:
    conditional = bool(move.when or move.removes)
    texts = [move.key, *move.set.values()]
    if conditional:
        texts += [move.when or "true", move.removes or "false"]
    return Move(move.entity, index, tuple(move.set), conditional, reader(texts, contract))


def _held(value: object) -> object:
    """A value that pages can hold: integers have 64 bits, larger ones are doubles, and keys are texts."""
    if isinstance(value, dict):
        return {str(key): _held(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_held(item) for item in value]
    return float(value) if value.__class__ is int and not INT_MIN <= value <= INT_MAX else value


def _id(value: object) -> str:
    if isinstance(value, float):
        if not isfinite(value):
            return ""
        value = int(value) if value.is_integer() else value
    return canonical(value).decode() if isinstance(value, int | float) else ""
