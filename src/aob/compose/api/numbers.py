"""The text of `GET /metrics` of the role `api`: its own requests, streams and links. The home's numbers are those
of the process that holds it. No key is needed here, so `aob_api_link` names each by its id, never by its address."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from aob.compose.metrics import Text, of_process, staged
from aob.compose.network import Peers
from aob.ports.telemetry import Stage

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class ApiNumbers(Text):
    """Numbers of one process. `members` are the names of the home's processes by address, `readers` counts the streams
    that are open, `certificates` are the ends of certificates by file, in seconds since 1970."""

    def __init__(
        self, stages: Mapping[str, Stage], peers: Peers, members: Callable[[], Mapping[str, str]],
        readers: Callable[[], int], certificates: Callable[[], Mapping[str, float]] = dict,
    ) -> None:  # fmt: skip
        self._stages, self._peers, self._members = stages, peers, members
        self._readers, self._certificates = readers, certificates

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import GaugeMetricFamily

        yield from staged(self._stages)
        yield GaugeMetricFamily("aob_api_streams", "Streams that are open here.", value=self._readers())
        told = "Whether the process of this id (aob status) can be asked; its /metrics has the numbers of the home."
        links = GaugeMetricFamily("aob_api_link", told, labels=["member"])
        for name, up in self._links():
            links.add_metric([name], float(up))
        yield links
        yield from of_process(self._certificates())

    def _links(self) -> Iterator[tuple[str, bool]]:
        """Each process and whether it can be asked: by its id, by the name of its home where it is no member of a
        cluster, and as `unmet` while nothing is known of it. What is called alike gets a number."""
        peers, names, given = {peer.address: peer for peer in self._peers.known()}, self._members(), Counter[str]()
        for address in sorted({*names, *peers}):
            peer = peers.get(address)
            greeted = peer.greeting.name if peer is not None and peer.greeting is not None else ""
            name = names.get(address) or greeted or "unmet"
            given[name] += 1
            yield name if given[name] == 1 else f"{name}-{given[name]}", peer is not None and peer.up
