"""The role `fanout`: a real process that serves the streams of a home which another process holds."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from tests.network.test_api import end, run
from tests.servers.forks import Fork
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(90)
ONE = {"workflow": "one", "nodes": {"a": {"kind": "timer", "config": {"for": "1ms"}}}}


class Frame(NamedTuple):
    """One event of a stream."""

    id: str
    event: str
    data: Any


class Stream:
    """A reader of a stream over a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.frames: list[Frame] = []
        self.place = ""

    @classmethod
    async def open(cls, url: str, path: str, key: str, position: str = "") -> "Stream":
        """Begin to read; waits for the head."""
        at = urlsplit(url)
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        more = f"last-event-id: {position}\r\n" if position else ""
        writer.write(
            f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nx-api-key: {key}\r\n{more}\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        return cls(reader, writer)

    async def next(self) -> Frame | None:
        """The next event; None at the end."""
        head: dict[str, str] = {}
        while line := await self._reader.readline():
            text = line.decode().rstrip("\r\n")
            if text.startswith(("id: ", "event: ", "data: ")):
                name, _, value = text.partition(": ")
                head[name] = value
            if text.startswith("id: "):
                self.place = head["id"]
            if not text and "event" in head:
                self.frames.append(Frame(head.get("id", ""), head["event"], msgspec.json.decode(head["data"])))
                return self.frames[-1]
            if not text:
                head = {}
        return None

    async def has(self, count: int) -> list[Frame]:
        """So many events."""
        async with asyncio.timeout(60):
            while len(self.frames) < count:
                assert await self.next() is not None, self.frames
        return self.frames

    async def placed(self) -> str:
        """Where the stream begins."""
        while not self.place:
            line = await self._reader.readline()
            if line.startswith(b"id: "):
                self.place = line[4:].strip().decode()
        return self.place

    async def runs(self, count: int) -> list[str]:
        """The places of all events until so many runs have ended."""
        async with asyncio.timeout(60):
            while sum(frame.event == "run_finished" for frame in self.frames) < count:
                assert await self.next() is not None, self.frames
        return [frame.id for frame in self.frames]

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


async def figures(http: httpx.AsyncClient, url: str) -> dict[str, int]:
    """What the process says of its feeds."""
    lines = (await http.get(f"{url}/metrics")).text.splitlines()
    return {line.split()[0]: int(float(line.split()[1])) for line in lines if line.startswith("aob_fanout_")}


class Served(NamedTuple):
    """A home, a fanout before it, and a client with the key of the home."""

    home: Path
    peers: str
    own: str
    url: str
    key: str
    http: httpx.AsyncClient
    processes: list[Fork]

    async def start(self, count: int = 1) -> list[str]:
        """Start runs; their ids."""
        started = [await self.http.post(f"{self.own}/v1/runs", json={"workflow": "one"}) for _ in range(count)]
        return [each.json()["run_id"] for each in started]

    async def again(self) -> "Served":
        """The home is killed and comes back, at another HTTP address."""
        await end(self.processes[0], signal.SIGKILL)
        self.processes[0], own = await run("up", "--home", str(self.home), "--port", "0", "--peers", self.peers)
        return self._replace(own=own)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    home, peers = folder / "home", f"127.0.0.1:{free_port()}"
    (folder / "fanout").mkdir()
    async with AsyncExitStack() as stack:
        holder, own = await run("up", "--home", str(home), "--port", "0", "--peers", peers)
        processes = [holder]
        try:
            more = ("--coordinator", peers, "--port", "0", "--home", str(folder / "fanout"))
            fanout, url = await run("serve", "fanout", *more)
            processes.append(fanout)
            key = (home / "key").read_text().strip()
            http = await stack.enter_async_context(httpx.AsyncClient(headers={"x-api-key": key}, timeout=30))
            (await http.put(f"{own}/v1/workflows/one", json=ONE)).raise_for_status()
            yield Served(home, peers, own, url, key, http, processes)
            assert await end(fanout) == 0
        finally:
            for process in processes:
                await end(process, signal.SIGKILL)


async def test_300_readers_cost_the_home_one_feed_and_stay_when_it_is_killed_and_comes_back(tmp_path: Path) -> None:
    async with served(tmp_path) as at, AsyncExitStack() as stack:

        async def reads(position: str = "") -> Stream:
            return await stack.enter_async_context(await Stream.open(at.url, "/v1/runs/events", at.key, position))

        readers = [await reads() for _ in range(300)]
        for reader in readers:
            await reader.placed()
        ids = await at.start(3)
        first = await readers[0].runs(3)
        assert await figures(at.http, at.url) == {
            "aob_fanout_feeds": 1, "aob_fanout_readers": 300, "aob_fanout_alone": 0
        }  # fmt: skip
        at = await at.again()
        ids += await at.start(2)
        late = await reads(first[4])
        told = await readers[0].runs(5)
        assert len(set(told)) == len(told) > len(first)
        for reader in readers:
            assert await reader.runs(5) == told
        while len(late.frames) < len(told) - 5:
            await late.next()
        assert [frame.id for frame in late.frames] == told[5:]
        ended = [frame.data["run"] for frame in readers[0].frames if frame.event == "run_finished"]
        assert sorted(ended) == sorted(ids)


async def test_streams_of_a_run_and_what_is_served_elsewhere(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        (run_id,) = await at.start()
        async with await Stream.open(at.url, f"/v1/runs/{run_id}/events", at.key) as followed:
            while await followed.next() is not None:
                pass
            names = [frame.event for frame in followed.frames]
        assert (names[0], names[-2], names[-1]) == ("run_started", "run_finished", "end")
        logs = await at.http.get(f"{at.url}/v1/runs/{run_id}/logs")
        assert logs.status_code == 200
        for path, status in (("/v1/runs/run_none/events", 404), ("/v1/runs", 404), ("/v1/runs/events?position=x", 400),
                             ("/v1/stream/events?metric=no_such_metric", 404), ("/health/ready", 200)):  # fmt: skip
            answer = await at.http.get(f"{at.url}{path}")
            # On a busy machine the head of a stream goes out before its owner has said no.
            late = answer.status_code == 200 and "event: problem" in answer.text
            assert answer.status_code == status or (late and f'"status":{status}' in answer.text), path
        assert (await at.http.get(f"{at.url}/v1/runs/events", headers={"x-api-key": "no"})).status_code == 401


async def test_streams_of_a_key_that_is_revoked_elsewhere_end(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        made = (await at.http.post(f"{at.own}/v1/keys", json={"name": "ann", "roles": ["view"]})).json()
        path, mine = "/v1/runs/run_none/events", {"x-api-key": made["secret"]}
        while (await at.http.get(f"{at.url}{path}", headers=mine)).status_code == 401:
            pass
        async with (
            await Stream.open(at.url, "/v1/runs/events", made["secret"]) as revoked,
            await Stream.open(at.url, "/v1/runs/events", at.key) as others,
        ):
            (await at.http.delete(f"{at.own}/v1/keys/{made['id']}")).raise_for_status()
            async with asyncio.timeout(10):  # before the next beat, which comes after 15 s
                assert await revoked.next() is None
            await at.start()
            await others.runs(1)
