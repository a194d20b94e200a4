"""Verbs that start, cancel, release and message runs."""

import asyncio
import functools
import hashlib
import re
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import asdict

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import AobError, Busy, Invalid, Problem, TooLarge
from aob.core.event import derived_id
from aob.core.graph.compiled import IR
from aob.core.json_schema import schema_problems
from aob.core.policy import Caller
from aob.core.problem import problem_of
from aob.core.run import Run
from aob.core.run.record import commands as cmd
from aob.core.value import Ref, canonical, digest_of, inline
from aob.core.verb import performs
from aob.core.verbs import run_verbs as verbs
from aob.journal import Decided
from aob.ports.telemetry import TRACE, traceparent
from aob.runs.core import Core, base32
from aob.runs.incoming import NAME_MAX, json_of, large_of, name_of, object_of, text_of
from aob.runs.laws import catalog
from aob.runs.queue import AT_ONCE
from aob.runs.workflows import Workflows, _pointed

MODES: Final = ("full", "fast")
PRIORITIES: Final = ("high", "medium", "low")
INPUTS_MAX: Final = 1_000_000
LABELS_MAX: Final = 32
DEPTH_MAX: Final = 16
RUN_ID_MAX: Final = 64
NAMES_KEPT: Final = 1_024  # recently used pairs of workflow and tag
RUN_ID: Final = re.compile(r"run_[A-Za-z0-9]+")
_FIELDS: Final = frozenset(
    {"workflow", "tag", "inputs", "key", "mode", "priority", "labels", "run_id", "depth", "idempotency_key"}
)


class StartTarget(msgspec.Struct, frozen=True):
    """What a start refers to: a workflow, and the target of its tag."""

    workflow: str
    at: catalog.Tag


Prepared = tuple[str, catalog.Tag, IR]


