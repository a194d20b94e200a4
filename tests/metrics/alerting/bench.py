"""A tenant's numbers, a starter that remembers, and alerts over a journal that may be killed at any commit."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aob.backends.memory.store import MemoryStore
from aob.core.contract import read_contracts
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError, NotFound
from aob.core.metric_query import MetricQuery
from aob.journal import Journal
from aob.metrics.alerting import Alerting, AlertLaw
from aob.ports.store import Batch, StaleEpoch

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
    """A starter: a key is a run for ever."""

    def __init__(self) -> None:
        self.by_key: dict[str, str] = {}
        self.inputs: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        self.ended: set[str] = set()
        self.error: AobError | None = None
        self.most = 0

    async def start(
        self, tenant: str, workflow: str, inputs: Mapping[str, Any], *, tag: str, key: str, alert: str
    ) -> str:
        await asyncio.sleep(0)
        self.asked.append(key)
        if self.error is not None:
            raise self.error
        run = self.by_key.setdefault(key, f"run_{len(self.by_key)}")
        assert self.inputs.setdefault(run, dict(inputs)) == inputs, "the same key with other inputs"
        self.most = max(self.most, len(self.by_key.keys()) - len(self.ended))
        return run

    async def open_runs(self, tenant: str, run_ids: Sequence[str]) -> Collection[str]:
        await asyncio.sleep(0)
        return [run for run in run_ids if run not in self.ended]


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
        self.journal = Journal(
            store, [AlertLaw()], clock_ms=world.now_ms, on_commit=lambda commit: None,
            on_recovered=lambda found: None, put_blob=nothing, get_value=nothing,
        )  # fmt: skip
        self.alerts = Alerting(
            self.journal, world.numbers, lambda tenant: world.contracts, world.runs,
            now_ms=world.now_ms, on_alert=world.hear,
        )  # fmt: skip

    async def __aenter__(self) -> "Process":
        await self.journal.__aenter__()
        await self.alerts.__aenter__()
        self.alerts.changed("acme")
        return self

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
