"""Jobs, a context and a collector of results for tests of work."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from aob.backends.memory.log import MemoryLog
from aob.core.graph.compiled import Node
from aob.core.graph.compiled.ir import NodeSpec, Timeouts
from aob.core.node import KINDS
from aob.core.value import canonical
from aob.ports.workers import Done, Fault, Job
from aob.work import HandlerTable, Intended, scan
from aob.work.egress import CheckedClient
from aob.work.pool import Processes, Threads
from aob.work.tools import ObjectStores, Tools


def node_of(kind: str, config: Mapping[str, Any], **spec: Any) -> Node:
    """A compiled node with a decoded config."""
    if isinstance(spec.get("timeout"), dict):
        spec["timeout"] = Timeouts(**spec["timeout"])
    decoded = msgspec.convert(dict(config), KINDS[kind].config)
    return Node("n", kind, NodeSpec(**spec), decoded, {"kind": kind, "config": dict(config)}, "hash")


def job_of(
    node: Node,
    value: Any = None,
    *,
    named: bool | None = None,
    run: str = "run_1",
    visit: str = "n",
    attempt: int = 1,
    tenant: str = "acme",
    priority: str = "medium",
) -> Job:
    """One attempt; a dict is taken as the map of `input:` unless told otherwise."""
    by_name = isinstance(value, dict) if named is None else named
    return Job(run, visit, attempt, node.task, value, by_name, f"key-{run}-{visit}", tenant, "full", priority)


def calls(handler: str, value: Any = None, **more: Any) -> Job:
    """A job of a function node."""
    job = {key: more.pop(key) for key in ("named", "run", "visit", "attempt", "tenant", "priority") if key in more}
    return job_of(node_of("function", {"handler": handler}, **more), value, **job)


class Told:
    """Results as they are reported, in order, with a way to wait for them."""

    def __init__(self) -> None:
        self.results: list[tuple[Job, Done | Fault]] = []
        self._moved = asyncio.Event()

    def __call__(self, job: Job, result: Done | Fault) -> None:
        self.results.append((job, result))
        self._moved.set()

    async def first(self, count: int = 1) -> list[Done | Fault]:
        """The results, once there are so many."""
        async with asyncio.timeout(30):
            while len(self.results) < count:
                self._moved.clear()
                await self._moved.wait()
        return [result for _, result in self.results]

    async def fault(self) -> Fault:
        """The one result, which is a fault."""
        (result,) = await self.first()
        assert isinstance(result, Fault), result
        return result

    async def output(self) -> Any:
        """The one result, which is an output."""
        (result,) = await self.first()
        assert isinstance(result, Done), result
        return result.output


class Asked:
    """A Context that remembers what it was asked. `recorded` holds results of earlier attempts, by intent number."""

    def __init__(self, job: Job, recorded: Mapping[int, Any] | None = None) -> None:
        self.run_id, self.visit, self.attempt, self.key, self.tenant = (
            job.run, job.visit, job.attempt, job.key, job.tenant,
        )  # fmt: skip
        self.resume = job.resume
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[tuple[str, Any]] = []
        self._recorded = recorded or {}
        self._number = 0
        self._job = job

    def log(self, message: str, **fields: Any) -> None:
        self.lines.append((message, fields))

    async def heartbeat(self, checkpoint: Any = None) -> None:
        self._job.pulse()
        self.asked.append(("heartbeat", checkpoint))

    async def intend(self, kind: str, what: Mapping[str, Any]) -> Intended:
        self._number += 1
        self.asked.append((f"intend {kind}", msgspec.json.decode(canonical(what))))
        if self._number in self._recorded:
            return Intended(False, self._recorded[self._number])
        return Intended(True)

    async def settle(
        self,
        result: Any,
        *,
        intent: Intended | None = None,
        error: Fault | None = None,
        usage: Mapping[str, Any] | None = None,
    ) -> None:
        self.asked.append(("settle", error.code if error else result))

    async def propose(self, operations: list[dict[str, Any]], reason: str) -> Mapping[str, Any]:
        return {"patch_id": "patch_1", "state": "applied"}

    async def graph(self) -> Mapping[str, Any]:
        return {"document": {}, "state": {}}


class NoModel:
    """A model that is never asked."""

    async def ask(self, request: Any) -> Any:
        raise AssertionError("no model is asked here")

    def name_of(self, name: str) -> Any:
        raise AssertionError("no model is named here")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock moves only when nothing else can: time-outs are exact and take no time."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        ready, scheduled = vars(self)["_ready"], vars(self)["_scheduled"]
        due = [timer.when() for timer in scheduled if not timer.cancelled()]
        if not ready and due:
            self._now = max(self._now, min(due))
        super()._run_once()  # type: ignore[misc]  # asyncio's own step, which it keeps private


async def passed(ms: float) -> None:
    """Wait until so much time of the loop has passed."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.call_later(ms / 1_000, over.set)
    await over.wait()


def tools_of(*handlers: object, **more: Any) -> Tools:
    """Tools with these handlers; the rest is as small as it can be."""
    table: HandlerTable = scan(*handlers)
    parts: dict[str, Any] = {
        "http": CheckedClient(),
        "threads": Threads(),
        "processes": Processes(1),
        "stores": ObjectStores({}),
        "model": NoModel(),
        "log": MemoryLog(lambda: 1_700_000_000_000),
        **more,
    }
    return Tools(handlers=table, **parts)
