"""A shard of a real home in another process, over TLS: killed, stopped, started again, beside hostile peers."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aob.backends.stream_transport import StreamTransport
from aob.compose.network import Certificates, Member, Peers, RemoteShard, Route, init
from aob.core.errors import AobError, Unavailable
from aob.core.policy import LOCAL
from tests.house.tree import ROOT
from tests.network.test_remote_shard import Book
from tests.servers.certificates import ROLES, certificates, folder

pytestmark = [pytest.mark.timeout(60)]


async def started(home: Path, certs: Path, port: str = "0") -> tuple[Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "tests" / "network" / "owner.py"), str(home), str(certs), port,
        stdout=PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"127."):
            return process, line.decode().strip()
    raise AssertionError("it ended before it listened")


async def ended(process: Process, number: signal.Signals = signal.SIGKILL) -> None:
    if process.returncode is None:
        process.send_signal(number)
    await process.wait()


@asynccontextmanager
async def owner(tmp_path: Path, certs: Path | None = None) -> AsyncIterator[tuple[Process, str, RemoteShard]]:
    certs = certs or folder()
    process, address = await started(tmp_path / "home", certs)
    try:
        async with Peers(Member(("api",)), Certificates(certs, ["api"])) as peers:
            book = Book()
            book.known[0] = Route(address, 1)
            yield process, address, RemoteShard(0, book, peers)
    finally:
        await ended(process)


async def start(shard: RemoteShard, workflow: str, key: str) -> str:
    told = await shard.call("start", LOCAL, workflow=workflow, key=key)
    return str(told["run_id"])


async def done(shard: RemoteShard, run_id: str) -> Any:
    return await shard.call("wait", LOCAL, run_id, within_ms=20_000)


async def test_what_was_confirmed_is_there_after_a_kill_and_a_repeat_starts_nothing(tmp_path: Path) -> None:
    async with owner(tmp_path) as (process, address, shard):
        keys = [f"k{number}" for number in range(20)]
        runs = await asyncio.gather(*(start(shard, "one", key) for key in keys))
        asks = await start(shard, "asks", "held")
        feed = shard.stream("follow", LOCAL, asks)
        await anext(feed)
        more = [asyncio.create_task(start(shard, "one", f"m{number}")) for number in range(50)]
        await asyncio.sleep(0)
        await ended(process)
        for told in await asyncio.gather(*more, return_exceptions=True):
            assert isinstance(told, str) or (
                isinstance(told, AobError) and told.code in ("shard_lost", "shard_unowned")
            )
        with pytest.raises(Unavailable) as lost:
            async for _ in feed:
                pass
        assert lost.value.code == "shard_lost"
        process, _ = await started(tmp_path / "home", folder(), address.rsplit(":", 1)[1])
        try:
            await shard.ready()
            assert await asyncio.gather(*(start(shard, "one", key) for key in keys)) == runs
            again = await asyncio.gather(*(start(shard, "one", f"m{number}") for number in range(50)))
            assert len(set(again)) == 50
            for told, run_id in zip(await asyncio.gather(*more, return_exceptions=True), again, strict=True):
                assert not isinstance(told, str) or told == run_id
            found = await asyncio.gather(*(done(shard, run_id) for run_id in (*runs, *again)))
            assert {run["status"] for run in found} == {"COMPLETED"}
            assert (await shard.call("run", LOCAL, asks))["status"] != "COMPLETED"
        finally:
            await ended(process)


async def test_a_process_that_is_stopped_is_found_and_one_that_goes_on_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StreamTransport.ping, "__defaults__", (0.1, 20))
    async with owner(tmp_path) as (process, _, shard):
        await shard.ready()
        run_id = await start(shard, "one", "k")
        process.send_signal(signal.SIGSTOP)
        waiting = [asyncio.create_task(shard.call("message", LOCAL, run_id, "x")) for _ in range(3)]
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert {each.code for each in told if isinstance(each, AobError)} <= {"shard_lost", "shard_unowned"}
        assert not shard.up
        process.send_signal(signal.SIGCONT)
        await shard.ready()
        assert await start(shard, "one", "k") == run_id


async def test_hostile_peers_stop_nobody(tmp_path: Path) -> None:
    async with owner(tmp_path) as (process, address, shard):
        await shard.ready()
        host, port = address.rsplit(":", 1)
        loop, open_ = asyncio.get_running_loop(), list[socket.socket]()

        async def attack(said: bytes) -> None:
            for _ in range(100):
                one = socket.socket()
                one.setblocking(False)
                open_.append(one)
                try:
                    await loop.sock_connect(one, (host, int(port)))
                    await loop.sock_sendall(one, said)
                except OSError:
                    pass

        hello = b"\x16\x03\x01\x40\x00" + bytes(500)
        said = (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(3_000), b"\xff" * 8, hello)
        attacks = [asyncio.create_task(attack(each)) for each in said]
        runs = [await start(shard, "one", f"k{number}") for number in range(30)]
        async with Peers(Member(("api",)), certificates("api")) as later:
            newcomer = later.of(address)
            await newcomer.ready()
            assert await newcomer.call(0, "run", LOCAL, runs[0])
        async with Peers(Member(("worker",)), certificates("worker")) as wrong, Peers(Member(("api",))) as plain:
            strangers = [wrong.of(address), plain.of(address)]
            for each in strangers:
                await each.tried()
                assert not each.up
        await asyncio.gather(*attacks)
        assert {(await done(shard, run_id))["status"] for run_id in runs} == {"COMPLETED"}
        assert len(os.listdir(f"/proc/{process.pid}/fd")) < 400
        for one in open_:
            one.close()


async def test_certificates_renewed_while_processes_run_are_taken_from_the_next_connection_on(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from aob.compose.network import renew

    init(tmp_path / "certs", ROLES, (), datetime.now(UTC) - timedelta(days=89))
    async with owner(tmp_path, tmp_path / "certs") as (_, address, shard):
        await shard.ready()
        before = shard._peers.known()[0]._transport
        assert before is not None
        ends = before.told("peercert")["notAfter"]
        renew(tmp_path / "certs", (), (), datetime.now(UTC))
        assert await start(shard, "one", "a")
        async with Peers(Member(("api",)), Certificates(tmp_path / "certs", ["api"])) as later:
            peer = later.of(address)
            await peer.ready()
            assert peer._transport is not None
            assert peer._transport.told("peercert")["notAfter"] != ends
