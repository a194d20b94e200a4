"""The shop as a service: it sends its events to AOB all the time, and can be asked to hold refunds back.

`POST /refunds/wave` lets nearly every order be refunded, `POST /refunds/hold` ends that, `GET /state` says how it is.
Every request to it is counted: what a workflow really did can be read here.
"""

import asyncio
import time
from collections import Counter
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aob.client import AsyncClient
from aob.core.errors import AobError
from shop.generator import Shop, Wishes

WAVE: Final = 0.9
"""The share of orders that a wave refunds."""
USUAL: Final = 0.02
TICK_S: Final = 0.1
OPEN_S: Final = 120.0


class Service:
    """One shop: its world of events, and what was asked of it."""

    def __init__(self, aob: AsyncClient, *, rate: float, seed: int) -> None:
        self._aob = aob
        self.shop = Shop(seed, Wishes(rate=rate, refunds=USUAL, bad=0.005, duplicate=0.005, rhythm=False))
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.problem = ""

    def app(self) -> Starlette:
        """The service as an ASGI application."""
        return Starlette(
            routes=[
                Route("/refunds/wave", self._wave, methods=["POST"]),
                Route("/refunds/hold", self._hold, methods=["POST"]),
                Route("/state", self._state),
            ]
        )

    async def send(self) -> None:
        """Send what happens, when it happens, until cancelled; what could not be sent is sent again."""
        start = time.time()
        edge, batch = start + TICK_S, list[dict[str, Any]]()
        for at, event in self.shop.events(start, open_s=OPEN_S):
            while at >= edge:
                if batch:
                    await self._sent(batch)
                    batch = []
                await asyncio.sleep(max(0.0, edge - time.time()))
                edge += TICK_S
            batch.append(event)

    async def _sent(self, batch: list[dict[str, Any]]) -> None:
        while True:
            try:
                answer = await self._aob.ingest(batch)
                break
            except AobError as error:  # the platform is being started again: the same events, the same ids
                self.problem = error.code
                await asyncio.sleep(0.2)
        for name in ("received", "accepted", "duplicate", "rejected"):
            self.sent[name] += int(answer[name])

    async def _wave(self, request: Request) -> Response:
        return self._set(request, WAVE)

    async def _hold(self, request: Request) -> Response:
        return self._set(request, USUAL)

    async def _state(self, request: Request) -> Response:
        return JSONResponse({"refunds": self.shop.refunds, "asked": dict(self.asked), "sent": dict(self.sent)})

    def _set(self, request: Request, share: float) -> Response:
        self.asked[f"{request.method} {request.url.path}"] += 1
        self.shop.refunds = share
        return JSONResponse({"refunds": share})
