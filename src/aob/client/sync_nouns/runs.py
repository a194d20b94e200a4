"""Runs: start, list, show, follow, cancel, message, replay, fork. Each a request, its answer typed.

Made from async_nouns/runs.py by `python -m tools.make_sync`: edit that one.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import msgspec

from aob.client.frames import Event
from aob.client.request import BATCH_ITEMS, FINISHED, run_path
from aob.client.sync_wire import Wire
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


class Runs(Wire):
    """Calls about runs."""

    def start(
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
        found: RunStarted = self._call("POST", "/v1/runs", body={**body, "priority": priority, "labels": labels})
        return found

    def start_many(self, items: Iterable[Mapping[str, JsonValue]]) -> Iterator[StartVerdict]:
        """Start any number of runs, 2,000 a request; a verdict each, in order. Items have the names of `start`."""
        rest = iter(items)
        while batch := list(islice(rest, BATCH_ITEMS)):
            lines = msgspec.json.Encoder().encode_lines(batch)
            yield from self._call("POST", "/v1/runs", content=lines, media="application/x-ndjson")

    def runs(
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
        found: RunPage = self._call("GET", "/v1/runs", query=query)
        return found

    def run(self, run_id: str, *, min_position: str | None = None) -> RunView:
        """A whole run."""
        found: RunView = self._call("GET", run_path(run_id), query={"min_position": min_position})
        return found

    def wait(self, run_id: str) -> RunView:
        """The run once it has ended."""
        for _ in self.follow(run_id, types=(FINISHED,)):
            pass
        return self.run(run_id)

    def graph(self, run_id: str) -> RunGraph:
        """The graph of a run as it stands now."""
        found: RunGraph = self._call("GET", run_path(run_id, "graph"))
        return found

    def timeline(self, run_id: str) -> Iterator[TimelineEvent]:
        """All events of a run until now."""
        after: int | None = None
        while True:
            page = self._call("GET", run_path(run_id, "timeline"), query={"after": after})
            yield from page["events"]
            after = page["next"]
            if after is None:
                return

    def why(self, run_id: str) -> Why:
        """What a run waits for."""
        found: Why = self._call("GET", run_path(run_id, "why"))
        return found

    def cancel(self, run_id: str, *, reason: str = "", command: str | None = None) -> Accepted:
        """Cancel a run."""
        found: Accepted = self._call("POST", run_path(run_id, "cancel"), body={"reason": reason}, command=command)
        return found

    def message(
        self, run_id: str, name: str, *, key: str = "", payload: JsonValue = None, id: str | None = None
    ) -> Accepted:
        """Hand a message to a run."""
        body = {"name": name, "key": key, "payload": payload, "id": id}
        found: Accepted = self._call("POST", run_path(run_id, "messages"), body=body)
        return found

    def replay(
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
        found: JsonObject = self._call("POST", run_path(run_id, "replay"), body=body)
        return found

    def fork(self, run_id: str, *, from_node: str) -> Forked:
        """A new run from a node of this one."""
        found: Forked = self._call("POST", run_path(run_id, "fork"), body={"from": from_node})
        return found

    def follow(
        self, run_id: str | None = None, *, position: str | None = None, types: Iterable[str] = ()
    ) -> Iterator[Event]:
        """Events of a run until it has ended, or of all runs for ever; goes on by itself after a broken connection."""
        path = run_path(run_id, "events") if run_id else "/v1/events"
        return self._events(path, {"type": list(types)}, position)

    def logs(self, run_id: str, *, node: str | None = None, follow: bool = False) -> Iterator[JsonObject]:
        """Lines of the handlers' logs; with `follow` until the run has ended."""
        path, query = run_path(run_id, "logs"), {"node": node}
        if follow:
            for event in self._events(path, query, None):
                yield event.data
            return
        for line in self._lines(path, query):
            yield msgspec.json.decode(line)