class Starts(Workflows):
    """Verbs that start, cancel, release and message runs."""

    core: Core

    @performs(verbs.START)
    async def start(self, who: Caller, args: verbs.StartRun) -> JsonObject:
        """Start a run, once per key; answers after the commit.

        Raises NotFound for an unknown workflow or tag, Invalid when the inputs do not fit its schema, Conflict when the
        key was used with other inputs, Busy when too many commands wait."""
        item = asdict(args)
        future = self._begin(who, item, await self._prepared(who, self.meant(who, item)))
        return _told(await future)

    @performs(verbs.START_MANY)
    async def start_many(self, who: Caller, args: verbs.StartRuns) -> list[JsonObject]:
        """Start many in few commits: a verdict each, in order; an invalid one does not block the others."""
        return await self.start_meant(who, args.items, {})

    async def start_meant(
        self, who: Caller, items: Sequence[JsonObject], meant: Mapping[str, StartTarget]
    ) -> list[JsonObject]:  # fmt: skip
        """As `start_many`, where the caller already knows the targets of the starts (by `names_of`)."""
        verdicts: list[JsonObject] = []
        for at in range(0, len(items), AT_ONCE):
            part = items[at : at + AT_ONCE]
            try:
                await self.core.turns.take(who.tenant, len(part))
            except Busy as error:
                verdicts += [_verdict(error)] * len(part)
            else:
                verdicts += await self._start_part(who, part, meant)
        return verdicts

    async def _start_part(
        self, who: Caller, items: Sequence[JsonObject], meant: Mapping[str, StartTarget]
    ) -> list[JsonObject]:  # fmt: skip
        """Start these together, whose turn it is: they are given back once the journal has decided them."""
        verdicts: list[Any] = []
        ready: dict[str, Prepared] = {}
        try:
            for item in items:
                try:
                    names = names_of(item)
                    if names not in ready:
                        ready[names] = await self._prepared(who, meant.get(names) or self.meant(who, item))
                    verdicts.append(self._begin(who, item, ready[names]))
                except AobError as error:
                    verdicts.append(error)
            for verdict in verdicts:
                if isinstance(verdict, asyncio.Future) and not verdict.done():  # most were decided with the first
                    await asyncio.wait((verdict,))
        finally:
            begun = [verdict for verdict in verdicts if isinstance(verdict, asyncio.Future)]
            self.core.turns.give_after(who.tenant, len(items), begun)
        return [_verdict(verdict) for verdict in verdicts]

    def meant(self, who: Caller, item: Mapping[str, JsonValue]) -> StartTarget:
        """The current target of a start's workflow and tag. Raises NotFound and CallerError if there is none."""
        given = item.get("workflow")
        tag = text_of(item.get("tag") or "main", "/tag")
        name = self.only(who, tag) if given is None else text_of(given, "/workflow")
        return StartTarget(name, _pointed(self.state_of(who, name), tag))

    async def resolved(
        self, who: Caller, items: Sequence[JsonValue], known: MutableMapping[str, StartTarget]
    ) -> None:  # fmt: skip
        """Add to `known`, by `names_of`, what these starts refer to. Those that refer to nothing say so when they
        start."""
        for item in items:
            with suppress(AobError):
                names = names_of(item)
                if names not in known:
                    known[names] = self.meant(who, object_of(item, ""))

    async def _prepared(self, who: Caller, meant: StartTarget) -> Prepared:
        versions = await self.versions(who, meant.at)
        return meant.workflow, meant.at, versions.ir(len(meant.at.overlay))

    async def start_command(self, who: Caller, item: Mapping[str, JsonValue]) -> cmd.Start:
        """The command of a start that another component sends. Raises as `start`."""
        return self._command(who, item, await self._prepared(who, self.meant(who, item)))

    def _begin(self, who: Caller, item: Mapping[str, JsonValue], prepared: Prepared) -> "asyncio.Future[Decided]":
        command = self._command(who, item, prepared)
        fresh = item.get("key") is None and item.get("idempotency_key") is None and item.get("run_id") is None
        return self.core.journal.ask(command.run, command, fresh=fresh, reads=_answer)

    def _command(self, who: Caller, item: Mapping[str, JsonValue], prepared: Prepared) -> cmd.Start:
        name, at, ir = prepared
        trace = TRACE.get()
        inputs = item.get("inputs")
        if inputs is None:
            inputs = {}
        mode, priority, labels = _options(item, ir)
        if ir.spec.inputs is not None:
            problems = schema_problems(ir.spec.inputs, inputs, "/inputs")
            if problems:
                raise Invalid(f"the inputs do not fit {name}", problems)
        data = json_of(inputs, "/inputs")
        digest = digest_of(data)
        beside = self._beside(data)
        key = item.get("key")
        if key is None:
            key = item.get("idempotency_key")
        run_id = item.get("run_id")
        if run_id is not None:
            run_id = _given_id(run_id)
        elif key is not None:
            run_id = keyed_id(who.tenant, name, name_of(key, "/key"))
        else:
            run_id = self.core.ids.next()
        return cmd.Start(
            run_id, name, at.artifact, at.version, str(item.get("tag") or "main"), who.tenant, who.name,
            Raw(data) if beside is None else Ref(digest, len(data)).cell(), digest, mode, priority,
            item.get("depth") or 1, labels, at.overlay, beside=beside, rules=at.rules,
            given=sorted(item.get("labels") or ()),
            by_key=who.id, authors=at.authors, trace="" if trace is None else traceparent(trace),
        )  # fmt: skip

    @staticmethod
    def _beside(data: bytes) -> bytes | None:
        """The bytes to store outside the record, if any."""
        if inline(data):
            return None
        if len(data) > INPUTS_MAX:
            raise TooLarge(f"the inputs have {len(data):,} bytes, at most {INPUTS_MAX:,} are taken",
                           hint="put the data into an object store and start with its key")  # fmt: skip
        return data

    @performs(verbs.CANCEL)
    async def cancel(self, who: Caller, args: verbs.CancelRun) -> JsonObject:
        """Cancel a run; cancelling again changes nothing."""
        command = name_of(args.command or "", "/command", empty=True)
        asked = cmd.Cancel(who.name, text_of(args.reason, "/reason"), command)
        return _told(await self.core.ask(who, args.run_id, asked, lambda now: _standing(now, "cancelling")))

    @performs(verbs.RELEASE)
    async def release(self, who: Caller, args: verbs.NamedRun) -> JsonObject:
        """Let a quarantined run continue; does nothing to others."""
        asked = cmd.Release(who.name)
        return _told(await self.core.ask(who, args.run_id, asked, lambda now: _standing(now, "quarantined")))

    @performs(verbs.MESSAGE)
    async def message(self, who: Caller, args: verbs.SendMessage) -> JsonObject:
        """Send a message to a run: the visit that waits for it gets it, else it is kept for one that will."""
        run_id, id, payload = args.run_id, args.id, args.payload
        name, key = name_of(args.name, "/name"), name_of(args.key, "/key", empty=True)
        data = json_of(payload, "/payload")
        cell, beside = large_of(data, "a message")
        message_id = name_of(id, "/id") if id is not None else derived_id("message", run_id, self.core.ids.next())
        digest = digest_of(canonical([name, key, payload]))
        decided = await self.core.ask(who, run_id, cmd.Message(message_id, name, key, cell, digest, who.name, beside))
        reached = next((event.visit for event in decided.events if getattr(event, "id", "") == message_id), "")
        return {"run_id": run_id, "message_id": message_id, "visit": reached}


