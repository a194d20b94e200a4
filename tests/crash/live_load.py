"""Load on a running home over HTTP, through its death: senders that send again what was not answered, and followers."""

import asyncio
import random
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from aob.client import AsyncClient
from aob.core.errors import AobError, Busy, Unavailable
from tests.metrics.till import SHOP, refunded, sold

AOB: Final = """
import sys
from aob.metrics.live import snapshots
snapshots.SNAPSHOT_S = 0.1
from aob.cli.__main__ import main
sys.exit(main())
"""
"""The command, with snapshots so often that deaths come before, in and after them."""


LOOK_S: Final = 0.02
PACE_S: Final = 0.05


async def moment() -> None:
    """Before the next look at another process: one without a pause takes the CPU from what it looks at."""
    await asyncio.sleep(LOOK_S)


async def paced() -> None:
    """Before the next start of a lane: what they start while a lease runs out is all read back afterwards."""
    await asyncio.sleep(PACE_S)


def furnished(home: Path) -> Path:
    """A home whose contracts are taken over at each start."""
    (home / "contracts").mkdir(parents=True)
    (home / "contracts" / "shop.yaml").write_text(SHOP)
    return home


@asynccontextmanager
async def upped(home: Path, port: int) -> AsyncIterator[Process]:
    """`aob up`, once it takes requests; killed when it is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AOB, "up", "--json", "--home", str(home), "--port", str(port), stdout=PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline(), "it ended before it took requests"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Senders:
    """Sends batches in several lanes; what was not answered is sent again in the next life, as it was."""

    def __init__(self, seed: int, lanes: int = 4) -> None:
        self._dice = random.Random(seed)
        self._waiting: list[list[dict[str, Any]]] = []
        self._number = 0
        self.lanes = lanes
        self.acknowledged: set[str] = set()
        self.rejected = 0
        self.answered = asyncio.Event()
        self.answers = self.busy = 0

    def _batch(self) -> list[dict[str, Any]]:
        dice, batch = self._dice, []
        for _ in range(dice.randrange(1, 20)):
            self._number += 1
            number = self._number if dice.random() < 0.9 else dice.randrange(1, self._number + 1)
            event = dice.choice((sold, sold, refunded))(number, float(number % 11), dice.choice(("north", "south")))
            if dice.random() < 0.05:
                event |= {"id": f"bad-{self._number}", "data": {**event["data"], "amount": "much"}}
            batch.append(event)
        return batch

    async def lane(self, client: AsyncClient, until: asyncio.Event) -> None:
        """Sends until the server is gone, or until told to leave off."""
        while not until.is_set():
            batch = self._waiting.pop() if self._waiting else self._batch()
            try:
                await self.send(client, batch)
            except (Unavailable, httpx.HTTPError):
                self._waiting.append(batch)
                return
            except AobError:
                self._waiting.append(batch)
                raise

    async def send(self, client: AsyncClient, batch: list[dict[str, Any]]) -> None:
        """One batch, once, and what came of it."""
        lines = msgspec.json.Encoder().encode_lines(batch)
        answer = await client._http.post("/v1/events", content=lines, headers={"content-type": "application/x-ndjson"})
        if answer.status_code == 429:
            raise Busy("later", retry_after_s=float(answer.headers["retry-after"]))
        told = answer.json()
        assert answer.status_code == 200, told
        assert told["received"] == told["accepted"] + told["duplicate"] + told["rejected"] == len(batch)
        for event, verdict in zip(batch, told["verdicts"], strict=True):
            if verdict["verdict"] == "rejected":
                assert event["id"].startswith("bad-"), verdict
                self.rejected += 1
            else:
                self.acknowledged.add(event["id"])
        self.answers += 1
        self.answered.set()

    async def rest(self, client: AsyncClient) -> None:
        """Sends what was never answered."""
        while self._waiting:
            await self.send(client, self._waiting.pop())


class Follower:
    """Follows a feed through every death; `position` is where it began."""

    def __init__(self, client: AsyncClient, position: str | None, **asked: Any) -> None:
        self.told: list[Any] = []
        self.came = asyncio.Event()
        self._task = asyncio.create_task(self._follow(client, position, asked))

    async def _follow(self, client: AsyncClient, position: str | None, asked: dict[str, Any]) -> None:
        async for event in client.stream(position=position, **asked):
            self.told.append(event.data)
            self.came.set()

    async def until(self, holds: Any) -> None:
        """Waits until what was told last holds something."""
        async with asyncio.timeout(20):
            while not (self.told and holds(self.told[-1])):
                self.came.clear()
                waiting = asyncio.ensure_future(self.came.wait())
                await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if self._task.done():
                    self._task.result()

    async def close(self) -> None:
        """Follow no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def ids_in_log(home: Path) -> list[str]:
    """Ids of all accepted events of the home's own tenant, in the order of the log."""
    with closing(sqlite3.connect(f"file:{home / 'gate.db'}?mode=ro", uri=True)) as db:
        found = db.execute("select id from events where tenant = 'default' and id is not null order by offset")
        return [id for (id,) in found]


def sums_in_log(home: Path) -> dict[str, int]:
    """The counts of all rows."""
    with closing(sqlite3.connect(f"file:{home / 'gate.db'}?mode=ro", uri=True)) as db:
        row = db.execute("select sum(count), sum(duplicate), sum(rejected), sum(count + duplicate + rejected) from row")
        return dict(zip(("accepted", "duplicate", "rejected", "received"), row.fetchone(), strict=True))
