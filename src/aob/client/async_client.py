"""Every verb of the API as a method with the engine's own names. Answers are plain JSON, typed."""

from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Self

import msgspec

from aob.client.async_wire import AsyncWire
from aob.client.frames import Event
from aob.client.place import find_place
from aob.client.request import BATCH_ITEMS, FINISHED, media_of, name_in, part, run_path
from aob.core.answers import (
    Accepted,
    Answered,
    Forked,
    Health,
    JsonObject,
    JsonValue,
    KeyCreated,
    KeyRow,
    PatchRow,
    PatchVerdict,
    PatchView,
    RunGraph,
    RunPage,
    RunStarted,
    RunView,
    StartVerdict,
    TagPatched,
    TicketLink,
    TicketView,
    TimelineEvent,
    Validated,
    Why,
    WorkflowDiff,
    WorkflowPushed,
    WorkflowRow,
    WorkflowView,
)
from aob.core.errors import Invalid, Problem


class AsyncClient(AsyncWire):
    """A client of one server. Every method raises errors of the AobError tree only."""

    @classmethod
    def of_home(cls, home: Path) -> Self:
        """The client of the server that runs on a home, with the home's own key. Raises Unavailable, Unauthorized."""
        place = find_place(home)
        return cls(place.url, place.key)

    async def health(self) -> Health:
        """How the server is."""
        found: Health = await self._call("GET", "/v1/health")
        return found

    # -- workflows

    async def push(self, document: JsonObject | bytes, *, name: str | None = None, tag: str = "main") -> WorkflowPushed:
        """Store a document (a dict, or JSON or YAML bytes) and tag it. `name` is the document's own by default."""
        data = document if isinstance(document, bytes) else msgspec.json.encode(document)
        named = name or name_in(document)
        if not named:
            problems = (await self.validate(document))["problems"]
            nameless = [Problem("/workflow", "has no name", hint="workflow: NAME, or say a name beside the document")]
            raise Invalid("the document cannot be stored", msgspec.convert(problems, list[Problem]) or nameless)
        found: WorkflowPushed = await self._call(
            "PUT", f"/v1/workflows/{part(named)}", query={"tag": tag}, content=data, media=media_of(data)
        )
        return found

    async def validate(self, document: JsonObject | bytes) -> Validated:
        """Every problem of a document; nothing is stored."""
        data = document if isinstance(document, bytes) else msgspec.json.encode(document)
        found: Validated = await self._call("POST", "/v1/workflows:validate", content=data, media=media_of(data))
        return found

    async def workflows(self) -> list[WorkflowRow]:
        """All workflows."""
        found: list[WorkflowRow] = (await self._call("GET", "/v1/workflows"))["workflows"]
        return found

    async def workflow(self, name: str, tag: str = "main") -> WorkflowView:
        """One version, by tag or artifact."""
        found: WorkflowView = await self._call("GET", f"/v1/workflows/{part(name)}", query={"tag": tag})
        return found

    async def diff(self, name: str, a: str, b: str = "main") -> WorkflowDiff:
        """What changed from `a` to `b`."""
        found: WorkflowDiff = await self._call("GET", f"/v1/workflows/{part(name)}/diff", query={"a": a, "b": b})
        return found

    async def patch_tag(self, name: str, body: JsonObject, *, tag: str = "main") -> TagPatched:
        """Patch a tag for the runs that start later: `{"operations": [...], "base"?, "reason"?, "id"?}`."""
        found: TagPatched = await self._call("POST", f"/v1/workflows/{part(name)}/patch", query={"tag": tag}, body=body)
        return found

    # -- runs

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

    # -- feeds

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

    # -- patches

    async def propose(self, run_id: str, body: JsonObject) -> PatchVerdict:
        """Propose a patch: `{"operations": [...], "base"?, "kind"?, "reason"?, "id"?}`."""
        found: PatchVerdict = await self._call("POST", run_path(run_id, "patches"), body=body)
        return found

    async def patches(self, run_id: str) -> list[PatchRow]:
        """The patches of a run."""
        found: list[PatchRow] = (await self._call("GET", run_path(run_id, "patches")))["patches"]
        return found

    async def patch(self, patch_id: str) -> PatchView:
        """A whole patch."""
        found: PatchView = await self._call("GET", f"/v1/patches/{part(patch_id)}")
        return found

    async def approve_patch(self, patch_id: str, *, reason: str = "") -> PatchVerdict:
        """Approve the diff that was shown."""
        return await self._settle(patch_id, "approve", {"reason": reason})

    async def reject_patch(self, patch_id: str, *, reason: str = "") -> PatchVerdict:
        """Reject a proposal."""
        return await self._settle(patch_id, "reject", {"reason": reason})

    async def rollback(self, patch_id: str, *, cascade: bool = False) -> PatchVerdict:
        """Take a patch back."""
        return await self._settle(patch_id, "rollback", {"cascade": cascade})

    async def _settle(self, patch_id: str, verb: str, body: JsonObject) -> PatchVerdict:
        found: PatchVerdict = await self._call("POST", f"/v1/patches/{part(patch_id)}/{verb}", body=body)
        return found

    # -- people

    async def tickets(
        self, *, open: bool = True, role: str | None = None, run_id: str | None = None
    ) -> list[TicketView]:
        """Tickets that wait for a person."""
        query = {"open": open, "role": role, "run_id": run_id}
        found: list[TicketView] = (await self._call("GET", "/v1/tickets", query=query))["tickets"]
        return found

    async def ticket(self, ticket_id: str) -> TicketView:
        """One ticket."""
        found: TicketView = await self._call("GET", f"/v1/tickets/{part(ticket_id)}")
        return found

    async def answer(
        self,
        ticket_id: str,
        choice: str,
        *,
        reason: str = "",
        values: Mapping[str, JsonValue] | None = None,
        command: str | None = None,
    ) -> Answered:
        """Decide a ticket."""
        body = {"choice": choice, "reason": reason, "values": values}
        found: Answered = await self._call("POST", f"/v1/tickets/{part(ticket_id)}/answer", body=body, command=command)
        return found

    async def ticket_link(
        self, ticket_id: str, *, choices: Iterable[str] | None = None, expires: str | None = None, to: str | None = None
    ) -> TicketLink:
        """A signed link with which somebody without a key decides; for these choices and so long, by default for all
        of them until the ticket's deadline, or 7 days."""
        body = {"choices": None if choices is None else list(choices), "expires": expires, "to": to}
        found: TicketLink = await self._call("POST", f"/v1/tickets/{part(ticket_id)}/links", body=body)
        return found

    async def blob(self, hash: str) -> bytes:
        """The bytes of a blob."""
        return await self._bytes(f"/v1/blobs/{part(hash)}")

    async def create_key(self, name: str, roles: Iterable[str], *, tenant: str | None = None) -> KeyCreated:
        """A new key; its secret is in this answer only."""
        body = {"name": name, "roles": list(roles), "tenant": tenant}
        found: KeyCreated = await self._call("POST", "/v1/keys", body=body)
        return found

    async def list_keys(self) -> list[KeyRow]:
        """All keys, without secrets."""
        found: list[KeyRow] = (await self._call("GET", "/v1/keys"))["keys"]
        return found

    async def revoke_key(self, key_id: str) -> None:
        """Revoke a key."""
        await self._call("DELETE", f"/v1/keys/{part(key_id)}")
