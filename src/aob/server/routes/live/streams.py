"""The live stream of events and deltas as server-sent events, resumable; a delta is encoded once for all readers."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.metric_query import MetricQuery
from aob.fanout import OPENING, FrameCache, encode_frame, encode_place
from aob.server.http.answer import EVENTS, Stream
from aob.server.http.call import Call
from aob.server.http.verb_routes import Fields, Odd
from aob.server.routes.live.asked import Names, Pairs, Word, names, pairs
from aob.server.routes.streams import problem_frame

FRAMES_BYTES: Final = 8 * 1024 * 1024


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


class LiveStream:
    """The route, and the frames that its readers share."""

    def __init__(self) -> None:
        self._frames = FrameCache(FRAMES_BYTES)

    async def stream(self, call: Call[StreamAsked, None], fields: Fields) -> Stream:
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
        return Stream(self._encoded(feed), EVENTS, OPENING, encode_frame("", "end", {}), problem_frame)

    async def _encoded(self, feed: AsyncIterator[tuple[str, str, JsonObject]]) -> AsyncIterator[bytes]:
        frame = self._frames.frame
        async for position, event, data in feed:
            yield frame(position, event, data) if event else encode_place(position)

    def odd(self) -> dict[str, Odd]:
        """The route of the stream."""
        return {"stream_events": Odd(self.stream, query=StreamAsked)}
