"""Real peers for tests: a small HTTP server on loopback that answers as it is told and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.servers.listening import listening


class Asked(msgspec.Struct):
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """A server. `answers` maps a path to raw bytes, or to a function that writes its own answer."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.answers: dict[str, bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]] = {}
        self.connections = 0
        self.port = 0
        self._moved = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it listens, by address."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, body: bytes = b"", status: str = "200 OK", **headers: str) -> None:
        """Answer a path with this."""
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.answers[path] = "\r\n".join([*lines, "", ""]).encode() + body

    def redirect(self, path: str, to: str, status: str = "302 Found") -> None:
        """Send whoever asks for a path elsewhere."""
        self.answer(path, status=status, location=to)

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.target for asked in self.requests]

    async def asked(self, count: int = 1) -> list[Asked]:
        """The requests, once there are so many."""
        async with asyncio.timeout(30):
            while len(self.requests) < count:
                self._moved.clear()
                await self._moved.wait()
        return self.requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Asked(method, target, headers, body))
        self._moved.set()
        answer = self.answers.get(target.partition("?")[0], b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return True
        await answer(writer)
        return False


@asynccontextmanager
async def peer(host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """A server on a free port."""
    it = Peer()
    async with listening(it.serve, host) as it.port:
        yield it


def by_table(table: dict[str, list[str]], asked: list[str] | None = None) -> Any:
    """A resolver that answers from a table; what is not in it has no address."""

    async def resolve(host: str, port: int) -> list[str]:
        if asked is not None:
            asked.append(host)
        if host not in table:
            raise OSError(f"{host}: name not known")
        return table[host]

    return resolve
