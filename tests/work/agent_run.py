"""A run around an agent for tests: a context with a journal that survives crashes, a model with a queue of answers."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import msgspec

from aob.core.errors import Conflict
from aob.core.graph.compiled.ir import Node, NodeSpec
from aob.core.node import KINDS
from aob.core.value import canonical
from aob.ports.model import Brain, ModelAnswer, ModelRequest, ToolCall, Usage
from aob.ports.workers import Done, Fault, Job
from aob.work.handlers import HandlerTable
from aob.work.job import Intended
from aob.work.kinds.agent import perform
from aob.work.pool.attempt import Leased

RISK = {"type": "object", "properties": {"risk": {"type": "number"}}, "required": ["risk"]}


class Crash(BaseException):
    """The process dies here."""


class Entry(msgspec.Struct):
    """One intent of the journal, and its result once there is one."""

    kind: str
    what: dict[str, Any]
    settled: bool = False
    result: Any = None
    error: Fault | None = None
    usage: Mapping[str, Any] | None = None


class Journal:
    """What survives: intents by number, proposals by what they propose, and a countdown to a crash."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.proposals: dict[bytes, dict[str, Any]] = {}
        self.commits = 0
        self.crash_at = 0

    def commit(self) -> None:
        self.commits += 1
        if self.commits == self.crash_at:
            raise Crash

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.entries]


class RunContext:
    """The Context of one attempt. An uncertain intent is granted again, as `on_uncertain: repeat` says."""

    def __init__(self, journal: Journal, graph: Mapping[str, Any], verdicts: list[dict[str, Any]]) -> None:
        self.run_id, self.visit, self.attempt, self.key, self.tenant = "run_1", "look", 1, "k", "default"
        self.journal, self.lines = journal, list[tuple[str, dict[str, Any]]]()
        self._graph, self._verdicts = graph, verdicts
        self._number = -1

    def log(self, message: str, **fields: Any) -> None:
        self.lines.append((message, fields))

    async def heartbeat(self, checkpoint: Any = None) -> None: ...

    async def intend(self, kind: str, what: Mapping[str, Any]) -> Intended:
        self._number += 1
        asked = msgspec.json.decode(canonical(what))
        if self._number < len(self.journal.entries):
            entry = self.journal.entries[self._number]
            if entry.settled and (entry.kind, entry.what) != (kind, asked):
                raise Conflict("it asks something else under this number", code="intent_differs")
            if entry.settled and entry.error is None:
                return Intended(False, entry.result)
            self.journal.entries[self._number] = Entry(kind, asked)
            return Intended(True)
        self.journal.commit()
        self.journal.entries.append(Entry(kind, asked))
        return Intended(True)

    async def settle(
        self,
        result: Any,
        *,
        intent: Intended | None = None,
        error: Fault | None = None,
        usage: Mapping[str, Any] | None = None,
    ) -> None:
        self.journal.commit()
        entry = self.journal.entries[self._number]
        entry.settled, entry.error, entry.usage = True, error, usage
        entry.result = msgspec.json.decode(canonical(result))

    async def propose(self, operations: list[dict[str, Any]], reason: str) -> Mapping[str, Any]:
        key = canonical([operations, reason])
        if key not in self.journal.proposals:
            self.journal.commit()
            self.journal.proposals[key] = self._verdicts.pop(0)
        return self.journal.proposals[key]

    async def graph(self) -> Mapping[str, Any]:
        return self._graph


class Queue:
    """A model that gives these answers in order and keeps the requests. An exception in the queue is raised."""

    def __init__(self, *answers: ModelAnswer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[ModelRequest] = []
        self.default = "script:house"

    def name_of(self, name: str) -> str:
        return name or self.default

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Kept:
    """A cache that a test can look into."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes] = {}

    async def get(self, tenant: str, key: str) -> bytes | None:
        return self.values.get((tenant, key))

    async def put(self, tenant: str, key: str, value: bytes, ttl_ms: int = 0) -> None:
        self.values[tenant, key] = value

    async def delete(self, tenant: str, key: str) -> None:
        del self.values[tenant, key]


def says(output: Any = msgspec.UNSET, *calls: tuple[str, Any], text: str = "", **usage: Any) -> ModelAnswer:
    """An answer of a scripted brain: output, calls or text, and what it spent."""
    made = tuple(ToolCall(f"id-{n}-{name}", name, args) for n, (name, args) in enumerate(calls))
    shown = text or ("" if output is msgspec.UNSET else msgspec.json.encode(output).decode())
    spent = Usage(**{"tokens_in": 10, "tokens_out": 5, "cost_usd": 0.001, **usage})
    return ModelAnswer(Brain("scripted", "scripted", "script:desk"), output, made, shown, spent)


class AgentRun:
    """An agent node in a run; `perform` makes one attempt, a fresh context each time."""

    def __init__(self, model: Any, **config: Any) -> None:
        self.model, self.journal, self.cache = model, Journal(), Kept()
        self.config = msgspec.convert({"task": "Look at order {id}", **config}, KINDS["agent"].config)
        self.input: Any = {"id": 7}
        self.graph: dict[str, Any] = {"document": {"nodes": {"look": {"kind": "agent"}}}, "state": {}, "agents_left": 5}
        self.verdicts: list[dict[str, Any]] = []
        self.handlers = HandlerTable()
        self.ctx = RunContext(self.journal, self.graph, self.verdicts)
        self.pulses = 0

    def job(self) -> Job:
        node = Node("look", "agent", NodeSpec(), self.config, {}, "h")
        return Leased(
            "run_1", "look", 1, node.task, self.input, True, "k", "default", "full", "medium", beat=self._pulse
        )

    telemetry: Any = None

    async def perform(self, context: Callable[[RunContext], None] = lambda ctx: None) -> Done:
        self.ctx = RunContext(self.journal, self.graph, self.verdicts)
        context(self.ctx)
        tools: Any = SimpleNamespace(
            model=self.model, cache=self.cache, handlers=self.handlers, telemetry=self.telemetry
        )
        return await perform(self.job(), self.ctx, tools)

    def _pulse(self) -> None:
        self.pulses += 1
