"""`make demo-org CLUSTER=1`: the organisation of `examples/triage` on a cluster of real processes. The coordinator that
has a booking of which it has not heard is killed with -9, another one goes on with its keys. Nothing is left behind; 1
if anything is not as it must be."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

from aob.client import AsyncClient
from aob.core.errors import AobError
from demo.api import program
from tests.servers.postgres import BrokenServerError, NoServerError
from tools.cluster import Cluster, Wishes
from tools.cluster.demo import patiently
from tools.cluster.folder import Folder
from tools.cluster.plan import SETTINGS
from tools.cluster.process import NotReadyError
from triage.agents import AGENTS, LEDGER, SORTED, TOPICS
from triage.brains import equipped, settings
from triage.corpus import corpus
from triage.ledger import Ledger, serving
from triage.main import ENDED, HERE
from triage.story import SHOWN_S, Story
from triage.telling import Telling

SHARDS: Final = 8
LEASE_S: Final = 4
"""After so long the keys of a coordinator that was killed are taken over."""


def main() -> int:
    """Tell it in a folder of its own, which is removed."""
    words = argparse.ArgumentParser(prog="make demo-org CLUSTER=1", description="the organisation on a cluster")
    words.add_argument("--json", action="store_true", help="print JSON lines")
    words.add_argument("--questions", type=int, default=62, metavar="N", help="how many (62)")
    given = words.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    os.umask(0o022)
    try:
        corpus()
        equipped()
        with ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="aob-demo-org-"))
            folder.chmod(0o755)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.callback(Folder(folder / "cluster").remove)
            wrong = asyncio.run(tell(folder, Telling(console, as_json=given.json), given.questions))
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


async def tell(folder: Path, telling: Telling, questions: int) -> list[str]:
    """Everything from the start of the processes to their end; what is not as it must be."""
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    begun, ledger = time.monotonic(), Ledger()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(ledger))
        home = folder / "cluster" / SETTINGS
        home.mkdir(parents=True)
        (home / "aob.toml").write_text(settings())
        wishes = Wishes(
            coordinators=2, workers=0, apis=1, fanouts=0, executors=0, shards=SHARDS, lease_s=LEASE_S, edge=False,
            agents_app=HERE / "agents.py", more={"PYTHONPATH": str(HERE.parent), LEDGER: ledger.url},
        )  # fmt: skip
        telling.act("Postgres, coordinators, an API: each a process of its own")
        cluster = await stack.enter_async_context(
            Cluster(folder / "cluster", wishes, lambda name, what: telling.line(f"[yellow]{name}[/] {what}"))
        )
        telling.line(f"ready in {time.monotonic() - begun:.1f} s: {', '.join(cluster.processes)}")
        url = cluster.plan.api_url(1)
        client = await stack.enter_async_context(AsyncClient(url, cluster.key))
        tells = asyncio.create_task(ledger.tell(client))
        stack.callback(tells.cancel)
        await furnished(client)
        story = Story(
            telling,
            client,
            ledger,
            Member(cluster, ledger, client),
            lambda words: f"{program()} {words} --server {url}",
        )
        await story.tell(questions)
    telling.line(f"all of it in {time.monotonic() - begun:.0f} s")
    return story.wrong


async def furnished(client: AsyncClient) -> None:
    """Declare topics and contracts, and wait until the agents are registered, which follows."""
    for topic in TOPICS:
        await client.create_topic(topic)
    files = sorted((HERE / "contracts").glob("*.yaml"))
    await client.push_contracts({path.name: path.read_text(encoding="utf-8") for path in files})
    while True:
        if {each["agent"] for each in (await client.agents())["agents"]} >= set(AGENTS):
            return
        await asyncio.sleep(SHOWN_S)


class Member:
    """The coordinator that has the booking which is held back."""

    def __init__(self, cluster: Cluster, ledger: Ledger, client: AsyncClient) -> None:
        self._cluster, self._ledger, self._client = cluster, ledger, client

    async def kill(self) -> int:
        """Kill it with -9; its process id."""
        process = self._cluster[self._ledger.held_by]
        pid = process.pid
        process.send(signal.SIGKILL)
        await process.ended()
        return pid

    async def start(self) -> float:
        """Wait until another has its keys; after how many seconds that was."""
        begun = time.monotonic()
        await patiently(lambda: self._client.consume(SORTED))
        return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
