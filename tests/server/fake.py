"""An engine in memory, for tests of what speaks to engines: it keeps what it is told and tells it again."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from aob.core.errors import Conflict, Invalid, NotFound, Problem, Refused
from aob.core.event import Position, derived_id
from aob.core.policy import LOCAL, Caller
from aob.core.value import canonical, digest_of

Json = dict[str, Any]
SECRET = "aob_" + "s" * 32
LINES = ["+ node email (notify)", "- edge e1: a → b", "~ node a"]


def token(row: int) -> str:
    return Position(1, ((row, 0),)).token()


class FakeEngine:
    """Every verb of the engine. A run stays RUNNING until `finish`; node `review` asks for a person."""

    def __init__(self) -> None:
        self.parts: Json = {}  # what its health says besides
        self.keys: dict[str, tuple[str, Caller]] = {SECRET: ("key_0", LOCAL)}
        self.documents: dict[str, dict[str, Json]] = {}
        self.states: dict[str, Json] = {}
        self.events: list[tuple[str, str, str, Json]] = []  # position, run, name, data
        self.open_tickets: dict[str, Json] = {}
        self.proposals: dict[str, Json] = {}
        self.lines: dict[str, list[str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.commands: list[tuple[str, Any]] = []
        self.moved = asyncio.Event()
        self.followers = 0
        self.followed, self.unfollowed = asyncio.Event(), asyncio.Event()
        self.status, self.shards = "ok", list[Json]()

    # -- what tests do to it

    def record(self, run_id: str, name: str, **data: Any) -> str:
        position = token(len(self.events) + 1)
        seq = sum(1 for _, run, _, _ in self.events if run == run_id)
        event = {"seq": seq, "position": position, "at": 1_767_225_600_000, "type": name, "run_id": run_id, **data}
        self.events.append((position, run_id, name, event))
        self.moved.set()
        self.moved = asyncio.Event()
        return position

    def finish(self, run_id: str, status: str = "COMPLETED") -> None:
        state = self.states[run_id]
        state |= {"status": status, "ended_at": state["ended_at"] or 1_767_225_600_001}
        self.record(run_id, "run_finished", status=status)

    def ask(self, run_id: str, **fields: Any) -> str:
        ticket_id = derived_id("ticket", run_id, len(self.open_tickets))
        self.open_tickets[ticket_id] = {
            "ticket_id": ticket_id, "run_id": run_id, "visit": "review", "state": "open", "role": "finance",
            "text": "Ship <order>?", "choices": ["approve", "reject"], "form": {}, "tenant": "default", **fields,
        }  # fmt: skip
        self.states[run_id]["status"] = "WAITING"
        return ticket_id

    # -- workflows

    async def push(self, who: Caller, document: Json | bytes, *, tag: str = "main", name: str | None = None) -> Json:
        problems = self.problems_of(document)
        if problems:
            raise Invalid("the document has problems", problems)
        data: Json = msgspec.yaml.decode(document) if isinstance(document, bytes) else document
        name = name or data["workflow"]
        artifact = digest_of(canonical(data)).hex()
        known = self.documents.setdefault(name, {})
        created = artifact not in {row["artifact"] for row in known.values()}
        known[tag] = {"artifact": artifact, "document": data}
        return {
            "workflow": name,
            "artifact": artifact,
            "version": "v1.0",
            "tag": tag,
            "created": created,
            "warnings": [],
        }

    async def validate(self, who: Caller, document: Json | bytes) -> list[Problem]:
        return self.problems_of(document)

    def problems_of(self, document: Json | bytes) -> list[Problem]:
        try:
            data = msgspec.yaml.decode(document) if isinstance(document, bytes) else document
        except msgspec.DecodeError:
            return [Problem("", "is neither JSON nor YAML", line=1, column=1)]
        if isinstance(data, dict) and data.get("nodes"):
            return []
        return [Problem("/nodes", "a workflow needs nodes", line=1, column=1, hint="add one")]

    async def workflows(self, who: Caller) -> list[Json]:
        return [
            {"workflow": name, "tags": {t: {"artifact": row["artifact"], "version": "v1.0"} for t, row in tags.items()}}
            for name, tags in self.documents.items()
        ]

    async def workflow(self, who: Caller, name: str, tag: str = "main") -> Json:
        if tag not in self.documents.get(name, {}):
            raise NotFound(f"no workflow {name} at {tag}", code="workflow_not_found", hint="aob workflow list")
        row = self.documents[name][tag]
        return {"workflow": name, "version": "v1.0", "tag": tag, "tags": {}, **row}

    async def diff(self, who: Caller, name: str, a: str, b: str) -> Json:
        left, right = await self.workflow(who, name, a), await self.workflow(who, name, b)
        nodes = [set(side["document"]["nodes"]) for side in (left, right)]
        return {
            "workflow": name,
            "a": a,
            "b": b,
            "diff": {"added": sorted(nodes[1] - nodes[0]), "removed": sorted(nodes[0] - nodes[1])},
        }

    async def patch_tag(
        self, who: Caller, name: str, tag: str, operations: list[Json], reason: str = "", *, base: str = "",
        kind: str = "person", id: str = "",
    ) -> Json:  # fmt: skip
        await self.workflow(who, name, tag)
        self.commands.append(("patch_tag", (name, tag, operations, reason, base, kind, id)))
        diff = {"nodes": {"added": {"email": {"kind": "notify"}}, "removed": {}, "changed": {}}}
        return {"workflow": name, "tag": tag, "version": "v1.1", "diff": diff, "lines": LINES}

    # -- runs

    async def start(
        self, who: Caller, workflow: str | None, inputs: Any, *, tag: str = "main", key: str | None = None,
        mode: str | None = None, priority: str | None = None, labels: Mapping[str, str] | None = None,
        run_id: str | None = None,
    ) -> Json:  # fmt: skip
        if workflow == "refused":
            raise Refused("policy p says no", policy="p", hint="ask whoever owns p")
        run_id = run_id or derived_id("run", who.tenant, key or len(self.states))
        if run_id in self.states:
            if self.states[run_id]["inputs"] != inputs:
                raise Conflict("the same key started it with other inputs", code="key_conflict", difference="/inputs")
            return {"run_id": run_id, "status": self.states[run_id]["status"], "created": False}
        self.states[run_id] = {
            "run_id": run_id, "workflow": workflow or "order", "status": "RUNNING", "inputs": inputs, "output": None,
            "reason": None, "version": "v1.0", "tag": tag, "started_at": 1_767_225_600_000, "ended_at": None,
            "labels": dict(labels or {}), "tenant": who.tenant, "nodes": {"fetch": {"state": "ready", "attempt": 1}},
            "graph": {"nodes": {"fetch": {"kind": "http"}}, "edges": {}}, "tickets": [], "timers": [], "patches": [],
            "cost": {}, "error": None, "artifact": "a" * 64,
        }  # fmt: skip
        self.record(run_id, "run_started", workflow=workflow)
        return {"run_id": run_id, "status": "RUNNING", "created": True}

    async def start_many(self, who: Caller, items: list[Json]) -> list[Json]:
        verdicts = []
        for item in items:
            rest = {name: value for name, value in item.items() if name not in ("workflow", "inputs")}
            verdicts.append(await self.start(who, item["workflow"], item["inputs"], **rest))
        return verdicts

    def _state(self, who: Caller, run_id: str) -> Json:
        state = self.states.get(run_id)
        if state is None or state["tenant"] != who.tenant:
            raise NotFound(f"no run {run_id}", code="run_not_found", hint="aob run list")
        return state

    async def runs(
        self, who: Caller, *, status: str | None = None, workflow: str | None = None, limit: int = 50,
        cursor: str | None = None, labels: Mapping[str, str] | None = None,
    ) -> Json:  # fmt: skip
        rows = [
            row for row in reversed(self.states.values())
            if row["tenant"] == who.tenant and status in (None, row["status"]) and workflow in (None, row["workflow"])
            and all(row["labels"].get(name) == value for name, value in (labels or {}).items())
        ]  # fmt: skip
        at = int(cursor or 0)
        more = str(at + limit) if len(rows) > at + limit else None
        return {"runs": rows[at : at + limit], "next": more, "as_of": token(len(self.events))}

    async def run(self, who: Caller, run_id: str, *, min_position: str | None = None) -> Json:
        return self._state(who, run_id)

    async def wait(self, who: Caller, run_id: str, within_ms: int) -> Json:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_ms / 1_000):
                while self._state(who, run_id)["ended_at"] is None:
                    await self.moved.wait()
        return self._state(who, run_id)

    async def timeline(self, who: Caller, run_id: str, *, after: int = -1, limit: int = 1 << 62) -> list[Json]:
        self._state(who, run_id)
        told = [data for _, run, _, data in self.events if run == run_id]
        return [data for data in told if data["seq"] > after][:limit]

    async def cancel(self, who: Caller, run_id: str, *, reason: str = "", command: str | None = None) -> Json:
        self._state(who, run_id)
        self.commands.append(("cancel", command))
        self.finish(run_id, "CANCELLED")
        return {"run_id": run_id, "status": "CANCELLED"}

    async def prune(self, who: Caller, before_ms: int, *, cursor: str | None = None, **how: Any) -> Json:
        """Two steps of one run each, and a third run that stays."""
        self.commands.append(("prune", (before_ms, cursor, how)))
        return {
            "before": before_ms, "dry_run": how["dry_run"], "runs": 1, "events": 4, "bytes": 3_000, "values": 0,
            "values_bytes": 0, "oldest": 1_767_225_600_000, "newest": 1_767_225_600_000, "workflows": {"order": 1},
            "kept": {} if cursor is None else {"needed": 1}, "record": None if how["dry_run"] else f"removal_{cursor}",
            "next": "1.run_a" if cursor is None else None,
        }  # fmt: skip

    async def graph(self, who: Caller, run_id: str, min_position: str | None = None) -> Json:
        run = await self.run(who, run_id, min_position=min_position)
        return {name: run.get(name) for name in ("run_id", "status", "version", "graph", "nodes")}

    async def why(self, who: Caller, run_id: str) -> Json:
        state = self._state(who, run_id)
        return {"run_id": run_id, "status": state["status"], "sentence": "waiting for a test", "details": []}

    async def message(
        self, who: Caller, run_id: str, name: str, *, key: str = "", payload: Any = None, id: str | None = None
    ) -> Json:
        self.commands.append(("message", (name, key, payload, id)))
        return {"run_id": run_id, "status": self._state(who, run_id)["status"]}

    async def replay(
        self, who: Caller, run_id: str, *, from_node: str, mode: str = "freeze", patches: Any = None,
        assume: Mapping[str, Any] | None = None,
    ) -> Json:  # fmt: skip
        self._state(who, run_id)
        return {
            "run_id": run_id,
            "from": from_node,
            "mode": mode,
            "status": "COMPLETED",
            "unknown": [],
            "assumed": dict(assume or {}),
        }

    async def fork(
        self, who: Caller, run_id: str, *, from_node: str, patches: Json = None, assume: Json = None
    ) -> Json:
        self.commands.append(("fork", (run_id, from_node, patches, assume)))
        state = self._state(who, run_id)
        started = await self.start(who, state["workflow"], state["inputs"], run_id=derived_id("run", run_id, from_node))
        return {"run_id": started["run_id"]}

    # -- patches

    async def propose(self, who: Caller, run_id: str, body: Json) -> Json:
        self._state(who, run_id)
        patch_id = derived_id("patch", run_id, body.get("id") or len(self.proposals))
        state = "proposed" if body.get("reason") == "ask" else "applied"
        diff = {"nodes": {"added": {"email": {"kind": "notify"}}, "removed": {}, "changed": {}}}
        self.proposals[patch_id] = {
            "patch_id": patch_id,
            "run_id": run_id,
            "state": state,
            "diff": diff,
            "lines": LINES,
            **body,
        }
        return {"patch_id": patch_id, "state": state, "version": "v1.1", "diff": diff, "lines": LINES}

    async def patches(self, who: Caller, run_id: str) -> list[Json]:
        self._state(who, run_id)
        return [row for row in self.proposals.values() if row["run_id"] == run_id]

    async def patch(self, who: Caller, patch_id: str) -> Json:
        if patch_id not in self.proposals:
            raise NotFound(f"no patch {patch_id}", code="patch_not_found")
        return self.proposals[patch_id]

    async def _settle(self, who: Caller, patch_id: str, state: str) -> Json:
        row = await self.patch(who, patch_id)
        row["state"] = state
        return {"patch_id": patch_id, "state": state}

    async def approve_patch(self, who: Caller, patch_id: str, *, reason: str = "") -> Json:
        return await self._settle(who, patch_id, "applied")

    async def reject_patch(self, who: Caller, patch_id: str, *, reason: str = "") -> Json:
        return await self._settle(who, patch_id, "rejected")

    async def rollback(self, who: Caller, patch_id: str, *, cascade: bool = False) -> Json:
        return await self._settle(who, patch_id, "rolled_back")

    # -- people

    async def tickets(
        self, who: Caller, *, open: bool = True, role: str | None = None, run_id: str | None = None,
        limit: int = 1 << 16, after: str = "",
    ) -> list[Json]:  # fmt: skip
        found = [
            row for row in self.open_tickets.values()
            if row["tenant"] == who.tenant and (not open or row["state"] == "open")
            and role in (None, row["role"]) and run_id in (None, row["run_id"])
        ]  # fmt: skip
        found.sort(key=lambda row: (row.get("due") or 1 << 62, row["ticket_id"]))
        return [row for row in found if f"{row.get('due') or 1 << 62}.{row['ticket_id']}" > after][:limit]

    async def ticket(self, who: Caller, ticket_id: str) -> Json:
        row = self.open_tickets.get(ticket_id)
        if row is None or row["tenant"] != who.tenant:
            raise NotFound(f"no ticket {ticket_id}", code="ticket_not_found")
        return row

    async def deciding(self, who: Caller, ticket_id: str) -> Json:
        row = await self.ticket(who, ticket_id)
        if not who.may(row["role"]):
            raise Refused(f"{ticket_id} is for the role {row['role']}")
        return row

    async def answer(
        self, who: Caller, ticket_id: str, choice: str, *, reason: str = "",
        values: Mapping[str, Any] | None = None, command: str | None = None,
    ) -> Json:  # fmt: skip
        row = await self.ticket(who, ticket_id)
        if row["state"] != "open":
            raise Conflict(f"{ticket_id} was decided: {row['state']}", code="ticket_closed")
        row |= {"state": choice, "answer": {"choice": choice, "by": who.name, "reason": reason, "values": values}}
        self.commands.append(("answer", command))
        return {"ticket_id": ticket_id, "choice": choice, "run_id": row["run_id"], "status": "RUNNING"}

    async def blob(self, who: Caller, hash: str) -> bytes:
        if hash not in self.blobs:
            raise NotFound("no such blob", code="blob_not_found")
        return self.blobs[hash]

    async def create_key(self, who: Caller, name: str, roles: Iterable[str], tenant: str | None = None) -> Json:
        secret = f"aob_{len(self.keys):032d}"
        key_id = f"key_{len(self.keys)}"
        self.keys[secret] = (key_id, Caller(tenant or who.tenant, name, frozenset(roles)))
        return {"id": key_id, "secret": secret}

    async def list_keys(self, who: Caller) -> list[Json]:
        return [
            {"id": key_id, "name": caller.name, "roles": sorted(caller.roles), "tenant": caller.tenant}
            for key_id, caller in self.keys.values()
        ]

    async def revoke_key(self, who: Caller, key_id: str) -> None:
        secret = next((secret for secret, (known, _) in self.keys.items() if known == key_id), None)
        if secret is None:
            raise NotFound(f"no key {key_id}", code="key_not_found")
        del self.keys[secret]

    def authenticate(self, secret: str) -> Caller | None:
        found = self.keys.get(secret)
        return found[1] if found else None

    def holder(self, key_id: str) -> Caller | None:
        return next((who for id, who in self.keys.values() if key_id and who.id == key_id), None)

    async def health(self) -> Json:
        shards = {"shards": self.shards} if self.shards else {}
        return {"status": self.status, "version": "0", **shards, **self.parts}

    # -- feeds

    async def logs(
        self, who: Caller, run_id: str, *, node: str | None = None, follow: bool = False
    ) -> AsyncIterator[str]:
        self._state(who, run_id)
        at = 0
        while True:
            lines = self.lines.get(run_id, [])
            while at < len(lines):
                at += 1
                if node is None or msgspec.json.decode(lines[at - 1])["visit"] == node:
                    yield lines[at - 1]
            if not follow or self.states[run_id]["status"] not in ("RUNNING", "WAITING"):
                return
            await self.moved.wait()

    async def follow(
        self, who: Caller, *, run_id: str | None = None, position: str | None = None,
        types: Iterable[str] | None = None, place: bool = False,
    ) -> AsyncIterator[tuple[str, str, Json]]:  # fmt: skip
        if run_id is not None:
            self._state(who, run_id)
        elif place and position is None:
            yield Position(1, ((0, 0),)).token(), "", {}
        at = Position.parse(position).rows[0][0] if position else 0
        if at > len(self.events):
            raise Conflict("this position is of another feed", code="position_expired", hint="begin again")
        wanted = set(types) if types else None
        self.followers += 1
        self.followed.set()
        try:
            while True:
                while at < len(self.events):
                    at += 1
                    place, run, name, data = self.events[at - 1]
                    if run_id in (None, run) and (wanted is None or name in wanted):
                        yield place, name, data
                if run_id and self.states[run_id]["status"] not in ("RUNNING", "WAITING"):
                    return
                await self.moved.wait()
        finally:
            self.followers -= 1
            self.unfollowed.set()
