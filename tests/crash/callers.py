"""Callers of an api that ask nothing twice, and what they were answered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import httpx

from tests.crash.cluster import KEY

PACE_S: Final = 0.1
"""Between two requests of a lane: each run that it starts is read back afterwards."""


class Callers:
    """Requests that are asked once, with what came of them."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, headers={"x-api-key": KEY}, timeout=60, trust_env=False)
        self.told = Counter[str]()
        self.ids = list[str]()
        self._numbers = count()
        self._moved = asyncio.Event()

    async def asks(self, what: str, method: str, path: str, **more: Any) -> Any:
        answer = await self.http.request(method, path, **more)
        good = answer.status_code < 300
        self.told[what if good else f"{what}: {answer.status_code} {answer.text[:300]}"] += 1
        self._moved.set()
        return answer.json() if good else {}

    async def lane(self, *, keys: bool) -> None:
        """Starts, reads and waits, one after the other."""
        while True:
            number = next(self._numbers)
            body: dict[str, Any] = {"workflow": "w", "inputs": {"n": number}}
            if keys:
                body["key"] = f"c{number}"
            run_id = (await self.asks("start", "POST", "/v1/runs", json=body)).get("run_id", "")
            if run_id:
                self.ids.append(run_id)
                await self.asks("read", "GET", f"/v1/runs/{run_id}")
                await self.asks("wait", "GET", f"/v1/runs/{run_id}", params={"wait": "30s"})
            await asyncio.sleep(PACE_S)

    async def batches(self) -> None:
        """Starts of many at once."""
        while True:
            items = [{"workflow": "w", "inputs": {"n": 0}, "key": f"b{next(self._numbers)}"} for _ in range(3)]
            for verdict in await self.asks("batch", "POST", "/v1/runs:batch", json=items):
                self.told["item" if "run_id" in verdict else f"item: {verdict}"] += 1
                self.ids += [verdict["run_id"]] if "run_id" in verdict else []
            await asyncio.sleep(3 * PACE_S)

    async def lists(self) -> None:
        """What the main process answers."""
        while True:
            await self.asks("list", "GET", "/v1/workflows")
            await asyncio.sleep(PACE_S)

    async def until(self, more: int) -> None:
        """So many waits more are answered, and a batch and a list that were asked from now on."""
        wanted = {"wait": self.told["wait"] + more, "batch": self.told["batch"] + 2, "list": self.told["list"] + 2}
        while any(self.told[what] < least for what, least in wanted.items()):
            self._moved.clear()
            await self._moved.wait()


@asynccontextmanager
async def called(url: str, *, keys: bool) -> AsyncIterator[Callers]:
    """Callers that go on until it is left; with `keys` each start has one. None of them was refused anything."""
    callers = Callers(url)
    lanes: list[Coroutine[Any, Any, None]] = [callers.lane(keys=True), callers.lane(keys=keys), callers.lane(keys=True)]
    tasks = [asyncio.create_task(each) for each in (*lanes, callers.batches(), callers.lists())]
    try:
        yield callers
        broken = [task.exception() for task in tasks if task.done()]
        assert not broken, broken
        assert not {what for what in callers.told if ":" in what}, callers.told
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await callers.http.aclose()
