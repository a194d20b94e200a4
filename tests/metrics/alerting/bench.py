"""A tenant's numbers, a starter that remembers, and alerts over a journal that may be killed at any commit."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from aob.backends.memory.store import MemoryStore
from aob.core.contract import read_contracts
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError, NotFound
from aob.core.event import Message
from aob.core.metric_query import MetricQuery
from aob.core.run.record import commands as cmd
from aob.core.run.record import messages as told
from aob.core.value import canonical, decode, digest_of
from aob.journal import Journal, Law, Stream, Verdict
from aob.journal.messages import Outgoing
from aob.metrics.alerting import Alerting, AlertLaw
from aob.ports.store import Batch, Head, StaleEpoch

T0_MS = 1_700_000_000_000
METRICS = """
metric: refunds
version: 1
type: count
moves: [{on: order.refunded}]
dimensions: [region]
windows: [1m]
---
event: order.refunded
version: 1
fields: {region: string}
"""


class Numbers:
    """What each metric says: a value, or rows. `until` is when the answer ends."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.until: dict[str, int | None] = {}
        self.reads = 0
        self.error: AobError | None = None

    async def read_metric(self, tenant: str, query: MetricQuery) -> dict[str, Any]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        if query.metric not in self.values:
            raise NotFound(f"there is no metric {query.metric}", code="metric_not_found")
        value = self.values[query.metric]
        rows = {"rows": [{"by": {"region": name}, "value": v} for name, v in value.items()]} if query.by else {}
        return {
            "type": "count",
            "value": None if query.by else value,
            "valid_until": self.until.get(query.metric),
            "position": "p1",
            **rows,
        }


class Runs:
    """A starter that knows every workflow, until it is told otherwise."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: AobError | None = None

    async def start_of(
        self, tenant: str, workflow: str, inputs: Mapping[str, Any], *, tag: str, key: str, alert: str
    ) -> cmd.Start:
        await asyncio.sleep(0)
        self.asked.append(key)
        if self.error is not None:
            raise self.error
        data = canonical(dict(inputs))
        return cmd.Start(
            f"run_{key}", workflow, "", "", tag, tenant, alert, Raw(data), digest_of(data), "full", "medium", 1, {},
        )  # fmt: skip


class RunState:
    def __init__(self) -> None:
        self.starts: list[Any] = []
        self.watchers: list[str] = []
        self.ended = False


class End(msgspec.Struct):
    """The run ends."""


class RunsLaw(Law):
    """Streams `run_...` that begin when they are asked to and end when a test says so."""

    kind, prefix, spread = "run", "run_", True

    def __init__(self) -> None:
        self.refuses: AobError | None = None

    def fresh(self, name: str) -> RunState:
        return RunState()

    def decide(self, stream: Stream, command: End, now_ms: int) -> Verdict:
        end = told.encode_message(told.Ended(stream.name, "COMPLETED"))
        return Verdict([["ended"]], {}, None, [Outgoing(each, end) for each in stream.state.watchers])

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        asked, run = told.decode_message(message.body), stream.state
        if self.refuses is not None:
            raise self.refuses
        if isinstance(asked, told.AskEnd):
            if not run.starts:
                raise NotFound("there is no such run")
            return Verdict([] if run.ended or message.source in run.watchers else [["watched", message.source]], {},
                           None, [Outgoing(message.source, told.encode_message(told.Ended(stream.name, "x")))]
                           if run.ended else [])  # fmt: skip
        assert isinstance(asked, told.AskStart)
        began = [["started", decode(asked.start.inputs)]] if not run.starts else []
        answer = Outgoing(message.source, told.encode_message(told.Started(asked.key, stream.name)))
        return Verdict([*began, ["watched", message.source]], {}, None, [answer])

    def fold(self, stream: Stream, events: list[Any]) -> None:
        for event in events:
            if event[0] == "started":
                stream.state.starts.append(event[1])
            elif event[0] == "watched":
                stream.state.watchers.append(event[1])
            else:
                stream.state.ended = True

    def head(self, stream: Stream) -> Head:
        return Head(stream.name, "run", "acme", "w", stream.status, "", 0, 0, stream.seq)


class Mortal:
    """One process's handle on a store: after so many commits it hears nothing any more, as one that was killed.

    With `lose_reply` the last commit is written, and its reply is what is lost.
    """

    def __init__(self, inner: MemoryStore, commits: int | None = None, *, lose_reply: bool = False) -> None:
        self.inner, self.left, self.lose_reply = inner, commits, lose_reply
        self.dead = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        if self.left is not None and batch.count:
            self.left -= 1
            if self.left < 0:
                if self.left == -1 and self.lose_reply:
                    await self.inner.commit(batch)
                self.dead.set()
                await asyncio.get_running_loop().create_future()
        return await self.inner.commit(batch)


class World:
    """What outlives a process: the store, the numbers, the runs, what subscribers heard."""

    def __init__(self, contracts: str = "") -> None:
        self.store, self.numbers, self.runs = MemoryStore(), Numbers(), Runs()
        self.heard: list[dict[str, Any]] = []
        self.told: list[tuple[int, dict[str, Any]]] = []
        self.contracts: ContractSet = read_contracts({"a.yaml": METRICS + ("---\n" + contracts if contracts else "")})
        self.skew_ms = 0
        self.moved = asyncio.Event()

    def now_ms(self) -> int:
        return T0_MS + self.skew_ms + round(asyncio.get_running_loop().time() * 1_000)

    def process(self, store: Any = None) -> "Process":
        return Process(self, store if store is not None else self.store)

    def hear(self, tenant: str, notice: dict[str, Any]) -> None:
        self.heard.append(notice)
        self.moved.set()

    @property
    def states(self) -> list[str]:
        return [notice["state"] for notice in self.heard]


class Process:
    """A journal and alerts over a world."""

    def __init__(self, world: World, store: Any) -> None:
        async def nothing(*_: object) -> bytes:
            raise AssertionError("there are no values beside the record")

        self.world = world
        self.law = RunsLaw()
        self.journal = Journal(
            store, [AlertLaw(), self.law], clock_ms=world.now_ms, on_commit=lambda commit: None,
            on_recovered=lambda found: None, put_blob=nothing, get_value=nothing,
        )  # fmt: skip
        self.alerts = Alerting(
            self.journal, world.numbers, lambda tenant: world.contracts, world.runs,
            now_ms=world.now_ms, on_alert=world.hear, on_told=lambda tenant, *told: world.told.append(told),
        )  # fmt: skip

    async def __aenter__(self) -> "Process":
        await self.journal.__aenter__()
        await self.alerts.__aenter__()
        self.alerts.changed("acme")
        return self

    @property
    def runs(self) -> dict[str, Any]:
        """The inputs of every run that there is, by its id."""
        kept = self.journal.streams.values()
        return {each.name: each.state.starts[0] for each in kept if each.law is self.law and each.state.starts}

    async def end(self, run_id: str) -> None:
        """A run ends."""
        await self.journal.ask(run_id, End())

    async def __aexit__(self, *exc: object) -> None:
        await self.alerts.__aexit__(*exc)
        await self.journal.__aexit__(*exc)

    def say(self, metric: str, value: Any, until_ms: int | None = None) -> None:
        """A number moves."""
        self.world.numbers.values[metric] = value
        self.world.numbers.until[metric] = until_ms
        self.alerts.judge("acme", {metric}, self.world.now_ms())


async def passed(ms: float) -> None:
    """Virtual time passes."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(ms / 1_000, over.set)
    await over.wait()
