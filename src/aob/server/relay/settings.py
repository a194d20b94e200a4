"""What counts for built-in kinds at a worker that several gateways speak to: the newest of what they say. Gateways
whose own files differ say different things of one version: then only what all of them allow counts, so that no job is
performed under rules that are wider than those of its own gateway."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from aob.core.value import canonical
from aob.ports.logger import Logger
from aob.rpc import worker_pb2 as pb

log: Final = Logger("aob.server")


class ToldSettings:
    """Of one stream of a worker."""

    def __init__(self) -> None:
        self._said: dict[str, pb.Settings] = {}
        self._told: pb.Settings | None = None

    def say(self, source: str, said: pb.Settings) -> pb.Settings | None:
        """A gateway says what counts there. Returns what the worker is to hear now; None: it knows."""
        self._said[source] = said
        return self._changed()

    def keep(self, sources: Collection[str]) -> pb.Settings | None:
        """Only what these gateways said goes on to count: the worker has no job of another. Returns as `say`."""
        gone = self._said.keys() - sources
        for source in gone:
            del self._said[source]
        return self._changed() if gone else None

    def _changed(self) -> pb.Settings | None:
        newest = max((said.version for said in self._said.values()), default=0)
        found = {source: said.data for source, said in self._said.items() if said.version == newest}
        if not found:
            return None
        now = pb.Settings(version=newest, data=_narrowest(found))
        if now == self._told:
            return None
        self._told = now
        return now


def _narrowest(said: Mapping[str, bytes]) -> bytes:
    """What all of them allow; the other values of the first one."""
    first, *others = set(said.values())
    if not others:
        return first
    log.warning("settings_differ", gateways=sorted(said))
    given: list[dict[str, Any]] = [msgspec.json.decode(data) for data in said.values()]
    rules: list[dict[str, Any]] = [each.get("egress") or {} for each in given]
    private: list[Any] = [each.get("private") or [] for each in rules]
    hosts = [each["hosts"] for each in rules if each.get("hosts") is not None]
    egress = {**rules[0], "private": _shared(private), "hosts": _shared(hosts) if hosts else None}
    return canonical({**given[0], "egress": egress})


def _shared(lists: list[list[str]]) -> list[str]:
    """What is in each of them."""
    return [each for each in lists[0] if all(each in other for other in lists[1:])]
