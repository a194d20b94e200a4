"""Runs: start, list, show, follow, cancel, message, replay, fork. One request each, with typed answers."""

from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import islice

import msgspec

from aob.client.async_wire import AsyncWire
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
from aob.core.answers import JsonObject, JsonValue, Pruned, RunPage, RunStarted, RunView, StartVerdict, TimelineEvent
from aob.core.errors import Unavailable


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
        """Start a run, once per key. Without a key one is made, so that a retried start is the same start."""
        body = start_body(workflow, inputs, tag, key, mode, priority, labels)
        found: RunStarted = await self._once_more("POST", "/v1/runs", body=body)
        return found

    async def execute(
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
        """Start a run and return it when it has ended: `status`, `output`, `error` and the rest.

        Raises TimeoutError, with the run's id, when it has not ended in time; it goes on.
        """
        body = start_body(workflow, inputs, tag, key, mode, priority, labels)
        deadline = deadline_of(timeout_s)
        query = {"wait": wait_for(deadline, self._timeout_s)}
        found: RunView = await self._once_more("POST", "/v1/runs", query=query, body=body)
        return found if found.get("ended_at") else await self._ended(found["run_id"], deadline)

    async def start_many(self, items: Iterable[Mapping[str, JsonValue]]) -> AsyncIterator[StartVerdict]:
        """Start any number of runs, 2,000 a request; one verdict each, in order. Items have the names of `start`."""
        rest = iter(items)
        while batch := list(islice(rest, BATCH_ITEMS)):
            lines = msgspec.json.Encoder().encode_lines([keyed(item) for item in batch])
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

    async def wait(self, run_id: str, *, timeout_s: float | None = None) -> RunView:
        """The run once it has ended, also across a restart of the server. Raises TimeoutError, with the run's id, when
        it has not ended in time."""
        return await self._ended(run_id, deadline_of(timeout_s))

    async def _ended(self, run_id: str, deadline: float | None) -> RunView:
        failures = 0
        while True:
            try:
                wait = wait_for(deadline, self._timeout_s)
                run: RunView = await self._call("GET", run_path(run_id), query={"wait": wait})
            except Unavailable:
                failures += 1
                if failures > RECONNECTS_MAX:
                    raise
                await self._pause(pause_s(failures))
                continue
            if run["ended_at"]:
                return run
            failures = 0
            raise_if_late(run_id, deadline)

    async def timeline(self, run_id: str) -> AsyncIterator[TimelineEvent]:
        """All events of a run so far."""
        after: int | None = None
        while True:
            page = await self._call("GET", run_path(run_id, "timeline"), query={"after": after})
            for event in page["events"]:
                yield event
            after = page["next"]
            if after is None:
                return

    async def prune(
        self,
        before: Instant,
        *,
        workflow: str | None = None,
        status: str | None = None,
        reason: str = "",
        dry_run: bool = False,
    ) -> AsyncIterator[Pruned]:
        """Remove runs that ended before an instant (a text may be a date), one step a request: what each step removed.
        With `dry_run` what it would remove. A caller that stops iterating stops it; finished steps stay."""
        moment: JsonValue = instant(before)
        body = {"before": moment, "workflow": workflow, "status": status, "reason": reason, "dry_run": dry_run}
        cursor: str | None = None
        while True:
            step: Pruned = await self._call("POST", "/v1/runs:prune", body={**body, "cursor": cursor})
            yield step
            cursor = step["next"]
            if cursor is None:
                return

    def follow(
        self, run_id: str | None = None, *, position: str | None = None, types: Iterable[str] = ()
    ) -> AsyncIterator[Event]:
        """Events of a run until it has ended, or of all runs, endless; resumes after a broken connection."""
        path = run_path(run_id, "events") if run_id else "/v1/runs/events"
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
