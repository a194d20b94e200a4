"""All entities of one tenant: events in, the state of each out; in pages, of which quiet ones may lie elsewhere.

`fetch` brings back a page that was let go (a blocking read of a few KiB); without it nothing is ever let go.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from zlib import crc32

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import ContractSet
from aob.core.errors import NotFound
from aob.core.metric.entity.change import Change, Changes, Reader
from aob.core.metric.entity.entity import CHANGE_BYTES, ENTITY_BYTES, Entity, EntityState

PAGES: Final = 4_096
"""Parts in which entities are written and let go."""

_page = msgspec.msgpack.Decoder(dict[str, Entity])


class Entities:
    """What the events of a contract set say of entities. `reader` makes expressions read events."""

    def __init__(
        self, contracts: ContractSet, reader: Reader, fetch: Callable[[str], bytes | None] | None = None
    ) -> None:
        self._changes = Changes(contracts, reader)
        self._types = self._changes.entities
        self._fetch = fetch
        self._pages: dict[int, dict[str, Entity]] = {}
        """In memory, those used longest ago first."""
        self._away: set[int] = set()
        self._changed: set[int] = set()
        self._held = 0
        self.unmoved = 0
        """Changes that could not be read of events."""

    @property
    def types(self) -> frozenset[str]:
        """The types of entities that there can be."""
        return self._types

    def add(self, events: Iterable[Event]) -> set[tuple[str, str]]:
        """Take events in; the (type, id) of every entity that they speak of."""
        touched: set[tuple[str, str]] = set()
        moves = self._changes.moves
        for event in events:
            for move in moves.get((event.type, event.version), ()):
                try:
                    found = move.change(event)
                except Exception:  # what no state can hold changes nothing, and is counted
                    self.unmoved += 1
                    continue
                if found is not None:
                    self._put(move.entity, *found)
                    touched.add((move.entity, found[0]))
        return touched

    def _put(self, type: str, id: str, change: Change) -> None:
        number, key = _place(type, id)
        page = self._pages.get(number) if self._fetch is None else None
        if page is None:
            page = self._open(number)
        entity = page.get(key)
        if entity is None:
            entity = page[key] = Entity(merged={}, changes=[])
            self._held += 1
        entity.put(change)
        self._changed.add(number)

    def state(self, type: str, id: str) -> EntityState:
        """What an entity is now. Raises NotFound for a type that no contract speaks of; an id that no event spoke of
        gives a state that does not exist."""
        found = self._find(type, id).state(type, id)
        assert found is not None, "the newest state is always kept"
        return found

    def as_of(self, type: str, id: str, at_ms: int) -> EntityState | None:
        """What it was at an instant of event time; None when that lies further back than the changes that are kept, so
        that the log has to be read: `Entities` of the events up to then gives its `state`."""
        return self._find(type, id).state(type, id, at_ms)

    def history(self, type: str, id: str) -> tuple[list[Change], bool]:
        """The newest changes, newest first, and whether these are all."""
        entity = self._find(type, id)
        return entity.changes[::-1], entity.complete

    def __len__(self) -> int:
        return self._held

    def size(self) -> int:
        """Bytes of memory, roughly."""
        entities = [entity for page in self._pages.values() for entity in page.values()]
        return ENTITY_BYTES * len(entities) + CHANGE_BYTES * sum(len(entity.changes) for entity in entities)

    def dump(self, full: bool = False) -> dict[str, bytes]:
        """The pages that changed since the last dump, or all that are in memory."""
        numbers = sorted(self._pages if full else self._changed)
        self._changed.clear()
        return {str(number): msgspec.msgpack.encode(self._pages[number]) for number in numbers}

    def load(self, pages: Mapping[str, bytes], away: Iterable[str] = ()) -> None:
        """Become what was dumped: the newest of each page. Pages named in `away` are fetched when they are needed."""
        self._away.update(map(int, away))
        for name, data in pages.items():
            self._take(int(name), data)

    def evict(self, most: int) -> int:
        """Let go of the pages used longest ago until at most `most` entities are in memory. How many pages went.

        Only pages that have not changed since the last dump go, so call it once what was dumped is on disk.
        """
        if self._fetch is None or self._held <= most:
            return 0
        gone = 0
        for number in [number for number in self._pages if number not in self._changed]:
            if self._held <= most:
                break
            self._held -= len(self._pages.pop(number))
            self._away.add(number)
            gone += 1
        return gone

    def _find(self, type: str, id: str) -> Entity:
        if type not in self._types:
            raise NotFound(
                f"no contract speaks of entities of type {type!r}",
                hint=f"entities: {', '.join(sorted(self._types)) or 'none yet'}",
            )
        number, key = _place(type, id)
        return self._open(number).get(key) or Entity(merged={}, changes=[])

    def _open(self, number: int) -> dict[str, Entity]:
        page = self._pages.get(number)
        if page is None and number in self._away and self._fetch is not None:
            self._take(number, self._fetch(str(number)))
            page = self._pages[number]
        elif self._fetch is not None or page is None:
            page = self._pages[number] = self._pages.pop(number, {})
        return page

    def _take(self, number: int, data: bytes | None) -> None:
        self._away.discard(number)
        self._held -= len(self._pages.pop(number, ()))
        self._pages[number] = _page.decode(data) if data else {}
        self._held += len(self._pages[number])


def _place(type: str, id: str) -> tuple[int, str]:
    key = f"{type}\0{id}"
    return crc32(key.encode()) % PAGES, key
