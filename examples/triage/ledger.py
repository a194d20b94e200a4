"""The books of the desks, outside of the platform: a small HTTP service that numbers what it is asked to book, knows a
key that it has seen, counts every request, and tells the platform of each booking as an event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Final

import msgspec
import uvicorn

from aob.client import AsyncClient
from aob.core.errors import AobError

LOOPBACK: Final = "127.0.0.1"
AGAIN_S: Final = 0.2


class Ledger:
    """The bookings by their keys, in order. From `holding` bookings on answers are held back until `release`:
    it is booked, and who asked (`held_by`) is not told."""

    def __init__(self) -> None:
        self.bookings: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self.told = 0
        self.url = ""
        self.holding: int | None = None
        self.held = asyncio.Event()
        self.held_by = ""
        self._released = asyncio.Event()
        self._moved = asyncio.Condition()
        self._news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The service as an ASGI application: `POST /bookings`."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        number = await self.book(msgspec.json.decode(body))
        if self.holding is not None and len(self.bookings) >= self.holding:
            if not self.held.is_set():
                self.held_by = dict(scope["headers"]).get(b"x-process", b"").decode()
                self.held.set()
            await self._released.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": msgspec.json.encode({"number": number})})

    def release(self) -> None:
        """Hold nothing back any more. Who was killed meanwhile does not hear it."""
        self.holding = None
        self._released.set()

    async def book(self, booking: dict[str, Any]) -> int:
        """Write it down once; its number."""
        self.requests += 1
        if booking["key"] not in self.bookings:
            self.bookings[booking["key"]] = {**booking, "number": len(self.bookings) + 1}
            self._news.put_nowait(self.bookings[booking["key"]])
            async with self._moved:
                self._moved.notify_all()
        number: int = self.bookings[booking["key"]]["number"]
        return number

    async def until(self, count: int, seconds: float | None = None) -> None:
        """Wait for so many bookings, each told to the platform. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._moved:
            await self._moved.wait_for(lambda: len(self.bookings) >= count and self.told >= count)

    async def tell(self, aob: AsyncClient) -> None:
        """Tell the platform of bookings, for ever; what it cannot take now is told again, under the same id."""
        while True:
            booking = await self._news.get()
            data = {name: booking[name] for name in ("visitor", "desk", "priority")}
            event = {"type": "question.booked", "id": booking["key"], "source": "books", "data": data}
            while True:
                try:
                    await aob.ingest([event])
                    break
                except AobError:  # it is being started again
                    await asyncio.sleep(AGAIN_S)
            async with self._moved:
                self.told += 1
                self._moved.notify_all()


class Beside(uvicorn.Server):
    """A server that leaves signals to the program it is in."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@asynccontextmanager
async def serving(ledger: Ledger, port: int = 0) -> AsyncIterator[None]:
    """The service on a port of loopback (0: a free one), while it is entered."""
    config = uvicorn.Config(
        ledger, host=LOOPBACK, port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = Beside(config)
    listening = config.bind_socket()
    ledger.url = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await task
