"""Events: send them so that each counts once despite failures, and follow them with the numbers they move; dead letters
and deliveries of webhooks: pass them on again."""

from collections.abc import AsyncIterator, Iterable, Mapping

from aob.client.async_wire import AsyncWire
from aob.client.frames import Event
from aob.client.producer import ATTEMPTS, NOTHING, SOURCE, WAIT_FIRST_S, WAIT_MAX_S, Lane, Sent, batches, joined
from aob.client.request import Instant, dimensions, instant, names, part
from aob.core.answers import JsonObject
from aob.core.errors import Busy, Invalid, Unavailable
from aob.core.metric_answers import Ingested, Replayed


class Events(AsyncWire):
    """Calls about events, dead letters and webhooks."""

    async def ingest(self, events: Sent, *, source: str = SOURCE) -> Ingested:
        """Send one event or any number, 1,000 a request: one verdict each, in order. Missing `id`, `source` and `time`
        are filled in. Retries when the server is full or a connection breaks; each event counts once.

        Raises Busy or Unavailable after the last retry: sent again, events with an id still count once.
        """
        total: Ingested | None = None
        for batch in batches(events):
            lane = self._lanes.pop() if self._lanes else Lane()
            try:
                total = joined(total, await self.ingest_lines(lane.stamped(batch, source)))
            finally:
                self._lanes.append(lane)
        return total or {**NOTHING, "verdicts": []}

    async def ingest_lines(self, lines: bytes) -> Ingested:
        """Send events given as JSON lines, unchanged and in one request; retried as in `ingest`."""
        attempt = 0
        while True:
            try:
                found: Ingested = await self._call("POST", "/v1/events", content=lines, media="application/x-ndjson")
                return found
            except (Busy, Unavailable) as error:
                attempt += 1
                if attempt >= ATTEMPTS or error.code == "not_here":
                    raise
                said_s = error.retry_after_s if isinstance(error, Busy) else 0.0
                await self._pause(min(max(said_s, WAIT_FIRST_S * 2**attempt), WAIT_MAX_S))

    def stream(
        self,
        *,
        types: Iterable[str] = (),
        metrics: Iterable[str] = (),
        alerts: Iterable[str] = (),
        window: str = "",
        by: Iterable[str] = (),
        where: Mapping[str, str] | None = None,
        subject: str = "",
        position: str | None = None,
    ) -> AsyncIterator[Event]:
        """Accepted events, deltas of metrics and turns of alerts (`*`: of all), endless; resumes after a broken
        connection. Without `types`, `metrics` and `alerts` all events. Names are `event`, `metric`, `alert`."""
        query = {
            "type": names(types), "metric": names(metrics), "alert": names(alerts), "window": window or None,
            "by": names(by), "where": dimensions(where), "subject": subject or None,
        }  # fmt: skip
        return self._events("/v1/stream/events", query, position)

    def follow_org(self, *, position: str | None = None) -> AsyncIterator[Event]:
        """Changes of the organisation, endless; resumes after a broken connection. Their name is `change`."""
        return self._events("/v1/stream/org", {}, position)

    async def replay_deadletters(
        self,
        *,
        numbers: Iterable[int] = (),
        type: str = "",
        reason: str = "",
        event: JsonObject | None = None,
        dry_run: bool = False,
    ) -> Replayed:
        """Pass them through the gate again: by number, or all open ones of a type or reason. `event` is the mended form
        of a single one. Raises Invalid when it is given with several."""
        wanted = list(numbers)
        path, body = "/v1/deadletter:replay", {"numbers": wanted, "type": type, "reason": reason, "dry_run": dry_run}
        if event is not None:
            if len(wanted) != 1 or type or reason:
                raise Invalid("an event mends one dead letter", hint="give its number, and no type or reason")
            path, body = f"/v1/deadletter/{wanted[0]}/replay", {"event": event, "dry_run": dry_run}
        found: Replayed = await self._call("POST", path, body=body)
        return found

    async def redeliver(self, id: str, *, deliveries: Iterable[str] = (), since: Instant = None) -> JsonObject:
        """Send again: some deliveries, or all that failed since an instant: `{queued}`."""
        body = {"deliveries": list(deliveries), "since": instant(since)}
        found: JsonObject = await self._call("POST", f"/v1/webhooks/{part(id)}/redeliver", body=body)
        return found
