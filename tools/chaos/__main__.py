"""`make chaos`: a seeded mix of load and faults on a cluster; then what held. Exit code 1 when something did not."""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from aob.client import AsyncClient
from aob.core.errors import AobError, Unauthorized, Unavailable
from tests.servers.postgres import BrokenServerError, NoServerError
from tools.chaos.faults import Detours, Faults
from tools.chaos.hooks import hooked, told_once
from tools.chaos.judge import SHOWN, Held, Judge, said
from tools.chaos.ledger import Ledger
from tools.chaos.load import AGAIN_S, Load
from tools.chaos.schedule import Fault, schedule
from tools.cluster import Cluster, Wishes
from tools.cluster.plan import SETTINGS
from tools.cluster.process import NotReadyError

HERE: Final = Path(__file__).resolve().parent
ENDED: Final = 143
"""The exit code of one that was told to end before it was through."""
LEASE_S: Final = 4.0
BACK_S_MAX: Final = 60.0
KNOWN_TRIES: Final = 200
TENANTS: Final = ("north", "south")
REFUSED: Final = 0.005
"""How many messages whoever a webhook tells refuses at first: each holds up those behind it for seconds."""


def main() -> int:
    """Read the words, do it, tell."""
    words = argparse.ArgumentParser(prog="make chaos", description="faults under load on a whole cluster, by a seed")
    words.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long faults are made (10)")
    words.add_argument("--seed", type=int, default=1, metavar="N", help="what is broken and when (1)")
    words.add_argument("--coordinators", type=int, default=2, metavar="N", help="how many (2)")
    words.add_argument("--shards", type=int, default=8, metavar="N", help="how many (8)")
    words.add_argument("--only", action="append", default=[], metavar="KIND", help="these kinds only; may be repeated")
    words.add_argument("--json", action="store_true", help="print one JSON object at the end, and nothing else")
    words.add_argument("--plan", action="store_true", help="print what would be done, and do nothing")
    words.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder, and leave it with all logs")
    given = words.parse_args()
    console = Console(highlight=False, soft_wrap=True, file=sys.stderr if given.json else sys.stdout, quiet=given.json)
    os.umask(0o022)
    wishes = Wishes(
        given.coordinators, shards=given.shards, lease_s=LEASE_S, app=HERE / "handlers.py",
        command=(sys.executable, str(HERE / "stepped.py")),
    )  # fmt: skip
    faults = planned(given, wishes)
    if given.plan:
        for fault in faults:
            print(f"{fault.at_s:7.1f}  {fault}")
        return 0
    folder = given.keep or Path(tempfile.mkdtemp(prefix="aob-chaos-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    try:
        told = asyncio.run(Chaos(folder, wishes, faults, given, console).run())
    except (asyncio.CancelledError, KeyboardInterrupt):
        return ENDED
    except (AobError, NotReadyError, NoServerError, BrokenServerError) as why:
        print(f"{why}\n{getattr(why, 'hint', '') or ''}", file=sys.stderr)  # also where nothing but JSON is printed
        return 1
    finally:
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print(json.dumps(told))
    return 1 if told["broken"] else 0


def planned(given: argparse.Namespace, wishes: Wishes) -> list[Fault]:
    """The faults of this seed on these processes."""
    processes = {
        "coordinator": wishes.coordinators, "api": wishes.apis, "worker": wishes.workers, "edge": int(wishes.edge),
        "metrics": int(wishes.metrics), "fanout": wishes.fanouts, "executor": wishes.executors,
    }  # fmt: skip
    found = schedule(given.seed, given.minutes * 60, processes, LEASE_S)
    return [fault for fault in found if not given.only or fault.kind in given.only]


def apart(loads: dict[str, Load]) -> list[Held]:
    """Whether the feed of each tenant told of its own runs only."""
    broken = list[str]()
    for tenant, load in loads.items():
        others = {run_id for name, other in loads.items() if name != tenant for run_id in other.run_ids.values()}
        broken += [f"{tenant or 'the first'} was told of {run_id}" for run_id in load.finished if run_id in others]
    return [Held("no tenant was told of another", sum(len(load.finished) for load in loads.values()), broken)]


async def known(door: AsyncClient) -> None:
    """Wait until a process, an api or a fanout, knows the key that another has made: it begins a feed."""
    for _ in range(KNOWN_TRIES):
        begun: Any = door.follow()
        try:
            async with asyncio.timeout(1.0), aclosing(begun) as feed:
                await anext(feed)
            return
        except TimeoutError:  # nothing has happened yet that it could tell of
            return
        except (Unauthorized, Unavailable, httpx.TransportError):
            await asyncio.sleep(AGAIN_S)


class Chaos:
    """One run of it."""

    def __init__(
        self, folder: Path, wishes: Wishes, faults: list[Fault], given: argparse.Namespace, console: Console
    ) -> None:
        self._folder, self._faults, self._given, self._console = folder, faults, given, console
        self._clock = folder / "clock"
        self._clock.mkdir(exist_ok=True)
        self._wishes, self._longest_s = wishes, 0.0
        self._begun = time.monotonic()

    async def run(self) -> dict[str, Any]:
        """From the start of the processes to their end: what was done, and what held."""
        running = asyncio.current_task()
        assert running is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        async with AsyncExitStack() as stack:
            dice = random.Random(self._given.seed)
            ledger = await stack.enter_async_context(Ledger(lambda: dice.random() < REFUSED))
            self._may_send(ledger)
            detours = await stack.enter_async_context(Detours())
            more = {"CHAOS_LEDGER": ledger.url, "CHAOS_CLOCK": str(self._clock)}
            cluster = Cluster(
                self._folder / "cluster", self._wishes._replace(more=more),
                lambda name, what: self._say(f"[yellow]{name}[/] {what}"), detours.lay,
            )  # fmt: skip
            if self._given.keep is None:
                stack.callback(cluster.folder.remove)
            await stack.enter_async_context(cluster)
            self._say(f"ready: {', '.join(cluster.processes)}; seed {self._given.seed}, {len(self._faults)} faults")
            urls = [each.spec.where for each in (*cluster.of("api"), *cluster.of("fanout"))]
            doors = [await stack.enter_async_context(AsyncClient(url, cluster.key)) for url in urls]
            load = Load(doors[: self._wishes.apis], self._given.seed, doors)
            await load.begin()
            await hooked(load, ledger)
            loads = {"": load} | {
                tenant: await self._of_tenant(tenant, load, urls, stack) for tenant in TENANTS
            }  # fmt: skip
            faults = Faults(cluster, detours, self._clock, lambda what: self._say(f"[bold]{what}[/]"))
            held = await self._lived(loads, faults, cluster, ledger)
            held += [*apart(loads), said(cluster.folder.logs)]
            return self._told(load, faults, ledger, held)

    def _may_send(self, ledger: Ledger) -> None:
        """Webhooks of the cluster may send to the ledger."""
        settings = self._folder / "cluster" / SETTINGS
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "aob.toml").write_text(f'[egress]\nprivate = ["{ledger.url.removeprefix("http://")}"]\n')

    async def _of_tenant(self, tenant: str, load: Load, urls: list[str], stack: AsyncExitStack) -> Load:
        """The load of another tenant, with a key of its own."""
        made: Any = await load.ask(lambda door: door.create_key(f"chaos-{tenant}", ("admin",), tenant))
        doors = [await stack.enter_async_context(AsyncClient(url, made["secret"])) for url in urls]
        await asyncio.gather(*(known(door) for door in doors))
        own = Load(doors[: self._wishes.apis], self._given.seed, doors, ("quiet",), alerts=False)
        await own.begin()
        return own

    async def _lived(self, loads: dict[str, Load], faults: Faults, cluster: Cluster, ledger: Ledger) -> list[Held]:
        """Load and faults, then load alone, then the judgement."""
        load = loads[""]
        lanes: list[asyncio.Task[None]] = [
            asyncio.create_task(lane(), name=lane.__name__) for each in loads.values() for lane in each.lanes()
        ]
        making = asyncio.create_task(self._faulty(faults))
        await asyncio.wait([making, *lanes], return_when=asyncio.FIRST_COMPLETED)
        followers = [lane for lane in lanes if lane.get_name() == "_follower"]
        ended = [lane for lane in lanes if lane.done()]
        await making
        for lane in lanes:
            if lane not in followers:
                lane.cancel()
        await asyncio.gather(*(lane for lane in lanes if lane not in followers), return_exceptions=True)
        load.wrong += [f"the lane {lane.get_name()} ended: {lane.exception()!r}" for lane in ended]
        self._longest_s = load.longest_s
        self._say(f"no more load and faults; {len(load.run_ids)} runs, {len(load.acknowledged)} events so far")
        for process in cluster.processes.values():
            await process.ready(BACK_S_MAX)
        self._say("every process is there")
        found = await asyncio.gather(*(self._judged(tenant, each, ledger) for tenant, each in loads.items()))
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        return [held for each in found for held in each]

    async def _judged(self, tenant: str, load: Load, ledger: Ledger) -> list[Held]:
        """What held of the load of a tenant, once its runs have run out; beside those of the others."""
        judge = Judge(load, Ledger() if tenant else ledger)  # its runs ask for nothing outside
        await judge.settle()
        self._say(f"run out {tenant}")
        told = await judge.judged()
        if tenant:
            return [one._replace(what=f"{tenant}: {one.what}") for one in told if one.looked]
        return told + await told_once(judge.runs, judge.alarms(), ledger)

    async def _faulty(self, faults: Faults) -> None:
        begun = time.monotonic()
        async with asyncio.TaskGroup() as all_of_them:
            for fault in self._faults:
                await asyncio.sleep(max(0.0, begun + fault.at_s - time.monotonic()))
                all_of_them.create_task(faults.do(fault))
            await asyncio.sleep(max(0.0, begun + self._given.minutes * 60 - time.monotonic()))

    def _told(self, load: Load, faults: Faults, ledger: Ledger, held: list[Held]) -> dict[str, Any]:
        table = Table(title=f"seed {self._given.seed}: {len(faults.done)} faults done", title_justify="left")
        for head in ("what must hold", "looked at", ""):
            table.add_column(head)
        for each in held:
            table.add_row(each.what, f"{each.looked:,}", "[red]broken[/]" if each.broken else "held")
        self._console.print(table)
        for each in held:
            for what in each.broken[:SHOWN]:
                self._console.print(f"{each.what}: {what}", style="red", markup=False)
        decided = ", ".join(f"{choice} ×{count}" for choice, count in Counter(load.answers.values()).items())
        self._console.print(f"tickets: {decided or 'none'}; messages: {len(load.told)}")
        passed = ", ".join(f"{code} ×{count}" for code, count in load.refused.most_common())
        self._console.print(
            f"refused for a while: {passed or 'nothing'}; longest without any answer {self._longest_s:.1f} s"
        )
        return {
            "seed": self._given.seed, "minutes": self._given.minutes, "did": faults.done, "missed": faults.missed,
            "runs": len(load.run_ids), "events": len(load.acknowledged), "deeds": len(ledger.deeds),
            "tickets": dict(Counter(load.answers.values())), "messages": len(load.told), "refused": dict(load.refused),
            "longest_s": round(self._longest_s, 1), "held": [each.what for each in held if not each.broken],
            "broken": {each.what: each.broken for each in held if each.broken},
        }  # fmt: skip

    def _say(self, what: str) -> None:
        self._console.print(f"{time.monotonic() - self._begun:7.1f}  {what}")


if __name__ == "__main__":
    sys.exit(main())
