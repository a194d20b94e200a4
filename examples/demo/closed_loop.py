"""The demo's last acts: numbers that move with events, an alert that starts a workflow, and its action on the number.

In: the platform, the shop of `examples/shop`. Out: a line a second of live numbers. Nothing is faked: they are pushed
by the platform, and the shop says itself what was asked of it.
"""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.markup import escape

from aob.client import AsyncClient, Event
from aob.core.answers import JsonObject
from aob.core.errors import Unavailable
from demo.api import Api
from demo.captions import Captions
from demo.prompt import decision
from demo.services import LOOPBACK, READY_S_MAX, stop
from demo.watch import Watch

RATE: Final = "refund_rate"
WINDOW: Final = "15s"
SHOWN: Final = ("orders", "revenue", RATE)
LINE_S: Final = 1.0
"""How often a line of numbers is printed while they move."""
STEADY_S: Final = 4.0
"""How long the numbers are watched before the wave."""
ALERT_S_MAX: Final = 40.0
BARS: Final = "▁▂▃▄▅▆▇█"
EVENTS_PER_S: Final = 400


@asynccontextmanager
async def shop_service(example: Path, url: str, key: str, port: int) -> AsyncIterator[httpx.AsyncClient]:
    """The shop as a process that sends its events; a client of its own interface."""
    command = [sys.executable, "-m", example.name, "--server", url, "--port", str(port), "--rate", str(EVENTS_PER_S)]
    process = await asyncio.create_subprocess_exec(
        *command, "--with-parent", stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
        env={**os.environ, "PYTHONPATH": str(example.parent), "AOB_KEY": key},
    )  # fmt: skip
    try:
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), READY_S_MAX)
        if not line:
            raise Unavailable("the shop of the demo did not start", hint="`make demo` installs what it needs")
        base = f"http://{LOOPBACK}:{json.loads(line)['shop']}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            yield client
    finally:
        await stop(process)


