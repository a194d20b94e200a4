"""The live stream: accepted events and the deltas of metrics as server-sent events, resumable by position.

A delta that many readers asked for is encoded once for all of them.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.metric_answers import MetricAnswer
from aob.core.metric_query import MetricQuery
from aob.core.verb import Gives
from aob.fanout import OPENING, FrameCache, encode_frame, encode_place
from aob.server.http.answer import EVENTS, Stream
from aob.server.http.call import Call
from aob.server.http.route import NO_BODY, Route
from aob.server.routes.live.asked import Names, Pairs, Word, names, pairs
from aob.server.routes.live.shapes import AcceptedEvent, AlertNotice
from aob.server.routes.streams import problem_frame

FRAMES_BYTES: Final = 8 * 1024 * 1024


class StreamAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to tell: events of some types and of one subject, deltas of some metrics over one window, turns of some
    alerts, or all events."""

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

    async def stream(self, call: Call[StreamAsked, None]) -> Stream:
        """Begin to tell."""
        query = call.query
        by, where = names(query.by), pairs(query.where)
        feed = call.metrics.stream(
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

    def routes(self) -> tuple[Route[StreamAsked, None], ...]:
        """`/v1/stream/events`."""
        return (
            Route(
                "GET",
                "/v1/stream/events",
                self.stream,
                name="stream_events",
                summary="Follow accepted events and the deltas of metrics as they happen. From a position on nothing "
                "is missed: events are read from the log, and a metric is told as it is now.",
                verb="stream",
                query=StreamAsked,
                body=NO_BODY,
                headers=("Last-Event-ID",),
                gives=(
                    Gives(
                        200,
                        str,
                        "Events named `event`, `metric` or `alert`; `problem` says what broke.",
                        "text/event-stream",
                        {"event": AcceptedEvent, "metric": MetricAnswer, "alert": AlertNotice},
                    ),
                ),
                refuses=(404, 409),
            ),
        )
