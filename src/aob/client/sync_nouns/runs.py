"""Runs: start, list, show, follow, cancel, message, replay, fork. Each a request, its answer typed.

Made from async_nouns/runs.py by `python -m tools.make_sync`: edit that one.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import msgspec

from aob.client.frames import Event
from aob.client.request import (
    BATCH_ITEMS,
    RECONNECTS_MAX,
    Instant,
    deadline_of,
    instant,
    keyed,
    pause_s,
    raise_if_late,
    run_path,
    start_body,
    wait_for,
)
from aob.client.sync_wire import Wire
from aob.core.answers import (
    Accepted,
    Forked,
    JsonObject,
    JsonValue,
    Pruned,
    RunGraph,
    RunPage,
    RunStarted,
    RunView,
    StartVerdict,
    TimelineEvent,
    Why,
)
from aob.core.errors import Unavailable


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
        """Start a run, once a key. Without a key one is made, so that a start that is sent again for want of an answer
        is the same start."""
        body = start_body(workflow, inputs, tag, key, mode, priority, labels)
        found: RunStarted = self._once_more("POST", "/v1/runs", body=body)
        return found

    def execute(
        self,
        workflow: str | None = None,
        inputs: Mapping[str, JsonValue] | None = None,
        *,
        tag: str = "main",
        key: str | None = None,
        mode: str | None = None,
        priority: str | None = None,
        labels: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> RunView:
        """Start a run and give it back when it has ended: `status`, `output`, `error` and the rest.

        Raises TimeoutError, with the run's id, when it has not ended in time; it goes on.
        """
        body = start_body(workflow, inputs, tag, key, mode, priority, labels)
        deadline = deadline_of(timeout_s)
        query = {"wait": wait_for(deadline, self._timeout_s)}
        found: RunView = self._once_more("POST", "/v1/runs", query=query, body=body)
        return found if found.get("ended_at") else self._ended(found["run_id"], deadline)

    def start_many(self, items: Iterable[Mapping[str, JsonValue]]) -> Iterator[StartVerdict]:
        """Start any number of runs, 2,000 a request; a verdict each, in order. Items have the names of `start`."""
        rest = iter(items)
        while batch := list(islice(rest, BATCH_ITEMS)):
            lines = msgspec.json.Encoder().encode_lines([keyed(item) for item in batch])
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

    def wait(self, run_id: str, *, timeout_s: float | None = None) -> RunView:
        """The run once it has ended, also when the server is started again meanwhile. Raises TimeoutError, with the
        run's id, when it has not ended in time."""
        return self._ended(run_id, deadline_of(timeout_s))

    def _ended(self, run_id: str, deadline: float | None) -> RunView:
        failures = 0
        while True:
            try:
                wait = wait_for(deadline, self._timeout_s)
                run: RunView = self._call("GET", run_path(run_id), query={"wait": wait})
            except Unavailable:
                failures += 1
                if failures > RECONNECTS_MAX:
                    raise
                time.sleep(pause_s(failures))
                continue
            if run["ended_at"]:
                return run
            failures = 0
            raise_if_late(run_id, deadline)

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

    def release(self, run_id: str) -> Accepted:
        """Let a run that was set aside go on."""
        found: Accepted = self._call("POST", run_path(run_id, "release"))
        return found

    def prune(
        self,
        before: Instant,
        *,
        workflow: str | None = None,
        status: str | None = None,
        reason: str = "",
        dry_run: bool = False,
    ) -> Iterator[Pruned]:
        """Remove runs that ended before an instant (a text may be a date), a step a request: what each step removed.
        With `dry_run` what it would remove. Who stops asking stops it; what was told is done."""
        moment: JsonValue = instant(before)
        body = {"before": moment, "workflow": workflow, "status": status, "reason": reason, "dry_run": dry_run}
        cursor: str | None = None
        while True:
            step: Pruned = self._call("POST", "/v1/runs:prune", body={**body, "cursor": cursor})
            yield step
            cursor = step["next"]
            if cursor is None:
                return

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

    def fork(
        self,
        run_id: str,
        *,
        from_node: str,
        patches: list[JsonValue] | None = None,
        assume: JsonObject | None = None,
    ) -> Forked:
        """A new run from a node of this one. `patches` are put on top, `assume` gives copied visits another output;
        what depends on either is not copied, and an approval among it is asked again."""
        body: JsonObject = {"from": from_node, "patches": patches, "assume": assume}
        body = {name: value for name, value in body.items() if value is not None}
        found: Forked = self._call("POST", run_path(run_id, "fork"), body=body)
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
