"""Open tickets of a shard in memory, by id and by tenant. The store's rows are authoritative."""

from collections.abc import Iterable, Sequence

from aob.journal.law.law import Changes
from aob.journal.timers import Timers
from aob.ports.store import TicketRow


class OpenTickets:
    """The rows of all open tickets."""

    def __init__(self) -> None:
        self._rows: dict[str, TicketRow] = {}
        self._streams: dict[str, dict[str, None]] = {}
        self._tenants: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def replace(self, rows: Iterable[TicketRow]) -> None:
        """Replaces all rows."""
        self._rows, self._streams, self._tenants = {}, {}, {}
        for row in rows:
            self.set(row)

    def set(self, row: TicketRow) -> None:
        """Adds or updates an open ticket."""
        self._rows[row.id] = row
        self._streams.setdefault(row.stream, {})[row.id] = None
        self._tenants.setdefault(row.tenant, {})[row.id] = None

    def drop(self, stream: str, id: str) -> None:
        """Removes an answered ticket; an empty id removes all of the stream."""
        for each in (id,) if id else tuple(self._streams.get(stream, ())):
            row = self._rows.pop(each, None)
            if row is not None:
                _without(self._streams, stream, each)
                _without(self._tenants, row.tenant, each)

    def holder(self, id: str) -> str:
        """The stream of a ticket; empty if no ticket of this id is open."""
        row = self._rows.get(id)
        return "" if row is None else row.stream

    def of(self, tenant: str) -> list[TicketRow]:
        """The open tickets of a tenant."""
        return [self._rows[id] for id in self._tenants.get(tenant, ())]

    def rows(self) -> list[TicketRow]:
        """All rows."""
        return list(self._rows.values())


def _without(index: dict[str, dict[str, None]], key: str, id: str) -> None:
    held = index[key]
    del held[id]
    if not held:
        del index[key]


def released(timed: Sequence[Changes], timers: Timers, tickets: OpenTickets) -> None:
    """Applies a commit's changes of timers and tickets."""
    for changes in timed:
        for name, id in changes.timers_done or ():
            timers.drop(name, id)
        for timer in changes.timers or ():
            timers.set(timer.stream, timer.id, timer.due_ms)
        for name, id in changes.tickets_done or ():
            tickets.drop(name, id)
        for ticket in changes.tickets or ():
            tickets.set(ticket)
