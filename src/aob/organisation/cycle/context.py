"""What an agent may ask for while it handles a record. What it sends is collected, and leaves with the end of the
record; what it asks of the world or of others is committed first."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw

from aob.core.agent import Key, keys
from aob.core.agent.record import Input, Output
from aob.core.agent.record import commands as cmd
from aob.core.answers import JsonObject, JsonValue
from aob.core.decision import DECISION, decision_id
from aob.core.duration import parse_duration
from aob.core.errors import Busy, CallerError, Refused, Unavailable
from aob.core.metric_query import MetricQuery
from aob.core.node import AgentConfig
from aob.core.organisation import names
from aob.core.value import ROW_MAX, Ref, canonical, decode, digest_of, inline, ref_in
from aob.journal import Decided, Journal
from aob.organisation.cycle.admitting import admitted, judged, refused
from aob.organisation.cycle.modelling import answered
from aob.organisation.cycle.question import CHOICES, question_of
from aob.organisation.cycle.values import Values
from aob.ports.log import Admitting
from aob.ports.store import AWAY, AWAY_AGAIN_S
from aob.ports.workers import Fault, Job
from aob.work import Intended, Intents, WorkError
from aob.work.frameworks import Foreign
from aob.work.secrets import unnamed
from aob.work.tools import Tools, live_number
from aob.work.topic_agents import Agent, Collecting, json_of, output_of

DECISIONS_MAX: Final = 100  # of one attempt that its dead letter names
ASK_TIMEOUT: Final = "30s"
ANSWER_HELD_S: Final = 5.0  # how long a worker waits for the reply of an agent before it gives its place back
PERSON_HELD_S: Final = 0.1
"""How long it waits for a person: so long that questions that are asked side by side are all asked."""
SUSPENDED: Final = "suspended"
"""Fault code of an attempt that gives its worker back until an answer comes."""


class Graphs(Protocol):
    """What a home has for graphs: see `App`."""

    def saver(self, *, keep: int = 20, allow: Collection[Foreign] = ()) -> Foreign: ...
    def record_saver(self, agent: str, *, allow: Collection[Foreign] = ()) -> Foreign: ...
    def memory(self, *, index: Foreign = None, ttl: Foreign = None) -> Foreign: ...


class Suspension(WorkError):  # noqa: N818  # not an error: the worker gives its place back
    """An attempt waits for the result of an intent."""

    def __init__(self) -> None:
        super().__init__("it waits for an answer", code=SUSPENDED)


class AgentContext(Collecting):
    """The context of one attempt at one record. `key` is that of the record, `idempotency` the same text for every
    attempt at it, `resume` the last checkpoint, `left` that of the record that this one has interrupted, `degraded`
    whether the budget of the day is spent. `waiting` are the intents whose answers it waits for; `suspended`: it was
    told to give its worker back. After a cancel every request raises CancelledError."""

    def __init__(
        self,
        journal: Journal,
        job: Job,
        agent: Agent,
        given: Input,
        key: Key,
        state: bytes,
        open_log: Callable[[str, str, str], Callable[..., None]],
        answer_of: Callable[[str, int, float], Awaitable[bool]],
        topic_of: Callable[[str], str],
        values: Values,
        tools: Tools,
        admitting: Admitting | None = None,
    ) -> None:
        super().__init__(agent, key.subject, state, lambda: journal.now_ms)
        self._journal, self._job, self._given = journal, job, given
        self._open_log, self._answer_of, self._topic_of = open_log, answer_of, topic_of
        self._values, self._tools = values, tools
        self._admitting = admitting
        self._intents = Intents(job.visit)
        self._conversations = Counter[str]()
        self.decisions: list[str] = []
        """The ids of the model calls that this attempt has made, up to DECISIONS_MAX."""
        self._version = agent.version or max(key.version, 1)
        self._log: Callable[..., None] | None = None
        self.tenant, self.attempt = job.tenant, job.attempt
        self.resume, self.idempotency = job.resume, job.key
        self.left = decode(key.left) if key.left is not None else None
        self.waiting: set[int] = set()
        self.suspended = False
        self.telemetry = tools.telemetry
        self.graphs: Graphs | None = None
        self.place: Callable[[], str] = str
        """Where within the record an effect is, for those that happen in several places of one handling."""
        self.degraded = bool(key.overspent(agent.rules.budget, journal.now_ms // 86_400_000))

    # -- what graphs keep ---------------------------------------------------------------------------------------------

    def saver(self, *, keep: int = 20, allow: Collection[Foreign] = ()) -> Foreign:
        """A checkpointer of LangGraph whose threads are rows of this home, as `app.saver()`."""
        return self._home().saver(keep=keep, allow=allow)

    def memory(self, *, index: Foreign = None, ttl: Foreign = None) -> Foreign:
        """A store of LangGraph whose items are rows of this home, as `app.memory()`."""
        return self._home().memory(index=index, ttl=ttl)

    def record_saver(self, *, allow: Collection[Foreign] = ()) -> Foreign:
        """The checkpointer of a graph that handles this record, by the key as `thread_id`."""
        return self._home().record_saver(self.agent, allow=allow)

    def _home(self) -> Graphs:
        if self.graphs is None:
            raise WorkError("this process has no threads of graphs", code="graphs_absent", transient=False)
        return self.graphs

    def begin_again(self) -> None:
        """What follows is handled from its beginning: intents answer by their kind, content and count once more."""
        self._intents = Intents(self._job.visit)

    # -- what is committed at once ----------------------------------------------------------------------------------

    def log(self, message: str, /, **fields: Any) -> None:
        """Write a line to the log of this key."""
        if self._log is None:
            self._log = self._open_log(self._job.run, self._job.visit, self.tenant)
        self._log(message, self.attempt, fields)

    def secret(self, name: str) -> str:
        """The value of a secret that the agent names: `@agent(secrets=["NAME"])`."""
        if name not in self._agent.secrets:
            raise unnamed(name)
        return self._tools.vault.value(name, None)

    async def metric(
        self, name: str, window: str = "", *, by: Sequence[str] = (), where: Mapping[str, str] | None = None
    ) -> JsonObject:
        """The present value of a metric of the tenant, as the API gives it: `{"value": …}`, or `{"rows": […]}` with
        `by`. Raises WorkError `metric_not_found`, `metrics_absent`, …"""
        return await live_number(
            self._tools.metrics, self.tenant, MetricQuery(name, window, by=tuple(by), where=where or {})
        )

    async def heartbeat(self, checkpoint: JsonValue = None) -> None:
        """Report liveness; a checkpoint is committed and is `ctx.resume` in the next attempt."""
        self._job.pulse()
        if checkpoint is not None:
            await self._granted(cmd.Save(self._given, self.attempt, self._version, Raw(json_of(checkpoint))))

    async def intend(self, kind: str, what: Mapping[str, JsonValue], counted: int = 0) -> Intended:
        """Commit the intent of an effect before it happens, or return what was recorded for it. `counted` is the count
        of a worker that counts itself; it settles by number. Raises WorkError of an effect that has failed in an
        attempt that went on."""
        data = canonical({**what, "at": at} if (at := self.place()) else dict(what))
        key, count = ((kind, digest_of(data)), counted) if counted else self._intents.next(kind, data)
        command = cmd.Intend(self._given, self.attempt, self._version, count, kind, key[1], Raw(data))
        found = (await self._granted(command, lambda now: self._found(now, kind, key[1], count))).said
        if found.result is not None:
            return Intended(False, await self._result(found), found.number)
        if not counted:
            self._intents.granted(found.number, key, count)
        return Intended(True, None, found.number)

    async def settle(
        self, result: JsonValue, *, intent: Intended | None = None, error: Fault | None = None,
        usage: JsonObject | None = None,
    ) -> None:  # fmt: skip
        """Record the result of an intent: the given one, or the only one that this task has open."""
        if not (number := intent.number if intent is not None else self._intents.only_open()):
            return  # recorded already
        failed = error is not None
        data, spent = json_of(msgspec.structs.asdict(error) if error is not None else result), dict(usage or {}) or None
        told, beside = await self._cell(data)
        command = cmd.Settle(self._given, self.attempt, self._version, number, told, failed, spent, beside)
        await self._granted(command)
        self._intents.settled(number, failed=failed)
        if spent and DECISION in spent and len(self.decisions) < DECISIONS_MAX:
            partitions = self._journal.partitions
            self.decisions.append(decision_id(self._job.run, self._job.visit, self.attempt, number, partitions))

    async def _cell(self, data: bytes) -> tuple[Raw, bytes | None]:
        """A result as it stands in a record, and the bytes that its commit stores beside."""
        if inline(data):
            return Raw(data), None
        cell = Ref(digest_of(data), len(data)).cell()
        while len(data) > ROW_MAX:
            try:
                await self._values.put(self.tenant, data)
                return cell, None
            except Unavailable as error:
                if error.code not in AWAY:
                    raise
                await asyncio.sleep(AWAY_AGAIN_S)
        return cell, data

    async def model(
        self, task: str, value: JsonValue = None, *, model: str = "", system: str = "",
        output: Mapping[str, JsonValue] | None = None, tools: Iterable[str] = (), calls_max: int = 8,
        tokens_max: int = 0, cost_max: float = 0.0, temperature: float | None = None, cache: bool = True,
        counted: int = 0,
    ) -> JsonValue:  # fmt: skip
        """What a model answers to a task about a value: text, or JSON as the schema `output` says. It may call handlers
        of the application as `tools`. Every call is a decision record, and is not asked again when the record is
        handled again; a wrong answer is returned to it with the reasons. `counted` as of `intend`. Raises WorkError as
        the node kind `agent`."""
        schema = dict(output) if output is not None else None
        config = AgentConfig(
            task, model, system, schema, tuple(tools), False, calls_max, tokens_max, cost_max, temperature, cache
        )
        same = digest_of(canonical([msgspec.to_builtins(config), value])).hex()[:16]
        self._conversations[same] += 1
        name = f"{same}.{counted or self._conversations[same]}"
        return await answered(self, self._job, self._tools, name, config, value)

    async def ask(
        self, agent: str, key: str, data: JsonValue = None, *, type: str = "ask", timeout: str | float = ASK_TIMEOUT,
        counted: int = 0,
    ) -> JsonValue:  # fmt: skip
        """Ask another agent and wait for its reply; `counted` as of `intend`. Raises WorkError `ask_timeout`, or what
        the other agent failed with."""
        topic = self._topic_of(agent)
        at = {"at": place} if (place := self.place()) else {}
        what = canonical({"agent": agent, "key": key, "type": type, "data": data, **at})
        named, count = (("ask", digest_of(what)), counted) if counted else self._intents.next("ask", what)
        due_ms = self._journal.now_ms + parse_duration(timeout)
        request = output_of(topic, type, data, key)
        await self._taken(request, named[1], count)
        command = cmd.Ask(self._given, self.attempt, self._version, count, named[1], Raw(what), request, due_ms)
        found = (await self._granted(command, lambda now: self._found(now, "ask", named[1], count))).said
        return await self._answer(found, ANSWER_HELD_S)

    async def interrupt(
        self, question: str, *, form: Mapping[str, JsonValue] | None = None, choices: Iterable[str] = CHOICES,
        to: str = "approve", deadline: str | float = "", notify: Iterable[str] = (), shown: JsonValue = None,
        escalate: Sequence[Mapping[str, Any]] = (), id: str = "", counted: int = 0,
    ) -> JsonObject:  # fmt: skip
        """Ask people who have the role `to`, and wait, without a worker, for the answer of one: `{choice, by, reason,
        values}`. `form` maps names of fields to types, `deadline` is when nobody may answer any more, `notify` are
        addresses, `shown` is shown with it; `escalate` as that of an approval. The same question again is another, in
        order; `id` tells apart those whose texts differ between attempts; `counted` as of `intend`. Raises WorkError
        `expired`, `bad_question` and Refused `too_many_tickets`."""
        asked = question_of(
            question, self._journal.now_ms, form=form or {}, choices=choices, to=to, deadline=deadline, notify=notify,
            shown=shown, escalate=escalate,
        )  # fmt: skip
        same = {"question": question, "form": asked.form, "choices": list(asked.choices), "shown": shown}
        what = canonical({"id": id} if id else same)
        named, count = (("interrupt", digest_of(what)), counted) if counted else self._intents.next("interrupt", what)
        command = cmd.Interrupt(self._given, self.attempt, self._version, count, named[1], Raw(what), asked)
        found = (await self._granted(command, lambda now: self._found(now, "interrupt", named[1], count))).said
        answer = await self._answer(found, PERSON_HELD_S)
        assert isinstance(answer, dict)
        return answer

    async def _answer(self, found: Any, held_s: float) -> JsonValue:
        """The result of an intent that comes from outside. Raises Suspension when that takes long."""
        if found.result is None and (found := self._known(found.number)).result is None:
            self.waiting.add(found.number)
            if silent_ms := self._job.task.spec.timeout.heartbeat_ms:
                held_s = min(held_s, silent_ms / 2_000)  # who waits for an answer is not stuck
            if not await self._answer_of(self._job.run, found.number, held_s):
                self.suspended = True
                raise Suspension
            self.waiting.discard(found.number)
            found = self._known(found.number)
        return await self._result(found)

    async def request_topic(
        self, name: str, *, purpose: str = "", types: Sequence[str] = (), expires: str = "7d", depth_max: int = 16,
        exports: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """Declare a topic of this agent's own, in its namespace, and return its whole name; from then on this record
        may be answered with records for it. Declared so already, nothing changes. Raises WorkError with the code of the
        rule that refuses it."""
        namespace = names.namespace_of(self.agent)
        topic = name if namespace == names.DEFAULT_NAMESPACE or name.count(".") > 1 else f"{namespace}.{name}"
        asked: JsonObject = {
            "topic": topic, "purpose": purpose, "types": list(types), "expires": expires, "depth_max": depth_max,
            "exports": list(exports),
        }  # fmt: skip
        if self._admitting is None:
            raise WorkError("this process declares no topics", code="topics_absent", transient=False)
        while True:
            try:
                await self._admitting.request_topic(self.tenant, self.agent, asked)
            except Busy as busy:
                await asyncio.sleep(busy.retry_after_s)
            except CallerError as refused_by:
                detail = {"hint": refused_by.hint} if refused_by.hint else None
                raise WorkError(refused_by.detail, code=refused_by.code, transient=False, detail=detail) from refused_by
            else:
                self.requested.add(topic)
                return topic

    async def _taken(self, request: Output, digest: bytes, count: int) -> None:
        """Raises WorkError `record_refused` for a question that its topic does not take; one that is asked already
        was taken."""
        record, log = self._known_record(), self._admitting
        if log is None or (record is not None and record.intents and record.intents.find("ask", digest, count)):
            return
        wrong = judged(log, self.tenant, [request], self._given.depth)
        if wrong is None:
            key = Key(self._job.run)
            wrong = await admitted(log, self.tenant, key, self._given, [request], counts=False)
        if wrong:
            fault = refused(self.agent, self._given, wrong)
            raise WorkError(fault.message, code=fault.code, transient=False, detail=fault.detail)

    def _known(self, number: int) -> Any:
        record = self._known_record()
        if record is None or record.visit != self._job.visit or record.intents is None or record.state != keys.READY:
            raise asyncio.CancelledError
        return record.intents.get(number)

    def _known_record(self) -> keys.Open | None:
        stream = self._journal.streams.get(self._job.run)
        return stream.state.open if stream is not None else None

    def _found(self, now: Decided, kind: str, digest: bytes, count: int) -> Any:
        return msgspec.structs.replace(now.stream.state.open.intents.find(kind, digest, count))

    async def _result(self, found: Any) -> JsonValue:
        value = decode(found.result)
        if (ref := ref_in(value)) is not None:
            value = decode(await self._values.fetch(self.tenant, ref.digest))
        if not found.failed:
            return value
        told = value if isinstance(value, dict) else {}
        code, message = str(told.get("code", "failed")), str(told.get("message", "it failed"))
        raise WorkError(message, code=code, detail=told.get("detail"))

    async def _granted(self, command: Any, reads: Callable[[Decided], Any] | None = None) -> Decided:
        """Sends a command to the key. Waits while the store is unavailable: this is not the agent's fault."""
        while True:
            self._job.pulse()
            try:
                decided = await self._journal.ask(self._job.run, command, reads=reads)
                self._job.pulse()
                return decided
            except Refused as refused:
                if refused.code == "token_gone":
                    raise asyncio.CancelledError from None
                raise
            except Busy as busy:
                await asyncio.sleep(busy.retry_after_s)
            except Unavailable as error:
                if error.code not in AWAY or not await self._journal.mended():
                    raise
                await asyncio.sleep(AWAY_AGAIN_S)
