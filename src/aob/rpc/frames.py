"""The frames of a worker's stream: encoded items in, bytes of frames out, in order, never over the limit of a frame.

An item that comes while the stream is idle leaves at once; those that come within 1 ms of the frame before, or while a
frame is being written, leave together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

METHOD: Final = "/aob.worker.v1.Workers/Attach"
PROTOCOL: Final = 1
BYTES_MAX: Final = 4 * 1024 * 1024  # of a frame
CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 2 * BYTES_MAX),
    ("grpc.max_send_message_length", 2 * BYTES_MAX),
    ("grpc.enable_http_proxy", 0),
    # Else all channels of a process share one pause before they connect, which grows to two minutes.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
"""How whoever attaches to a gateway makes its channel: a worker, and a relay for its workers."""
DOC_MAX: Final = 1_000  # characters of what a handler says of itself that are sent and kept
VALUE_MAX: Final = BYTES_MAX - 64 * 1024  # of a value in an item; larger ones are blobs
FLUSH_ITEMS: Final = 64
FLUSH_MS: Final = 1.0
FRAME_BYTES: Final = 256 * 1024  # a frame takes no further item when it has so many
FRAME_ITEMS: Final = 8_192  # nor when it has so many items
LEASE_MS: Final = 30_000
BEAT_MS: Final = 5_000


class Item(Protocol):
    """A WorkerItem or a ServerItem."""

    def SerializeToString(self) -> bytes:  # noqa: N802  # protobuf's name
        """Its bytes."""


class Outbox:
    """What waits to be written. `write` sends one frame, a WorkerFrame or a ServerFrame: both are a list of items."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._items: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._full = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._ended = asyncio.Event()
        self.bytes = 0
        """How many bytes wait."""

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Send an item."""
        data = item.SerializeToString()
        self._items.append(data)
        self.bytes += len(data)
        self._empty.clear()
        self._filled.set()
        if len(self._items) >= FLUSH_ITEMS:
            self._full.set()

    def beat(self) -> None:
        """Send a frame, if only an empty one."""
        self._filled.set()

    async def drained(self) -> None:
        """Wait until everything is written."""
        await self._empty.wait()

    def end(self) -> None:
        """Write nothing any more."""
        self._ended.set()
        self._empty.set()
        self._filled.set()
        self._full.set()

    async def run(self) -> None:
        """Write frames until `end`. Raises what `write` raises."""
        loop = asyncio.get_running_loop()
        written = 0.0
        while True:
            await self._filled.wait()
            if self._ended.is_set():
                return
            wait_s = written + FLUSH_MS / 1_000 - loop.time()
            if wait_s > 0 and len(self._items) < FLUSH_ITEMS:
                self._full.clear()
                # Not wait_for, which makes a task: this is once a frame.
                timer = loop.call_later(wait_s, self._full.set)
                await self._full.wait()
                timer.cancel()
                if self._ended.is_set():
                    return
            self._filled.clear()
            await self._write(self._frame())
            written = loop.time()
            if self._items:
                self._filled.set()
            else:
                self._empty.set()

    def _frame(self) -> bytes:
        """The next frame: field 1, repeated, with a length and an item each."""
        parts: list[bytes] = []
        size = 0
        items = self._items
        for _ in range(FRAME_ITEMS):
            if not items or size >= FRAME_BYTES or (parts and size + len(items[0]) >= BYTES_MAX - 16):
                break
            data = items.popleft()
            size += len(data)
            parts += (b"\x0a", varint(len(data)), data)
        self.bytes -= size
        return b"".join(parts)


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    if number < 0x80:
        return _SMALL[number]
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL: Final = [bytes((number,)) for number in range(0x80)]
