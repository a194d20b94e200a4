"""The live stream of events and deltas as server-sent events, resumable; a delta is encoded once for all readers."""

from typing import Annotated, Final

import msgspec

from aob.core.event import Position
from aob.core.metric_query import MetricQuery
from aob.fanout import FrameCache, encode_frame
from aob.server.http.answer import Stream
from aob.server.http.call import Call
from aob.server.http.verb_routes import Fields, Odd
from aob.server.routes.live.asked import Names, Pairs, Word, names, pairs
from aob.server.routes.streams import as_events, event_stream

FRAMES_BYTES: Final = 8 * 1024 * 1024
_FRAMES: Final = FrameCache(FRAMES_BYTES)


class StreamAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to send: events of some types and of one subject, deltas of some metrics over one window, state changes of
    some alerts, or all events."""

    type: Annotated[tuple[str, ...], msgspec.Meta(description="Only events of these types; may be repeated.")] = ()
    metric: Annotated[tuple[str, ...], msgspec.Meta(description="Deltas of these metrics; may be repeated.")] = ()
    alert: Annotated[tuple[str, ...], msgspec.Meta(description="Turns of these alerts (`*`: of all).")] = ()
    window: Annotated[str, msgspec.Meta(max_length=100, description="Of the metrics: a name, or a duration.")] = ""
    by: Names = ()
    where: Pairs = ()
    subject: Word = ""
    position: Annotated[str | None, msgspec.Meta(description="Go on after this position; from now without it.")] = None


async def stream(call: Call[StreamAsked, None], fields: Fields) -> Stream:
    """Starts the stream."""
    query = call.query
    by, where = names(query.by), pairs(query.where)
    feed = call.act("stream")(
        call.who,
        types=frozenset(names(query.type)) or None,
        metrics=[MetricQuery(name, query.window, by=by, where=where) for name in names(query.metric)],
        alerts=frozenset(names(query.alert)),
        subject=query.subject,
        position=call.header(b"last-event-id") or query.position,
        place=True,
    )
    return event_stream(as_events(feed, _FRAMES.frame))


async def stream_org(call: Call[object, None], fields: Fields) -> Stream:
    """Starts the stream of the organisation's changes."""
    position = call.header(b"last-event-id") or fields["position"]
    if position:
        Position.parse(position)  # refused with its own status before the head is sent
    return event_stream(as_events(call.act("follow_org")(call.who, position=position), encode_frame))


ODD: Final = {"stream_events": Odd(stream, query=StreamAsked), "stream_org": Odd(stream_org)}
