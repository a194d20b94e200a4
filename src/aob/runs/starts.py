"""Verbs that begin, stop and reach a run: start, start many, cancel, message."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw

from aob.core.errors import AobError, Invalid, Problem, TooLarge
from aob.core.event.ids import derived_id
from aob.core.event.value import Cell, Ref, canonical, digest_of, inline
from aob.core.graph import schema_problems
from aob.core.graph.ir import IR
from aob.core.policy import Caller, require
from aob.core.problem import problem_of
from aob.core.run import Run
from aob.core.run import commands as cmd
from aob.journal import Decided
from aob.runs import catalog
from aob.runs.core import Core, base32, only_name
from aob.runs.workflows import Workflows, _pointed

MODES: Final = ("full", "fast")
PRIORITIES: Final = ("high", "medium", "low")
INPUTS_MAX: Final = 1_000_000
LABELS_MAX: Final = 32
DEPTH_MAX: Final = 16
_FIELDS: Final = frozenset(
    {"workflow", "tag", "inputs", "key", "mode", "priority", "labels", "run_id", "depth", "idempotency_key"}
)


class Starts(Workflows):
    """Verbs that begin, stop and reach a run."""

    core: Core

    async def start(
        self,
        who: Caller,
        workflow: str | None,
        inputs: Any = None,
        *,
        tag: str = "main",
        key: str | None = None,
        mode: str | None = None,
        priority: str | None = None,
        labels: Mapping[str, str] | None = None,
        run_id: str | None = None,
    ) -> dict[str, Any]:
        """Start a run, once a key; answered after its commit.

        Raises NotFound for an unknown workflow or tag, Invalid when the inputs do not fit its schema, Conflict when the
        key was used with other inputs, Busy when too many commands wait.
        """
        require(who, "run")
        item = {"workflow": workflow, "inputs": inputs, "tag": tag, "key": key, "mode": mode, "priority": priority,
                "labels": labels, "run_id": run_id}  # fmt: skip
        future = self._begin(who, item, await self._prepared(who, item))
        return _answer(await future)

    async def start_many(self, who: Caller, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Start many in few commits: a verdict each, in order; a wrong one does not hold up the others."""
        require(who, "run")
        verdicts: list[Any] = []
        ready: dict[tuple[Any, Any], Any] = {}
        for item in items:
            try:
                if not isinstance(item, dict):
                    raise Invalid("a start is an object", [Problem("/", "must be an object", "wrong_type")])
                pair = (item.get("workflow"), item.get("tag") or "main")
                if pair not in ready:
                    ready[pair] = await self._prepared(who, item)
                verdicts.append(self._begin(who, item, ready[pair]))
            except AobError as error:
                verdicts.append(error)
            except TypeError:
                verdicts.append(
                    Invalid("a start is not as it should be", [Problem("/", "unusable values", "wrong_type")])
                )
        futures = [verdict for verdict in verdicts if isinstance(verdict, asyncio.Future)]
        if futures:
            await asyncio.wait(futures)
        return [_verdict(verdict) for verdict in verdicts]

    async def _prepared(self, who: Caller, item: Mapping[str, Any]) -> tuple[str, catalog.Tag, IR]:
        name = item.get("workflow") or only_name(self.names(who))
        if not isinstance(name, str):
            raise Invalid("workflow is a name", [Problem("/workflow", "must be a string", "wrong_type")])
        at = _pointed(self.state_of(who, name), str(item.get("tag") or "main"))
        versions = await self.versions(who, at)
        return name, at, versions.ir(len(at.overlay))

    def _begin(
        self, who: Caller, item: Mapping[str, Any], prepared: tuple[str, catalog.Tag, IR]
    ) -> "asyncio.Future[Decided]":
        name, at, ir = prepared
        inputs = item.get("inputs")
        if inputs is None:
            inputs = {}
        mode, priority, labels = _options(item, ir)
        if ir.spec.inputs is not None:
            problems = schema_problems(ir.spec.inputs, inputs, "/inputs")
            if problems:
                raise Invalid(f"the inputs do not fit {name}", problems)
        cell, digest = self._inputs(who, inputs)
        key = item.get("key") or item.get("idempotency_key")
        run_id = item.get("run_id") or (keyed_id(who.tenant, name, str(key)) if key else self.core.ids.next())
        if not isinstance(run_id, str) or not run_id.startswith("run_") or not run_id[4:].isalnum() or len(run_id) > 64:
            raise Invalid("the run id is not usable", [
                Problem("/run_id", "begins with run_ and goes on with letters and digits", "bad_id")
            ])  # fmt: skip
        command = cmd.Start(
            run_id, name, at.artifact, at.version, str(item.get("tag") or "main"), who.tenant, who.name, cell, digest,
            mode, priority, int(item.get("depth") or 1), labels, at.overlay,
        )  # fmt: skip
        return self.core.journal.ask(run_id, command, fresh=not (key or item.get("run_id")))

    def _inputs(self, who: Caller, inputs: Any) -> tuple[Cell, bytes]:
        data = canonical(inputs)
        digest = digest_of(data)
        if inline(data):
            return Raw(data), digest
        if len(data) > INPUTS_MAX:
            raise TooLarge(f"the inputs have {len(data):,} bytes, at most {INPUTS_MAX:,} are taken",
                           hint="put the data into an object store and start with its key")  # fmt: skip
        self.core.values.remember(digest, data)
        self.core.run_law.beside[digest] = data
        return Ref(digest, len(data)).cell(), digest

    async def cancel(self, who: Caller, run_id: str, *, reason: str = "", command: str | None = None) -> dict[str, Any]:
        """Cancel a run; cancelling again changes nothing."""
        require(who, "run")
        decided = await self.core.ask(who, run_id, cmd.Cancel(who.name, reason, command or ""))
        run: Run = decided.stream.state
        return {"run_id": run_id, "status": run.status, "reason": run.cancelling}

    async def message(
        self, who: Caller, run_id: str, name: str, *, key: str = "", payload: Any = None, id: str | None = None
    ) -> dict[str, Any]:
        """Hand a message to a run: to the visit that waits for it, else it is kept for one that will."""
        require(who, "run")
        data = canonical(payload)
        if not inline(data):
            raise TooLarge("a message has at most 4 KiB", hint="send the key of an object instead")
        message_id = id or derived_id("message", run_id, self.core.ids.next())
        digest = digest_of(canonical([name, key, payload]))
        decided = await self.core.ask(who, run_id, cmd.Message(message_id, name, key, Raw(data), digest))
        reached = next((event.visit for event in decided.events if getattr(event, "id", "") == message_id), "")
        return {"run_id": run_id, "message_id": message_id, "visit": reached}


