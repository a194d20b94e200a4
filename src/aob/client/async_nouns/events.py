"""Events: send them so that each counts once despite failures, and follow them with the numbers they move."""

from collections.abc import AsyncIterator, Iterable, Mapping

import httpx

from aob.client.async_wire import AsyncWire
from aob.client.frames import Event
from aob.client.producer import ATTEMPTS, NOTHING, SOURCE, WAIT_FIRST_S, WAIT_MAX_S, Lanes, Sent, batches, joined
from aob.client.request import TIMEOUT_S, dimensions, names
from aob.core.errors import Busy, Unavailable
from aob.core.metric_answers import Ingested


class Events(AsyncWire):
    """Calls about events."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(url, key, timeout_s=timeout_s, transport=transport)
        self._lanes = Lanes()

    async def ingest(self, events: Sent, *, source: str = SOURCE) -> Ingested:
        """Send one event or any number, 1,000 a request: one verdict each, in order. Missing `id`, `source` and `time`
        are filled in. Retries when the server is full or a connection breaks; each event counts once.

        Raises Busy or Unavailable after the last retry: sent again, events with an id still count once.
        """
        total: Ingested | None = None
        for batch in batches(events):
            lane = self._lanes.take()
            try:
                total = joined(total, await self.ingest_lines(lane.stamped(batch, source)))
            finally:
                self._lanes.give(lane)
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
