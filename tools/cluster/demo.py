"""`make demo-cluster`: an order on a cluster of real processes. The decisions go through another API process than the
start, and the coordinator that has the run is killed with -9 in the middle. Nothing is left behind; 1 when anything is
not as it must be."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from rich.console import Console
from rich.markup import escape

from aob.client import AsyncClient
from aob.core.errors import AobError, Unavailable
from demo.api import REASON, Api
from demo.captions import Captions
from demo.main import ENDED
from demo.received import mails
from demo.services import LOOPBACK, equipped, example_folder, free_port, furnish, services
from demo.story import BIG, Story, asks, completed
from demo.watch import Watch
from tests.servers.postgres import BrokenServerError, NoServerError
from tools.cluster import Cluster, Wishes
from tools.cluster.folder import Folder
from tools.cluster.plan import SETTINGS
from tools.cluster.process import NotReadyError

AGAIN_S_MAX: Final = 60
Answer = TypeVar("Answer")
SHARDS: Final = 8
LEASE_S: Final = 4
"""After so long the work of a coordinator that was killed is taken over."""


def main() -> int:
    """Tell it in a folder of its own, which is removed."""
    words = argparse.ArgumentParser(prog="make demo-cluster", description="the demo on a cluster of processes")
    words.add_argument("--coordinators", type=int, default=2, metavar="N", help="how many (2)")
    words.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder, and leave it")
    given = words.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    os.umask(0o022)
    try:
        equipped()
        with ExitStack() as stack:
            folder = given.keep or Path(tempfile.mkdtemp(prefix="aob-demo-cluster-"))
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
            if given.keep is None:
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                stack.callback(Folder(folder / "cluster").remove)
            wrong = asyncio.run(tell(folder, given.coordinators, console))
    except asyncio.CancelledError:
        return ENDED
    except KeyboardInterrupt:
        return 130
    except (AobError, NotReadyError, NoServerError, BrokenServerError) as why:
        console.print(f"{why}\n{getattr(why, 'hint', '') or ''}", style="red", markup=False)
        return 1
    for each in wrong:
        console.print(f"  {each}", style="red", markup=False)
    return 1 if wrong else 0


async def tell(folder: Path, coordinators: int, console: Console) -> list[str]:
    """Everything from the start of the processes to their end; what is not as it must be."""
    telling = asyncio.current_task()
    assert telling is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, telling.cancel)
    begun = time.monotonic()
    example, received = example_folder(), folder / "received"
    async with AsyncExitStack() as stack:
        ports = {**await stack.enter_async_context(services(example, received)), "store": free_port()}
        workflow = furnish(folder / "cluster" / SETTINGS, example, ports)
        wishes = Wishes(coordinators, app=example / "handlers.py", shards=SHARDS, lease_s=LEASE_S)

        def heard(name: str, what: str) -> None:
            console.print(f"  [yellow]{name}[/] {what}")

        console.print("[bold]Postgres, coordinators, APIs, workers, HAProxy: each a process of its own[/]")
        cluster = await stack.enter_async_context(Cluster(folder / "cluster", wishes, heard))
        running = "  ".join(f"{name} {each.pid}" for name, each in cluster.processes.items())
        console.print(f"  ready in {time.monotonic() - begun:.1f} s: {running}")
        one, two = [
            await stack.enter_async_context(AsyncClient(cluster.plan.api_url(number), cluster.key)) for number in (1, 2)
        ]
        shop = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{ports['shop']}", trust_env=False)
        )
        api = TwoDoors(one, two, shop, folder, console)
        await api.push(workflow)
        wrong = await ClusterStory(console, api, cluster, received).one_order()
        console.print("\nEnding all, in order …")
    console.print(f"[bold]{'Not all went well' if wrong else 'All went well'}[/], in {time.monotonic() - begun:.0f} s")
    return wrong


class TwoDoors(Api):
    """The platform by one API process, and what people decide by another."""

    def __init__(
        self, one: AsyncClient, two: AsyncClient, shop: httpx.AsyncClient, folder: Path, console: Console
    ) -> None:
        super().__init__(one, shop, folder)
        self._two, self._console = two, console

    async def answer(self, ticket_id: str, choice: str) -> None:
        """Decide a ticket through the other process."""
        await patiently(lambda: self._two.answer(ticket_id, choice, reason=REASON))  # the same answer again is none
        self._console.print(f"  {choice}, through api-2; the run was started through api-1")


class ClusterStory(Story):
    """The story of one large order, with the cluster in the place of the one process."""

    def __init__(self, console: Console, api: Api, cluster: Cluster, received: Path) -> None:
        self.console, self.captions, self.api, self.received = console, Captions(console, tour=False), api, received
        self.cluster = cluster

    async def one_order(self) -> list[str]:
        """Tell it; what is not as it must be."""
        run_id = await self.large_order()
        run, count = await self.api.run(run_id), await self.api.count()
        done = [event["visit"] for event in await self.api.timeline(run_id) if event["type"] == "node_completed"]
        return list(wrong(run, count, done, len(mails(self.received))))

    async def killed(self, run_id: str, watch: Watch) -> None:
        """Kill the coordinator that has the run, on the signal that the upload is committed."""
        await watch.until(completed("upload"))
        ticket = await watch.until(asks("approval"))
        name = await self.cluster.owner_of(run_id)
        process = self.cluster[name]
        self.console.print(f"\n[bold]kill -9 of {name}, which has the run, on the signal that `upload` is committed[/]")
        asked, begun = (await self.api.count())["total"], time.monotonic()
        process.send(signal.SIGKILL)
        await process.ended()
        why = await patiently(lambda: self.api.why(run_id))
        again = (await self.api.count())["total"] - asked
        now = await self.cluster.owner_of(run_id)
        self.console.print(f"  {now} has the run after {time.monotonic() - begun:.1f} s; requests to the shop: {again}")
        self.console.print(f"  aob why: {escape(why)}  [dim](ticket {ticket.data['id']}, from before the kill)[/]")


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer to what is safe to ask again, as soon as there is somebody who can say it."""
    async with asyncio.timeout(AGAIN_S_MAX):
        while True:
            try:
                return await ask()
            except Unavailable:
                await asyncio.sleep(0.1)


def wrong(run: dict[str, Any], count: dict[str, Any], done: list[str], mailed: int) -> list[str]:
    """What must hold in the end, and does not."""
    found = []
    if run["status"] != "COMPLETED":
        found.append(f"the run is {run['status']}: {run['error']}")
    found += [
        f"{visit} was completed {done.count(visit)} times" for visit in sorted(set(done)) if done.count(visit) > 1
    ]
    ships = [times for request, times in count["by_request"].items() if request.endswith("/ship")]
    if ships != [1] or count["shipments"] != 1:
        found.append(f"the shop was asked to ship {ships} times, and shipped {count['shipments']} times")
    if mailed != 1:
        found.append(f"{mailed} mails about order {BIG} were sent")
    return found


if __name__ == "__main__":
    sys.exit(main())
