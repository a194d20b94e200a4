"""`GET /metrics`: the numbers of this process for Prometheus. Public; shows nothing of any tenant's events."""

from collections.abc import Callable
from typing import Final

from aob.core.errors import Unavailable
from aob.core.verb import Gives
from aob.server.http.accept import accepted
from aob.server.http.answer import Answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, AnyRoute, Route

TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


class Prometheus:
    """One route over a function that makes the text, as OpenMetrics when it is requested."""

    def __init__(self, text: Callable[[bool], bytes] | None) -> None:
        self._text = text

    async def show(self, call: Call[Nothing, None]) -> Answer:
        """The current text."""
        if self._text is None:
            raise Unavailable("no numbers are kept here", code="not_here", hint="ask the server that `aob up` printed")
        names = [media.decode().partition(";")[0] for media in (TEXT, OPEN_METRICS)]
        as_open_metrics = accepted(call.header(b"accept"), names) == names[1]
        return Answer(self._text(as_open_metrics), media=OPEN_METRICS if as_open_metrics else TEXT)

    def routes(self) -> tuple[AnyRoute, ...]:
        """`/metrics`."""
        return (
            Route(
                "GET",
                "/metrics",
                self.show,
                name="show_prometheus",
                summary="The numbers of this process in Prometheus' text format, or as OpenMetrics when asked for it.",
                verb=None,
                query=Nothing,
                body=NO_BODY,
                gives=(
                    Gives(200, str, "The numbers.", "text/plain"),
                    Gives(200, str, "The numbers.", "application/openmetrics-text"),
                ),
            ),
        )
