"""The home as a process of the role `fanout` has it: its streams, each read once for all the readers here, its keys and
its health."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from aob.compose.api import ApiNumbers, DirectHome, Holders
from aob.compose.network import Peers
from aob.core.policy import Caller
from aob.core.verbs import TABLE
from aob.fanout.shared import Feeds
from aob.ports.cluster import Record

if TYPE_CHECKING:
    from prometheus_client.core import Metric

STREAMS: Final = tuple(verb for verb in TABLE if verb.streams)
_FIGURES: Final = {
    "feeds": "Feeds read from the home, each once for all its readers.",
    "readers": "Readers of these feeds.",
    "alone": "Readers that are behind, and read the home by themselves.",
}


class StreamingHome(DirectHome):
    """All streams of the home while it is entered."""

    def __init__(
        self, holders: Holders, peers: Peers, settings: Callable[[Record | None], None] = lambda record: None
    ) -> None:
        super().__init__(holders, peers, settings, STREAMS)
        own: Any = self
        self._asking_home = {verb.name: getattr(own, verb.name) for verb in STREAMS}
        self.feeds = Feeds(self._ask)
        own.follow, own.stream = self.feeds.follow, self.feeds.stream

    async def __aexit__(self, *exc: object) -> None:
        await self.feeds.__aexit__(*exc)
        await super().__aexit__(*exc)

    def _ask(self, verb: str, who: Caller, **named: Any) -> AsyncIterator[Any]:
        feed: AsyncIterator[Any] = self._asking_home[verb](who, **named)
        return feed


class StreamNumbers(ApiNumbers):
    """Numbers of this process for Prometheus, with those of its feeds."""

    feeds: Feeds

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import GaugeMetricFamily

        for name, value in self.feeds.figures().items():
            yield GaugeMetricFamily(f"aob_fanout_{name}", _FIGURES[name], value=value)
        yield from super().collect()
