"""`make cluster`: runs a cluster in a folder until Ctrl-C, and shows what runs where. What dies is told and started
again."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from aob.core.errors import AobError
from tests.servers.postgres import BrokenServerError, NoServerError
from tools.cluster import Cluster, Wishes
from tools.cluster.folder import InUseError
from tools.cluster.plan import APP
from tools.cluster.process import NotReadyError

FOLDER: Final = Path("cluster")


def main() -> int:
    """Run until SIGINT or SIGTERM; 1 when it cannot begin, with the line that says why."""
    words = argparse.ArgumentParser(prog="make cluster", description="a whole cluster on this machine")
    words.add_argument("--folder", type=Path, default=FOLDER, help="where it keeps all it has (./cluster)")
    for role, wanted in (("coordinators", 2), ("workers", 2), ("apis", 2), ("fanouts", 1), ("executors", 1)):
        words.add_argument(f"--{role}", type=_some, default=wanted, metavar="N", help=f"how many ({wanted})")
    words.add_argument("--shards", type=_some, default=16, metavar="N", help="of a new cluster (16)")
    words.add_argument(
        "--app", type=Path, default=APP, metavar="FILE", help="the handlers (examples/order/handlers.py)"
    )
    given = words.parse_args()
    wishes = Wishes(
        given.coordinators, given.workers, given.apis, fanouts=given.fanouts, shards=given.shards, app=given.app,
        executors=given.executors,
    )  # fmt: skip
    console = Console(highlight=False, soft_wrap=True)
    os.umask(0o022)
    try:
        asyncio.run(run(given.folder, wishes, console))
    except (NoServerError, BrokenServerError) as why:
        console.print(f"A cluster keeps all it has in Postgres: {why}.", style="red", markup=False)
    except (InUseError, NotReadyError) as why:
        console.print(str(why), style="red", markup=False)
    except AobError as why:
        console.print(f"{why.detail}\n{why.hint or ''}", style="red", markup=False)
    else:
        return 0
    return 1


async def run(folder: Path, wishes: Wishes, console: Console) -> None:
    """Start, show, wait for the signal, end."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)

    def tell(name: str, what: str) -> None:
        if not stop.is_set():
            console.print(f"{time.strftime('%H:%M:%S')}  [yellow]{name}[/] {what}")

    begun = time.monotonic()
    cluster = Cluster(folder, wishes, tell)
    beginning = asyncio.create_task(cluster.__aenter__())
    ending = asyncio.create_task(stop.wait())
    await asyncio.wait((beginning, ending), return_when=asyncio.FIRST_COMPLETED)
    if not beginning.done():
        beginning.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beginning
        return
    ending.cancel()
    async with contextlib.AsyncExitStack() as stack:
        await beginning
        stack.push_async_exit(cluster)
        show(cluster, console, time.monotonic() - begun)
        await stop.wait()
        console.print("Ending all, in order …")


def show(cluster: Cluster, console: Console, took_s: float) -> None:
    """What runs where, the key, and a line to try."""
    table = Table(title=f"ready in {took_s:.1f} s", title_justify="left")
    for head in ("process", "role", "pid", "at", "ready after"):
        table.add_column(head)
    for name, each in cluster.processes.items():
        ready_s = f"{cluster.ready_s.get(name, 0.0):.1f} s"
        table.add_row(name, each.spec.role, str(each.pid), each.spec.where, ready_s)
    console.print(table)
    if cluster.plan.haproxy is None:
        console.print("There is no HAProxy here (apt-get install haproxy): use the APIs themselves.")
    trust = f"--cacert {cluster.authority} " if cluster.authority else ""
    console.print(f"admin key  {cluster.key}")
    console.print(f"try        curl {trust}-H 'x-api-key: {cluster.key}' {cluster.url}/v1/workflows")
    console.print(f"logs       {cluster.folder.logs}")
    console.print("Ctrl-C ends all; the same command goes on with the same data.", style="dim")


def _some(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 64")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
