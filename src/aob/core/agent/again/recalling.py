"""What the history of a key says about records that are handled again: the effects that are settled, and how many
reminders were set. Pure."""

from collections.abc import AsyncIterable
from typing import Final

import msgspec

from aob.core.agent.folding import evolve
from aob.core.agent.holding import is_from
from aob.core.agent.key import Key, Open
from aob.core.agent.record import Input, KeyEvent
from aob.core.agent.record import events as ev

RECALLED: Final = 256  # records of a key that one reading of its history tells of

Place = tuple[str, int]
"""The source and the offset of a record, or of a reminder."""


class Before(msgspec.Struct, gc=False):
    """What earlier handlings of a record have left: effects by kind, digest and count; the number of reminders."""

    known: dict[tuple[str, bytes, int], ev.Known] = {}
    later: int = 0


async def settled_before(
    name: str, events: AsyncIterable[KeyEvent], source: str, start: int, most: int = RECALLED
) -> tuple[dict[Place, Before], int | None]:
    """The records of a source from an offset on that have left something, of all events of their key; of no more than
    `most`, and the offset from which on others may have (None: all are told). An effect that has failed, or whose
    result nobody knows, is not among it: it may be begun again."""
    key, found, end = Key(name), dict[Place, Before](), None
    ended: Place = "", 0
    async for event in events:
        before = key.open
        if type(event) is ev.Ended:
            ended = event.source, event.offset
        elif type(event) is ev.ReminderSet and ended[0] == source and ended[1] >= start:
            found.setdefault(ended, Before()).later += 1
        key = evolve(key, event)
        if before is not None and key.open is not before and before.input.source == source:
            _keep(found, before, start)
        if len(found) > 2 * most:
            end = _cut(found, most, end)
    if key.open is not None and key.open.input.source == source:
        _keep(found, key.open, start)
    return found, _cut(found, most, end)


def _cut(found: dict[Place, Before], most: int, end: int | None) -> int | None:
    """Keeps the first ones. Returns the offset from which on something is missing."""
    for place in sorted(found)[most:]:
        del found[place]
        end = place[1] if end is None else min(end, place[1])
    return end


def _keep(found: dict[Place, Before], record: Open, start: int) -> None:
    settled = [each for each in record.intents or () if each.result is not None and not each.failed]
    if settled and record.input.offset >= start:
        known = found.setdefault((record.input.source, record.input.offset), Before()).known
        for each in settled:
            assert each.result is not None
            what = each.kind, each.digest, each.count
            known.setdefault(what, ev.Known(each.kind, each.digest, each.count, each.what, each.result))


def outdated(key: Key, given: Input) -> bool:
    """Whether the key has in its hands what a new generation of a source begins to read again with this record."""
    if given.generation <= key.taken.get(given.source, (given.generation, 0))[0]:
        return False
    own = (*key.queue, key.open.input) if key.open is not None else key.queue
    return any(is_from(each, given.source, given.offset) for each in own)
