"""The load: lanes that start runs, send events and messages, answer tickets, read and follow, through every door. What
was not answered is asked again with the same key or id; what was is written down."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import httpx

from aob.client import AsyncClient
from aob.core.errors import AobError, Busy, Conflict, NotFound, Unavailable
from tools.chaos.world import ALARM, ALERTS, CONTRACTS, FLOWS, MIX, PATCH, TILLS

Answer = TypeVar("Answer")
AGAIN_S: Final = 0.1
THINK_S: Final = 0.05
PASSING: Final = frozenset(("shard_lost", "shard_unowned", "shard_down", "too_late", "edge_api_broke", "edge_api_slow"))
ASK_S: Final = 20.0


class Load:
    """What was asked for and what was acknowledged."""

    def __init__(
        self, doors: Sequence[AsyncClient], seed: int, streams: Sequence[AsyncClient] = (),
        mix: Sequence[str] = MIX, *, alerts: bool = True,
    ) -> None:  # fmt: skip
        self._doors, self._dice, self._mix, self.alerts = doors, random.Random(seed), mix, alerts
        self._streams = streams or doors
        self.starts: dict[str, tuple[str, int]] = {}
        """The workflow and the number of each start by its key."""
        self.run_ids: dict[str, str] = {}
        """The run of each start that was acknowledged."""
        self.sales: dict[str, tuple[str, int]] = {}
        """Till and amount of each event by its id."""
        self.acknowledged: set[str] = set()
        self.told: dict[str, str] = {}
        """The message that each run was sent, once that was acknowledged."""
        self.answers: dict[str, str] = {}
        """The choice of each ticket that was decided and acknowledged."""
        self.patched: dict[str, str] = {}
        """The patch of each run that was patched, once that was acknowledged."""
        self.cancelled: set[str] = set()
        """Runs whose cancelling was acknowledged."""
        self.bad: dict[str, tuple[str, int]] = {}
        """Till and amount, once it is mended, of each event that the gate must refuse, by its id."""
        self.refused_ids: set[str] = set()
        """Those of them whose refusal was told."""
        self.finished: Counter[str] = Counter()
        """How often the feed of all runs told of each run's end."""
        self.wrong: list[str] = []
        """What must never be seen, and was."""
        self.refused: Counter[str] = Counter()
        """Errors that pass, by code."""
        self._position = ""
        self.longest_s = 0.0
        """The longest time without any acknowledgement."""
        self._last = time.monotonic()

    async def begin(self) -> None:
        """Push documents and contracts."""
        for name, flow in FLOWS.items():
            if name in self._mix or (name == ALARM and self.alerts):  # handlers are those of the first tenant
                await self._push(flow)
        await self.ask(lambda door: door.push_contracts(CONTRACTS | (ALERTS if self.alerts else {})))
        told: Any = await self.ask(lambda door: door.health())
        self._position = told["position"]

    async def _push(self, flow: dict[str, Any]) -> None:
        await self.ask(lambda door: door.push(flow))

    def lanes(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What goes on at once, each without an end."""
        return [self._starts, self._starts, self._starts, self._sales, self._sales, self._person, self._sender,
                self._changer, self._reader, self._refused, self._mender, self._follower]  # fmt: skip

    async def ask(self, call: Callable[[AsyncClient], Awaitable[Answer]]) -> Answer:
        """The answer to what is safe to ask again: through one door after the other until there is one."""
        while True:
            try:
                async with asyncio.timeout(ASK_S):
                    answer = await call(self._dice.choice(self._doors))
            except (Unavailable, Busy, TimeoutError, httpx.TransportError) as error:
                self.refused[getattr(error, "code", "") or type(error).__name__] += 1
            except AobError as error:
                if error.code not in PASSING:
                    raise
                self.refused[error.code] += 1
            else:
                now = time.monotonic()
                self.longest_s, self._last = max(self.longest_s, now - self._last), now
                return answer
            await asyncio.sleep(AGAIN_S)

    async def start(self, key: str) -> str:
        """Start, or start again, what has this key."""
        workflow, number = self.starts[key]
        run_id = (await self.ask(lambda door: door.start(workflow, {"n": number}, key=key)))["run_id"]
        if self.run_ids.setdefault(key, run_id) != run_id:
            self.wrong.append(f"the start {key} was answered with {self.run_ids[key]}, later with {run_id}")
        return run_id

    async def send(self, ids: Sequence[str]) -> None:
        """Send these events, or send them again."""
        events = [
            {"id": id, "source": "chaos", "type": "chaos.sale", "data": {"till": till, "amount": amount}}
            for id in ids for till, amount in [self.sales[id]]
        ]  # fmt: skip
        told = await self.ask(lambda door: door.ingest(events))
        if told["rejected"]:
            self.wrong.append(f"{told['rejected']} good events were rejected: {told['verdicts'][:3]}")
        self.acknowledged.update(ids)

    async def message(self, run_id: str) -> None:
        """Send a run what it waits for, once."""
        await self.ask(lambda door: door.message(run_id, "go", payload={}, id=f"go-{run_id}"))
        self.told[run_id] = f"go-{run_id}"

    async def patch(self, run_id: str) -> None:
        """Add a node to a run, once."""
        body: dict[str, Any] = {"operations": PATCH, "id": f"patch-{run_id}", "reason": "chaos"}
        told: Any = await self.ask(lambda door: door.propose(run_id, body))
        if told["state"] != "applied":
            self.wrong.append(f"a patch of {run_id} is {told['state']}: {told}")
        self.patched[run_id] = told["patch_id"]

    async def cancel(self, run_id: str) -> None:
        """Cancel a run, once."""
        await self.ask(lambda door: door.cancel(run_id, reason="chaos", command=f"cancel-{run_id}"))
        self.cancelled.add(run_id)

    async def refuse(self, ids: Sequence[str]) -> None:
        """Send events that no contract takes, or send them again."""
        events = [{"id": id, "source": "chaos", "type": "chaos.sale", "data": {"till": 7}} for id in ids]
        told = await self.ask(lambda door: door.ingest(events))
        if told["accepted"]:
            self.wrong.append(f"{told['accepted']} bad events were accepted: {told['verdicts'][:3]}")
        self.refused_ids.update(ids)

    async def mend(self) -> int:
        """Mend the newest dead letters and send them through the gate; how many there were."""
        page = await self.ask(lambda door: door.deadletters(state="open"))
        for letter in page["deadletters"]:
            id = letter["id"]
            till, amount = self.bad[id]
            event = {
                "id": id, "source": "chaos", "type": "chaos.sale", "data": {"till": till, "amount": amount},
            }  # fmt: skip
            try:
                await self.ask(lambda door: door.replay_deadletters(numbers=[letter["number"]], event=event))  # noqa: B023
            except Conflict as error:  # an answer that was lost: it was mended then
                if error.code != "deadletter_settled":
                    raise
        return len(page["deadletters"])

    async def decide(self, ticket: Any, choice: str, values: dict[str, Any] | None = None) -> None:
        """Decide a ticket."""
        id = ticket["ticket_id"]
        await self.ask(lambda door: door.answer(id, choice, reason="chaos", values=values))
        self.answers[id] = choice

    async def tickets(self) -> list[Any]:
        """What waits for a person."""
        return await self.ask(lambda door: door.tickets())

    def of(self, workflow: str) -> list[str]:
        """The runs of a workflow that were acknowledged."""
        return [run_id for key, run_id in self.run_ids.items() if self.starts[key][0] == workflow]

    def waiting(self) -> list[str]:
        """Runs that wait for a message which was not acknowledged so far."""
        return [run_id for run_id in (*self.of("waits"), *self.patched) if run_id not in self.told]

    def unpatched(self) -> list[str]:
        """Runs that wait for a patch which was not acknowledged so far."""
        return [run_id for run_id in self.of("patched") if run_id not in self.patched]

    def uncancelled(self) -> list[str]:
        """Runs that are to be cancelled, and that this was not acknowledged of so far."""
        return [run_id for run_id in self.of("cancelled") if run_id not in self.cancelled]

    async def _starts(self) -> None:
        while True:
            number = len(self.starts) + 1
            key = f"start-{number}"
            self.starts[key] = (self._dice.choice(self._mix), number)
            await self.start(key)
            await asyncio.sleep(self._dice.uniform(0, 2 * THINK_S))

    async def _sales(self) -> None:
        while True:
            ids = [f"sale-{len(self.sales) + number}" for number in range(self._dice.randint(1, 20))]
            for id in ids:
                self.sales[id] = (self._dice.choice(TILLS), self._dice.randint(1, 1_000))
            await self.send(ids)
            await asyncio.sleep(self._dice.uniform(0, 2 * THINK_S))

    async def _person(self) -> None:
        while True:
            for ticket in await self.tickets():
                if ticket["subject"] == "approval":
                    await self.decide(ticket, "approve")
            await asyncio.sleep(5 * THINK_S)

    async def _sender(self) -> None:
        while True:
            for run_id in self.waiting():
                await self.message(run_id)
            await asyncio.sleep(3 * THINK_S)

    async def _changer(self) -> None:
        while True:
            for run_id in self.unpatched():
                await self.patch(run_id)
            for run_id in self.uncancelled():
                await self.cancel(run_id)
            await asyncio.sleep(3 * THINK_S)

    async def _refused(self) -> None:
        while True:
            ids = [f"bad-{len(self.bad) + number}" for number in range(self._dice.randint(1, 3))]
            for id in ids:
                self.bad[id] = (self._dice.choice(TILLS), self._dice.randint(1, 1_000))
            await self.refuse(ids)
            await asyncio.sleep(self._dice.uniform(0, 20 * THINK_S))

    async def _mender(self) -> None:
        while True:
            await self.mend()
            await asyncio.sleep(20 * THINK_S)

    async def _reader(self) -> None:
        while True:
            if self.run_ids:
                await self.read(self._dice.choice(list(self.run_ids.values())))
            await asyncio.sleep(3 * THINK_S)

    async def read(self, run_id: str) -> Any:
        """A run that was acknowledged: it is there."""
        try:
            return await self.ask(lambda door: door.run(run_id))
        except NotFound as error:
            self.wrong.append(f"{run_id} was acknowledged, and is not found: {error}")
            return None

    async def _follower(self) -> None:
        position = self._position
        while True:
            door = self._dice.choice(self._streams)
            try:
                async for seen in door.follow(position=position, types=["run_finished"]):
                    position = seen.position or position
                    self.finished[seen.data["run"]] += 1
            except (AobError, httpx.TransportError) as error:
                self.refused[f"feed {getattr(error, 'code', type(error).__name__)}"] += 1
                if not isinstance(error, Unavailable | httpx.TransportError):
                    self.wrong.append(f"the feed of all runs ended with {error!r}")
            await asyncio.sleep(AGAIN_S)