def names_of(item: object) -> str:
    """The workflow and tag of a start as one text, a lookup key. Raises Invalid if it is not a start."""
    named = object_of(item, "")
    try:
        return _names(named.get("workflow"), named.get("tag"))
    except TypeError:  # unhashable: skips the cache
        return _names.__wrapped__(named.get("workflow"), named.get("tag"))


@functools.lru_cache(NAMES_KEPT)
def _names(workflow: object, tag: object) -> str:
    pair = {"workflow": workflow, "tag": tag}
    return canonical([None if pair[field] is None else text_of(pair[field], f"/{field}") for field in pair]).decode()


def keyed_id(tenant: str, workflow: str, key: str) -> str:
    """The run id of an idempotency key: the same key gives the same run as long as runs are kept."""
    hashed = hashlib.sha256("\x1f".join((tenant, workflow, key)).encode()).digest()
    return "run_k" + base32(int.from_bytes(hashed[:16]), 26)


def _given_id(run_id: object) -> str:
    text = text_of(run_id, "/run_id", RUN_ID_MAX)
    if not RUN_ID.fullmatch(text):
        why = "the run id is not usable"
        raise Invalid(why, [Problem("/run_id", "begins with run_ and goes on with letters and digits", "bad_id")])
    return text


def _options(item: Mapping[str, JsonValue], ir: IR) -> tuple[str, str, dict[str, str]]:
    problems = [] if _FIELDS.issuperset(item) else [
        Problem(f"/{str(name)[:64]}", "no such field of a start", "unknown_field",
                hint=f"fields: {', '.join(sorted(_FIELDS))}")
        for name in item if name not in _FIELDS
    ]  # fmt: skip
    mode, priority = item.get("mode") or ir.spec.mode, item.get("priority") or ir.spec.priority
    if mode not in MODES:
        problems.append(Problem("/mode", f"{mode!r:.64} is not a mode", "unknown_value", hint="full or fast"))
    if priority not in PRIORITIES:
        problems.append(
            Problem("/priority", f"{priority!r:.64} is not a priority", "unknown_value", hint="high medium low")
        )
    given = item.get("labels")
    labels = ir.spec.labels if given is None or not isinstance(given, Mapping) else {**ir.spec.labels, **given}
    if given is not None and not (isinstance(given, Mapping) and _short(labels)):
        problems.append(
            Problem("/labels", f"at most {LABELS_MAX} pairs of texts of {NAME_MAX} characters", "wrong_type")
        )
    depth = item.get("depth")
    if depth is not None and not (type(depth) is int and 1 <= depth <= DEPTH_MAX):
        problems.append(Problem("/depth", f"a chain of runs is 1 to {DEPTH_MAX} deep", "too_deep"))
    if problems:
        raise Invalid("the start is not as it should be", problems)
    return str(mode), str(priority), dict(labels)


def _short(labels: Mapping[Any, Any]) -> bool:
    texts = [text for pair in labels.items() for text in pair]
    return len(labels) <= LABELS_MAX and all(isinstance(text, str) and len(text) <= NAME_MAX for text in texts)


def _answer(decided: Decided) -> JsonObject:
    run: Run = decided.stream.state
    return {"run_id": run.id, "status": run.status, "created": bool(decided.events)}


def _standing(decided: Decided, reason: str) -> JsonObject:
    run: Run = decided.stream.state
    return {"run_id": run.id, "status": run.status, "reason": getattr(run, reason)}


def _told(decided: Decided) -> JsonObject:
    """The answer that was made with the decision."""
    told: JsonObject = decided.said
    return told


def _verdict(verdict: Any) -> JsonObject:
    error = verdict.exception() if isinstance(verdict, asyncio.Future) else verdict
    if error is None:
        return _told(verdict.result())
    if isinstance(error, AobError):
        return {"error": problem_of(error)}
    raise error
