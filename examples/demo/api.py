"""The API as the demo needs it, and the shop as an outsider sees it. Knows nothing that a user could not ask for."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx

from aob.client import AsyncClient, Event

REASON: Final = "the demo's visitor says so"


def program() -> str:
    """How a person calls `aob` here: by its name when it is on the path, else by its place."""
    if shutil.which("aob"):
        return "aob"
    beside = Path(sys.executable).with_name("aob")
    return str(beside.relative_to(Path.cwd())) if beside.is_relative_to(Path.cwd()) else str(beside)


class Api:
    """Talks to the platform on a home and to the shop."""

    def __init__(self, client: AsyncClient, shop: httpx.AsyncClient, home: Path) -> None:
        self._client, self._shop, self._home = client, shop, home

    def command(self, words: str) -> str:
        """A line to type in another terminal, on this home."""
        return f"{program()} {words} --home {self._home}"

    async def order(self, order_id: str) -> dict[str, Any]:
        """An order as the shop shows it to people who look on; that is not counted."""
        found: list[dict[str, Any]] = (await self._shop.get("/_orders")).json()
        return next(order for order in found if order["order_id"] == order_id)

    async def count(self) -> dict[str, Any]:
        """How often the shop was asked, as it counted itself."""
        found: dict[str, Any] = (await self._shop.get("/_count")).json()
        return found

    async def push(self, workflow: bytes) -> dict[str, Any]:
        """Push a workflow, as it stands in its file."""
        return dict(await self._client.push(workflow))

    async def start(self, order_id: str) -> str:
        """Start a run for an order; answers its id."""
        return (await self._client.start("order", {"order_id": order_id}))["run_id"]

    def follow(self, run_id: str) -> AsyncIterator[Event]:
        """The events of a run until it has ended."""
        return self._client.follow(run_id)

    async def run(self, run_id: str) -> dict[str, Any]:
        """A whole run."""
        return dict(await self._client.run(run_id))

    async def timeline(self, run_id: str) -> list[dict[str, Any]]:
        """All events of a run."""
        return [dict(event) async for event in self._client.timeline(run_id)]

    async def why(self, run_id: str) -> str:
        """What a run waits for, in a sentence."""
        return (await self._client.why(run_id))["sentence"]

    async def patch(self, patch_id: str) -> dict[str, Any]:
        """A patch with its diff and the graph before and after."""
        return dict(await self._client.patch(patch_id))

    async def answer(self, ticket_id: str, choice: str) -> None:
        """Decide a ticket."""
        await self._client.answer(ticket_id, choice, reason=REASON)

    async def replay(self, run_id: str, node: str) -> dict[str, Any]:
        """Replay a run from a node with recorded outputs."""
        return await self._client.replay(run_id, from_node=node)
