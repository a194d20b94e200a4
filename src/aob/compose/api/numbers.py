"""The text of `GET /metrics` of the role `api`: its own requests, streams and links. The home's numbers are those
of the process that holds it: `aob_api_link` names each by its address."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aob.compose.metrics import Text, of_process, staged
from aob.compose.network import Peers
from aob.ports.telemetry import Stage

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class ApiNumbers(Text):
    """Numbers of one process. `addresses` are where the home's processes listen, `readers` counts the streams that are
    open, `certificates` are the ends of certificates by file, in seconds since 1970."""

    def __init__(
        self, stages: Mapping[str, Stage], peers: Peers, addresses: Callable[[], Sequence[str]],
        readers: Callable[[], int], certificates: Callable[[], Mapping[str, float]] = dict,
    ) -> None:  # fmt: skip
        self._stages, self._peers, self._addresses = stages, peers, addresses
        self._readers, self._certificates = readers, certificates

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import GaugeMetricFamily

        yield from staged(self._stages)
        yield GaugeMetricFamily("aob_api_streams", "Streams that are open here.", value=self._readers())
        told = "Whether the process at this address can be asked; its own /metrics has the numbers of the home."
        links = GaugeMetricFamily("aob_api_link", told, labels=["address"])
        up = {peer.address: peer.up for peer in self._peers.known()}
        for address in sorted({*self._addresses(), *up}):
            links.add_metric([address], float(up.get(address, False)))
        yield links
        yield from of_process(self._certificates())