def keyed_id(tenant: str, workflow: str, key: str) -> str:
    """The run id of an idempotency key: the same key names the same run for as long as runs are kept."""
    hashed = hashlib.sha256("\x1f".join((tenant, workflow, key)).encode()).digest()
    return "run_k" + base32(int.from_bytes(hashed[:16]), 26)


def _options(item: Mapping[str, Any], ir: IR) -> tuple[str, str, dict[str, str]]:
    unknown = [name for name in item if name not in _FIELDS]
    problems = [
        Problem(f"/{name}", "no such field of a start", "unknown_field", hint=f"fields: {', '.join(sorted(_FIELDS))}")
        for name in unknown
    ]
    mode, priority = item.get("mode") or ir.spec.mode, item.get("priority") or ir.spec.priority
    labels = {**ir.spec.labels, **(item.get("labels") or {})}
    if mode not in MODES:
        problems.append(Problem("/mode", f"{mode!r} is not a mode", "unknown_value", hint="full or fast"))
    if priority not in PRIORITIES:
        problems.append(
            Problem("/priority", f"{priority!r} is not a priority", "unknown_value", hint="high medium low")
        )
    if len(labels) > LABELS_MAX or not all(isinstance(k, str) and isinstance(v, str) for k, v in labels.items()):
        problems.append(Problem("/labels", f"at most {LABELS_MAX} pairs of strings", "wrong_type"))
    depth = item.get("depth") or 1
    if not isinstance(depth, int) or depth > DEPTH_MAX:
        problems.append(Problem("/depth", f"a chain of runs is at most {DEPTH_MAX} deep", "too_deep"))
    if problems:
        raise Invalid("the start is not as it should be", problems)
    return str(mode), str(priority), labels


def _answer(decided: Decided) -> dict[str, Any]:
    run: Run = decided.stream.state
    return {"run_id": run.id, "status": run.status, "created": bool(decided.events)}


def _verdict(verdict: Any) -> dict[str, Any]:
    error = verdict.exception() if isinstance(verdict, asyncio.Future) else verdict
    if error is None:
        return _answer(verdict.result())
    if isinstance(error, AobError):
        return {"error": problem_of(error)}
    raise error
