"""Feeds: events of a run or of all runs as server-sent events, and logs as lines or events. Resumable by position."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Final

import msgspec

from aob.core.errors import AobError
from aob.core.event import Position
from aob.core.problem import problem_of
from aob.fanout import OPENING, FrameCache, encode_frame, encode_place
from aob.server.http.answer import EVENTS, NDJSON, Stream
from aob.server.http.call import Call
from aob.server.http.verb_routes import Fields, Odd

FRAMES_BYTES: Final = 4 * 1024 * 1024
_FRAMES: Final = FrameCache(FRAMES_BYTES)  # frames that readers of all runs have in common
Place = Annotated[
    str | None,
    msgspec.Meta(description="Go on after this position; without it a run is told from its start, all runs from now."),
]


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to resume, and which types of events to send."""

    position: Place = None
    type: Annotated[tuple[str, ...], msgspec.Meta(description="Only events of these types; may be repeated.")] = ()


class LogsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines of which visit, and whether to wait for more."""

    node: Annotated[str | None, msgspec.Meta(description="Only lines of this node.")] = None
    follow: Annotated[
        bool | None, msgspec.Meta(description="Wait for further lines; the default for `text/event-stream`.")
    ] = None


async def run_logs(call: Call[LogsQuery, None], fields: Fields) -> Stream:
    """Lines of the handlers' logs of one run."""
    as_events = "text/event-stream" in (call.header(b"accept") or "")
    follow = as_events if call.query.follow is None else call.query.follow
    lines = call.act("logs")(call.who, fields["run_id"], node=call.query.node, follow=follow)
    if not as_events:
        return Stream(_as_lines(lines), NDJSON, beats=False)
    seen = call.header(b"last-event-id") or ""
    skip = int(seen) if seen.isdigit() and len(seen) < 16 else 0
    return event_stream(_as_log_events(lines, skip))


def event_stream(frames: AsyncIterator[bytes]) -> Stream:
    """Frames as server-sent events: `end` is the last one, or `problem` where the feed failed after its head was
    sent."""
    return Stream(frames, EVENTS, OPENING, encode_frame("", "end", {}), _problem)


def _problem(error: AobError) -> bytes:
    return encode_frame("", "problem", problem_of(error))


async def follow(call: Call[EventsQuery, None], fields: Fields) -> Stream:
    """Events of one run, or of all runs of the tenant."""
    position = call.header(b"last-event-id") or call.query.position
    if position:
        Position.parse(position)  # refused with its own status before the head is sent
    feed = call.act("follow")(
        call.who, run_id=fields.get("run_id"), position=position, types=frozenset(call.query.type) or None, place=True
    )
    frame = _FRAMES.frame if fields.get("run_id") is None else encode_frame
    return event_stream(as_events(feed, frame))


async def as_events(
    feed: AsyncIterator[tuple[str, str, dict[str, object]]], frame: Callable[[str, str, dict[str, object]], bytes]
) -> AsyncIterator[bytes]:
    """Frames of a feed; an item without a name is a place."""
    async for position, event, data in feed:
        yield frame(position, event, data) if event else encode_place(position)


async def _as_lines(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield line.rstrip("\n").encode() + b"\n"


async def _as_log_events(lines: AsyncIterator[str], skip: int) -> AsyncIterator[bytes]:
    """The id of a line is its number within this selection: log files only grow."""
    number = 0
    async for line in lines:
        number += 1
        if number > skip:
            yield b"id: %d\nevent: log\ndata: %b\n\n" % (number, line.rstrip("\n").encode())


ODD: Final = {
    **dict.fromkeys(("follow_run", "follow_all", "follow_all_alias"), Odd(follow, query=EventsQuery)),
    "follow_logs": Odd(run_logs, query=LogsQuery),
}
