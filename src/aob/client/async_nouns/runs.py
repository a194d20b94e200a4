"""Runs: start, list, show, follow, cancel, message, replay, fork. Each a request, its answer typed."""

from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import islice

import msgspec

from aob.client.async_wire import AsyncWire
from aob.client.frames import Event
from aob.client.request import BATCH_ITEMS, FINISHED, run_path
from aob.core.answers import (
    Accepted,
    Forked,
    JsonObject,
    JsonValue,
    RunGraph,
    RunPage,
    RunStarted,
    RunView,
    StartVerdict,
    TimelineEvent,
    Why,
)


class Runs(AsyncWire):
    """Calls about runs."""

    async def start(
        self,
        workflow: str | None = None,
        inputs: Mapping[str, JsonValue] | None = None,
        *,
        tag: str = "main",
        key: str | None = None,
        mode: str | None = None,
        priority: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> RunStarted:
        """Start a run, once a key."""
        body = {"workflow": workflow, "inputs": inputs or {}, "tag": tag, "key": key, "mode": mode}
        found: RunStarted = await self._call("POST", "/v1/runs", body={**body, "priority": priority, "labels": labels})
        return found

    async def start_many(self, items: Iterable[Mapping[str, JsonValue]]) -> AsyncIterator[StartVerdict]:
        """Start any number of runs, 2,000 a request; a verdict each, in order. Items have the names of `start`."""
        rest = iter(items)
        while batch := list(islice(rest, BATCH_ITEMS)):
            lines = msgspec.json.Encoder().encode_lines(batch)
            for verdict in await self._call("POST", "/v1/runs", content=lines, media="application/x-ndjson"):
                yield verdict

    async def runs(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> RunPage:
        """A page of runs, newest first."""
        wanted = [f"{name}={value}" for name, value in (labels or {}).items()]
        query = {"status": status, "workflow": workflow, "limit": limit, "cursor": cursor, "label": wanted}
        found: RunPage = await self._call("GET", "/v1/runs", query=query)
        return found

    async def run(self, run_id: str, *, min_position: str | None = None) -> RunView:
        """A whole run."""
        found: RunView = await self._call("GET", run_path(run_id), query={"min_position": min_position})
        return found

    async def wait(self, run_id: str) -> RunView:
        """The run once it has ended."""
        async for _ in self.follow(run_id, types=(FINISHED,)):
            pass
        return await self.run(run_id)

    async def graph(self, run_id: str) -> RunGraph:
        """The graph of a run as it stands now."""
        found: RunGraph = await self._call("GET", run_path(run_id, "graph"))
        return found

    async def timeline(self, run_id: str) -> AsyncIterator[TimelineEvent]:
        """All events of a run until now."""
        after: int | None = None
        while True:
            page = await self._call("GET", run_path(run_id, "timeline"), query={"after": after})
            for event in page["events"]:
                yield event
            after = page["next"]
            if after is None:
                return

    async def why(self, run_id: str) -> Why:
        """What a run waits for."""
        found: Why = await self._call("GET", run_path(run_id, "why"))
        return found

    async def cancel(self, run_id: str, *, reason: str = "", command: str | None = None) -> Accepted:
        """Cancel a run."""
        found: Accepted = await self._call("POST", run_path(run_id, "cancel"), body={"reason": reason}, command=command)
        return found

    async def message(
        self, run_id: str, name: str, *, key: str = "", payload: JsonValue = None, id: str | None = None
    ) -> Accepted:
        """Hand a message to a run."""
        body = {"name": name, "key": key, "payload": payload, "id": id}
        found: Accepted = await self._call("POST", run_path(run_id, "messages"), body=body)
        return found

    async def replay(
        self,
        run_id: str,
        *,
        from_node: str,
        mode: str = "freeze",
        patches: list[JsonValue] | None = None,
        assume: Mapping[str, JsonValue] | None = None,
    ) -> JsonObject:
        """Replay a run in a shadow; the report says what was recorded, computed, or is unknown."""
        body = {"from": from_node, "mode": mode, "patches": patches, "assume": assume}
        found: JsonObject = await self._call("POST", run_path(run_id, "replay"), body=body)
        return found

    async def fork(self, run_id: str, *, from_node: str) -> Forked:
        """A new run from a node of this one."""
        found: Forked = await self._call("POST", run_path(run_id, "fork"), body={"from": from_node})
        return found

    def follow(
        self, run_id: str | None = None, *, position: str | None = None, types: Iterable[str] = ()
    ) -> AsyncIterator[Event]:
        """Events of a run until it has ended, or of all runs for ever; goes on by itself after a broken connection."""
        path = run_path(run_id, "events") if run_id else "/v1/events"
        return self._events(path, {"type": list(types)}, position)

    async def logs(self, run_id: str, *, node: str | None = None, follow: bool = False) -> AsyncIterator[JsonObject]:
        """Lines of the handlers' logs; with `follow` until the run has ended."""
        path, query = run_path(run_id, "logs"), {"node": node}
        if follow:
            async for event in self._events(path, query, None):
                yield event.data
            return
        async for line in self._lines(path, query):
            yield msgspec.json.decode(line)
