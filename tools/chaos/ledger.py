"""The outside world of the handlers: a small HTTP service that writes down each time it was asked to do something. It
is no part of the platform and is never broken."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import msgspec


class Deed(NamedTuple):
    """Something that a handler asked for: which kind of effect, for which visit of which run, in which attempt."""

    kind: str
    run: str
    visit: str
    attempt: int
    key: str
    pid: int
    at_s: float = 0.0  # of the wall clock of whoever asked


class Told(NamedTuple):
    """A message of a webhook: its id, its type, and its data."""

    id: str
    type: str
    data: Any


class Ledger:
    """Entered, it listens on `url`; webhooks send to `hook_url`. Some messages are refused at first: `refuses` is asked
    of each once. Refused again, a message would hold up those behind it for a minute and more."""

    def __init__(self, refuses: Callable[[], bool] = lambda: False) -> None:
        self.deeds: list[Deed] = []
        self.told: list[Told] = []
        self.url = self.hook_url = ""
        self._refuses = refuses
        self._asked: set[str] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.hook_url = f"{self.url}/hook"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()

    def times(self, kind: str) -> Counter[tuple[str, str]]:
        """How often each visit did something of this kind, as (run, visit)."""
        return Counter((deed.run, deed.visit) for deed in self.deeds if deed.kind == kind)

    def deeds_of(self, kind: str, run: str, visit: str) -> str:
        """Which attempts of a visit did something of this kind, in which process, when."""
        return ", ".join(
            f"attempt {deed.attempt} in process {deed.pid} at {deed.at_s:.1f}"
            for deed in self.deeds if (deed.kind, deed.run, deed.visit) == (kind, run, visit)
        )  # fmt: skip

    def keys(self, kind: str) -> dict[tuple[str, str], set[str]]:
        """Under which keys each visit did something of this kind: a service that knows keys did it once per key."""
        found: dict[tuple[str, str], set[str]] = {}
        for deed in self.deeds:
            if deed.kind == kind:
                found.setdefault((deed.run, deed.visit), set()).add(deed.key)
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                first, *lines = head.splitlines()
                fields = dict(line.split(": ", 1) for line in lines if ": " in line)
                asked: Any = msgspec.json.decode(await reader.readexactly(int(fields["content-length"])))
                if not first.startswith("post /hook"):
                    self.deeds.append(Deed(**asked))
                elif (id := fields["webhook-id"]) not in self._asked and self._refuses():
                    self._asked.add(id)
                    writer.write(b"HTTP/1.1 503 Not Now\r\ncontent-length: 0\r\n\r\n")
                    continue
                else:
                    self._asked.add(id)
                    self.told.append(Told(id, asked["type"], asked["data"]))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                await writer.drain()
        writer.close()
