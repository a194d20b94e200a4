"""Groups a tenant's parcels for one commit: one group per partition that they write.

An event belongs to the partition of its subject, or of its id if it has no subject: events of one subject stay in
order."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aob.core.event import seed_of
from aob.core.ingest import Event, joined_notes
from aob.gate.pending_call import PendingCall
from aob.ports.dead_letters import Letters
from aob.ports.event_log import Group


class Grouped(NamedTuple):
    """A group, its events in order, and the parcels that wait for it."""

    group: Group
    events: list[Event]
    parcels: Sequence[PendingCall]


def grouped(tenant: str, at_ms: int, parcels: list[PendingCall], partitions: int) -> list[Grouped]:
    """The groups of a tenant's calls in one commit; the first one counts what was not accepted."""
    if partitions > 1:
        return _spread(tenant, at_ms, parcels, partitions)
    if len(parcels) == 1:
        (one,) = parcels
        events, gated = one.events, one.gated
        notes = one.gate.notes(events) if events else b""
        group = Group(tenant, at_ms, one.text, notes, len(events), len(one.repeats), len(gated.refused))
        return [Grouped(group, events, parcels)]
    events = [event for parcel in parcels for event in parcel.events]
    lines = b"\n".join([parcel.text for parcel in parcels if parcel.events])
    notes = joined_notes(_notes(parcel, parcel.events) for parcel in parcels)
    return [Grouped(_counted(Group(tenant, at_ms, lines, notes, len(events)), parcels), events, parcels)]


def letters_of(at_ms: int, by_tenant: Mapping[str, Sequence[PendingCall]]) -> list[Letters]:
    """The changes of dead letters in a commit, by tenant."""
    found: list[Letters] = []
    for tenant, parcels in by_tenant.items():
        for parcel in parcels:
            if parcel.gated.refused or parcel.settled:
                refused = [letter for each in parcels for letter in each.letters(at_ms)]
                found.append(Letters(tenant, refused, [one for each in parcels for one in each.settled]))
                break
    return found


def _spread(tenant: str, at_ms: int, parcels: list[PendingCall], partitions: int) -> list[Grouped]:
    pieces: dict[int, list[tuple[PendingCall, list[int]]]] = {}
    for parcel in parcels:
        places: dict[int, list[int]] = {}
        for place, event in enumerate(parcel.events):
            places.setdefault(seed_of(event.subject or event.id) % partitions, []).append(place)
        for number, mine in places.items():
            pieces.setdefault(number, []).append((parcel, mine))
    found: list[Grouped] = []
    for number, told in sorted(pieces.items()):
        events, lines, notes = list[Event](), list[bytes](), list[bytes]()
        for parcel, mine in told:
            part, text = [parcel.events[place] for place in mine], parcel.text.split(b"\n")
            events += part
            lines += [text[place] for place in mine]
            notes.append(_notes(parcel, part))
        group = Group(tenant, at_ms, b"\n".join(lines), joined_notes(notes), len(events), partition=number)
        found.append(Grouped(group, events, [parcel for parcel, _ in told]))
    empty = [parcel for parcel in parcels if not parcel.events]
    first = found[0] if found else Grouped(Group(tenant, at_ms, b"", b"", 0), [], [])
    _counted(first.group, parcels)
    return [first._replace(parcels=[*first.parcels, *empty]), *found[1:]]


def _counted(group: Group, parcels: list[PendingCall]) -> Group:
    group.duplicate = sum([len(parcel.repeats) for parcel in parcels])
    group.rejected = sum([len(parcel.gated.refused) for parcel in parcels])
    return group


def _notes(parcel: PendingCall, events: list[Event]) -> bytes:
    return parcel.gate.notes(events) if events else b""
