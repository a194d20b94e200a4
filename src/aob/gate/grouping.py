"""Groups a tenant's calls for one commit: one group per partition that they write. An event belongs to the partition of
its subject, or of its id if it has no subject: events of one subject stay in order."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aob.core.event import seed_of
from aob.core.ingest import Event, joined_notes
from aob.gate.pending_call import Commit, PendingCall
from aob.ports.dead_letters import Letters

Grouped = tuple[Commit, Sequence[PendingCall]]  # A group, not yet written, and the calls that wait for it.


class _Piece(NamedTuple):
    """What a call writes to one partition."""

    call: PendingCall
    events: list[Event]
    lines: list[bytes]


def grouped(tenant: str, at_ms: int, calls: list[PendingCall], partitions: int) -> list[Grouped]:
    """The groups of a tenant's calls in one commit; the first one counts what was not accepted."""
    if partitions > 1:
        return _spread(tenant, at_ms, calls, partitions)
    if len(calls) == 1:
        (one,) = calls
        group = _group(tenant, at_ms, one.events, one.text, _notes(one, one.events))
        return [(_counted(group, calls), calls)]
    events = [event for call in calls for event in call.events]
    lines = b"\n".join([call.text for call in calls if call.events])
    notes = joined_notes(_notes(call, call.events) for call in calls)
    return [(_counted(_group(tenant, at_ms, events, lines, notes), calls), calls)]


def letters_of(at_ms: int, by_tenant: Mapping[str, Sequence[PendingCall]]) -> list[Letters]:
    """The changes of dead letters in a commit, by tenant."""
    found: list[Letters] = []
    for tenant, calls in by_tenant.items():
        for call in calls:
            if call.gated.refused or call.settled:
                refused = [letter for each in calls for letter in each.letters(at_ms)]
                found.append(Letters(tenant, refused, [one for each in calls for one in each.settled]))
                break
    return found


def _spread(tenant: str, at_ms: int, calls: list[PendingCall], partitions: int) -> list[Grouped]:
    pieces: dict[int, list[_Piece]] = {}
    for call in calls:
        mine: dict[int, _Piece] = {}
        for event, line in zip(call.events, call.text.split(b"\n"), strict=False):
            number = seed_of(event.subject or event.id) % partitions
            piece = mine.get(number)
            if piece is None:
                piece = mine[number] = _Piece(call, [], [])
                pieces.setdefault(number, []).append(piece)
            piece.events.append(event)
            piece.lines.append(line)
    found: list[Grouped] = []
    for number, parts in sorted(pieces.items()):
        events, lines = (
            [event for part in parts for event in part.events],
            [line for part in parts for line in part.lines],
        )
        notes = joined_notes(_notes(part.call, part.events) for part in parts)
        group = _group(tenant, at_ms, events, b"\n".join(lines), notes, number)
        found.append((group, [part.call for part in parts]))
    first, waiting = found[0] if found else (_group(tenant, at_ms, [], b"", b""), ())
    empty = [call for call in calls if not call.events]
    return [(_counted(first, calls), [*waiting, *empty]), *found[1:]]


def _group(tenant: str, at_ms: int, events: list[Event], lines: bytes, notes: bytes, partition: int = 0) -> Commit:
    return Commit(0, tenant, at_ms, 0, len(events), 0, 0, lines, notes, partition, events)


def _counted(group: Commit, calls: list[PendingCall]) -> Commit:
    group.duplicate = sum([len(call.repeats) for call in calls])
    group.rejected = sum([len(call.gated.refused) for call in calls])
    return group


def _notes(call: PendingCall, events: list[Event]) -> bytes:
    return call.gate.notes(events) if events else b""
