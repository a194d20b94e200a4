"""Groups a tenant's calls for one commit: one group per partition that they write. An event belongs to the partition of
its subject, or of its id if it has no subject: events of one subject stay in order."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aob.core.event import seed_of
from aob.core.ingest import Event, joined_notes
from aob.gate.pending_call import PendingCall
from aob.ports.dead_letters import Letters
from aob.ports.event_log import Group


class Grouped(NamedTuple):
    """A group, its events in order, and the calls that wait for it."""

    group: Group
    events: list[Event]
    calls: Sequence[PendingCall]


def grouped(tenant: str, at_ms: int, calls: list[PendingCall], partitions: int) -> list[Grouped]:
    """The groups of a tenant's calls in one commit; the first one counts what was not accepted."""
    if partitions > 1:
        return _spread(tenant, at_ms, calls, partitions)
    if len(calls) == 1:
        (one,) = calls
        events, gated = one.events, one.gated
        notes = one.gate.notes(events) if events else b""
        group = Group(tenant, at_ms, one.text, notes, len(events), len(one.repeats), len(gated.refused))
        return [Grouped(group, events, calls)]
    events = [event for call in calls for event in call.events]
    lines = b"\n".join([call.text for call in calls if call.events])
    notes = joined_notes(_notes(call, call.events) for call in calls)
    return [Grouped(_counted(Group(tenant, at_ms, lines, notes, len(events)), calls), events, calls)]


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
    pieces: dict[int, list[tuple[PendingCall, list[int]]]] = {}
    for call in calls:
        places: dict[int, list[int]] = {}
        for place, event in enumerate(call.events):
            places.setdefault(seed_of(event.subject or event.id) % partitions, []).append(place)
        for number, mine in places.items():
            pieces.setdefault(number, []).append((call, mine))
    found: list[Grouped] = []
    for number, told in sorted(pieces.items()):
        events, lines, notes = list[Event](), list[bytes](), list[bytes]()
        for call, mine in told:
            part, text = [call.events[place] for place in mine], call.text.split(b"\n")
            events += part
            lines += [text[place] for place in mine]
            notes.append(_notes(call, part))
        group = Group(tenant, at_ms, b"\n".join(lines), joined_notes(notes), len(events), partition=number)
        found.append(Grouped(group, events, [call for call, _ in told]))
    empty = [call for call in calls if not call.events]
    first = found[0] if found else Grouped(Group(tenant, at_ms, b"", b"", 0), [], [])
    _counted(first.group, calls)
    return [first._replace(calls=[*first.calls, *empty]), *found[1:]]


def _counted(group: Group, calls: list[PendingCall]) -> Group:
    group.duplicate = sum([len(call.repeats) for call in calls])
    group.rejected = sum([len(call.gated.refused) for call in calls])
    return group


def _notes(call: PendingCall, events: list[Event]) -> bytes:
    return call.gate.notes(events) if events else b""