class Numbers:
    """The newest value of each number, and a line of them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.now: JsonObject = {}
        self.deltas = 0
        self.quiet = False
        """No line is printed: a question stands on the screen."""
        self.alerts: list[JsonObject] = []
        self._rates: list[float] = []
        self._changed = asyncio.Event()

    async def listen(self, feed: AsyncIterator[Event]) -> None:
        """Take over what is pushed, for ever."""
        async for seen in feed:
            if seen.name == "metric":
                self.now[str(seen.data["metric"])] = seen.data["value"]
                self.deltas += 1
            elif seen.name == "alert":
                self.alerts.append(seen.data)
            self._changed.set()

    async def lines(self) -> None:
        """Print a line a second."""
        while True:
            await asyncio.sleep(LINE_S)
            if not self.quiet:
                self.line()

    def line(self) -> None:
        """The numbers as they are."""
        rate = float(self.now.get(RATE) or 0.0)
        self._rates = [*self._rates[-29:], rate]
        bars = "".join(BARS[min(len(BARS) - 1, int(each * len(BARS)))] for each in self._rates)
        colour = "red" if rate > 0.2 else "green"
        orders, revenue = int(self.now.get("orders") or 0), float(self.now.get("revenue") or 0.0)
        self._console.print(
            f"  orders {orders:>5}   revenue {revenue:>10,.2f} EUR   [{colour}]{RATE} {rate:6.1%}[/]  "
            f"[{colour}]{bars}[/]   [dim]{self.deltas} deltas[/]"
        )

    async def until(self, wanted: Any, seconds: float) -> Any:
        """What `wanted()` gives once it gives something. Raises Unavailable when it never does."""
        try:
            async with asyncio.timeout(seconds):
                while not (found := wanted()):
                    self._changed.clear()
                    await self._changed.wait()
                return found
        except TimeoutError as error:
            raise Unavailable(f"the number did not move as it should within {seconds:g} s ({self.now})") from error


class ClosedLoop:
    """Event, metric, alert, workflow, the agent's patch, approval, action, and the metric again."""

    def __init__(
        self, console: Console, captions: Captions, api: Api, aob: AsyncClient, shop: httpx.AsyncClient
    ) -> None:
        self.console, self.captions, self.api, self.aob, self.shop = console, captions, api, aob, shop

    async def tell(self, example: Path, workflow: bytes) -> str:
        """All of it; answers the id of the run that the alert started."""
        files = {path.name: path.read_text() for path in sorted((example / "contracts").glob("*.yaml"))}
        pushed = await self.aob.push_contracts(files)
        await self.api.push(workflow)
        await self.captions.act("numbers")
        self.console.print(f"  contracts: {len(pushed['new'])} taken over; every event passes their gate")
        numbers = Numbers(self.console)
        feed = self.aob.stream(metrics=SHOWN, window=WINDOW)
        tasks = [asyncio.create_task(numbers.listen(feed)), asyncio.create_task(numbers.lines())]
        try:
            await asyncio.sleep(STEADY_S)
            run_id, begun = await self.wave(numbers)
            await self.acted(run_id, numbers, begun)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.told(run_id)
        return run_id

    async def wave(self, numbers: Numbers) -> tuple[str, float]:
        """Let refunds come; the alert fires and starts the workflow."""
        await self.captions.act("wave")
        begun = time.monotonic()
        await self.shop.post("/refunds/wave")
        await numbers.until(lambda: float(numbers.now.get(RATE) or 0.0) > 0.2, ALERT_S_MAX)
        self.console.print(f"  [red]{RATE} passed 20 %[/] {time.monotonic() - begun:.1f} s after the wave began")

        async def started() -> str:
            while True:
                alert = await self.aob.alert("refunds_high")
                runs: list[str] = alert["runs"]
                if runs:
                    return runs[0]
                await asyncio.sleep(0.05)

        run_id = await asyncio.wait_for(started(), ALERT_S_MAX)
        self.console.print(
            f"  alert [b]refunds_high[/] fired and started run [cyan]{run_id}[/] "
            f"{time.monotonic() - begun:.1f} s after the wave began"
        )
        return run_id, begun

    async def acted(self, run_id: str, numbers: Numbers, begun: float) -> None:
        """The agent's patch, a person's word, the action, and the number going down."""
        async with Watch(self.api.follow(run_id), self._note) as watch:
            ticket = await watch.until(lambda seen: seen.name == "ticket_opened" and seen.data["subject"] == "patch")
            patch = await self.api.patch(ticket.data["about"])
            await self.captions.act("action")
            self.console.print(f"  [magenta]{escape(patch['author'])}[/]: {escape(patch['reason'])}")
            for line in patch["lines"]:
                self.console.print(f"    [{'green' if line[:1] == '+' else 'dim'}]{escape(line)}[/]")
            numbers.quiet = True
            await self._decide(ticket, watch)
            numbers.quiet = False
            if (await self.api.patch(patch["patch_id"]))["state"] == "rejected":
                await self.shop.post("/refunds/hold")
                self.console.print("  rejected: the workflow may not act, so the demo asks the shop itself")
            else:
                await watch.until(lambda seen: seen.name == "node_completed" and seen.data["visit"] == "hold")
            self.console.print(f"  the shop holds refunds back, {time.monotonic() - begun:.1f} s after the wave began")
            await watch.until(lambda seen: seen.name == "run_finished")
        self.console.print(
            f"  [green]{RATE} is {float(numbers.now.get(RATE) or 0.0):.1%} again[/], "
            f"{time.monotonic() - begun:.1f} s after the wave began"
        )

    async def told(self, run_id: str) -> None:
        """What the platform and the shop say of it afterwards."""
        state = (await self.shop.get("/state")).json()
        sent, asked = state["sent"], ", ".join(f"{name} ×{times}" for name, times in state["asked"].items())
        self.console.print(f"  what the shop was asked: {asked}")
        counts = f"{sent['accepted']:,} accepted + {sent['duplicate']} duplicate + {sent['rejected']} rejected"
        self.console.print(f"  what it sent: {sent['received']:,} events = {counts}")
        self.console.print(f"  why events were rejected: {self.api.command('deadletter groups')}")
        with suppress(KeyError):
            rate = await self.aob.metric("run_success_rate", window="1h")
            self.console.print(f"  the platform's own number: run_success_rate {rate['value']:.0%} of the last hour")
        self.console.print(f"  why it moved: {self.api.command(f'metric why {RATE}')}")

    async def _decide(self, ticket: Event, watch: Watch) -> None:
        ticket_id = ticket.data["id"]

        def answered(seen: Event) -> bool:
            return seen.name == "ticket_answered" and seen.data["id"] == ticket_id

        choice = await decision(
            self.console,
            lambda: watch.until(answered, patient=True),
            self.api.command(f"approve {ticket_id} approve"),
        )
        if choice:
            await self.api.answer(ticket_id, choice)
        await watch.until(answered)

    def _note(self, seen: Event) -> None:
        if seen.name == "node_completed" and "/" not in str(seen.data["visit"]):
            self.console.print(f"  [dim]✓ {seen.data['visit']}[/]", highlight=False)
