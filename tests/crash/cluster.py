"""A cluster of real processes on one database: members, and apis before them."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import psycopg

from aob.client import AsyncClient
from aob.core.errors import AobError
from aob.core.status import HomeStatus
from tests.servers.fixtures import Schema
from tests.servers.forks import Fork, begun
from tests.servers.ports import free_port

APP: Final = str(Path(__file__).with_name("ledger_app.py"))
LEASE_S: Final = 2.0
KEY: Final = "of-the-tests-0123456789abcdef"
LOOK_S: Final = 0.02


Running = Process | Fork


async def started(words: Sequence[str], env: Mapping[str, str]) -> Running:
    """A process of the program; one of another release (upgrading) is started from nothing."""
    if env.get("PYTHONPATH") == os.environ.get("PYTHONPATH"):
        return await begun(words, env)
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "aob.cli", *words, stdout=PIPE, env=env)


class Member:
    """A running process of a role that owns shards."""

    def __init__(self, name: str, process: Running, url: str, peers: str, http: httpx.AsyncClient) -> None:
        self.name, self.process, self.url, self.peers, self._http = name, process, url, peers, http

    @property
    def pid(self) -> int:
        return self.process.pid

    async def state(self) -> dict[str, Any]:
        """What it says of itself; empty while it answers nothing."""
        with suppress(httpx.HTTPError):
            told: dict[str, Any] = (await self._http.get(f"{self.url}/v1/health")).json()
            return told
        return {}

    async def steady(self) -> dict[str, Any]:
        """The same, as soon as it has read who the members are and has opened what is its own."""
        while True:
            if (told := await self.state()).get("status") == "ok":
                return told
            await asyncio.sleep(LOOK_S)


class Cluster:
    """Processes that are ended with it."""

    def __init__(self, folder: Path, schema: Schema, stack: AsyncExitStack, http: httpx.AsyncClient) -> None:
        self.folder, self.schema, self._stack = folder, schema, stack
        self._http = http  # one for all looks: to make one costs 20 ms, to look 2
        self.ledger = folder / "ledger"
        self.members: list[Member] = []
        self.staff: list[Running] = []  # workers and executors
        self.urls: list[str] = []  # of apis
        self.urls_of: dict[str, str] = {}  # of processes of several roles, by name
        self.env: dict[str, str] = {}
        """Settings of the processes that are started from now on."""

    async def member(self, name: str, role: str = "coordinator", *, port: int = 0, app: str = APP) -> Member:
        """One more member, once it has joined."""
        port = port or free_port()
        words = ["serve", role, "--json", "--home", str(self.folder / name), "--peers", f"127.0.0.1:{port}",
                 "--port", "0", *(["--app", app] if app else [])]  # fmt: skip
        process, said = await self._begun(words)
        member = Member(name, process, said["url"], said["peers"], self._http)
        self.members.append(member)
        return member

    async def api(self, *seeds: int) -> AsyncClient:
        """A client of one more api, that knows the members at these ports."""
        words = ["serve", "api", "--json", "--home", str(self.folder / f"api{free_port()}"), "--port", "0"]
        for seed in seeds:
            words += ["--coordinator", f"127.0.0.1:{seed}"]
        _, said = await self._begun(words)
        self.urls.append(said["url"])
        return await self._stack.enter_async_context(AsyncClient(said["url"], key=KEY))

    async def fanout(self, *seeds: Member) -> str:
        """The address of one more fanout, that knows these members."""
        words = ["serve", "fanout", "--json", "--home", str(self.folder / f"fanout{free_port()}"), "--port", "0"]
        for seed in seeds:
            words += ["--coordinator", seed.peers]
        url: str = (await self._begun(words))[1]["url"]
        return url

    async def worker(self, url: str, app: str = APP) -> Running:
        """A worker with these handlers at an api, once it is attached there."""
        return await self._attached("worker", app, "--url", url)

    async def executor(self, url: str) -> Running:
        """A worker of built-in kinds at an api, with the secrets of the cluster, once it is attached there."""
        home = self.folder / f"executor{free_port()}"
        return await self._attached("serve", "worker", "--url", url, "--home", str(home), AOB_STORE=self.schema.url)

    async def _attached(self, *words: str, **more: str) -> Running:
        env = {**os.environ, "AOB_TEST_LEDGER": str(self.ledger), "AOB_API_KEY": KEY, **self.env, **more}
        process = await started([*words, "--json"], env)
        self._stack.push_async_callback(_ended, process)
        assert process.stdout is not None
        while b"connected" not in (line := await process.stdout.readline()):
            assert line, f"the worker ended with {await process.wait()}"
        self.staff.append(process)
        return process

    async def several(self, name: str, roles: str, *seeds: int, grpc: int | None = None) -> tuple[Member, AsyncClient]:
        """A process of several roles, one of them api, once all of them are there. `grpc`: where workers come to."""
        words = ["serve", roles, "--json", "--home", str(self.folder / name), "--peers", f"127.0.0.1:{free_port()}",
                 "--port", "0", "--app", APP]  # fmt: skip
        for seed in seeds:
            words += ["--coordinator", f"127.0.0.1:{seed}"]
        process, said = await self._begun(words, {} if grpc is None else {"AOB_GRPC_PORT": str(grpc)})
        member = Member(name, process, said["probes"], said["peers"], self._http)
        self.members.append(member)
        self.urls_of[name] = said["url"]
        return member, await self._stack.enter_async_context(AsyncClient(said["url"], key=KEY))

    async def noted(self, least: int) -> list[str]:
        """The lines of the ledger, as soon as there are so many."""
        while True:
            lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
            if len(lines) >= least:
                return lines
            await asyncio.sleep(LOOK_S)

    async def _begun(self, words: list[str], more: Mapping[str, str] = {}) -> tuple[Running, dict[str, Any]]:
        env = {
            **os.environ, "AOB_STORE": self.schema.url, "AOB_TEST_LEDGER": str(self.ledger),
            "AOB_LEASE_S": str(LEASE_S), "AOB_API_KEYS": f"tests:{KEY}:admin", "AOB_RATE_LIMIT_RPM": "0",
            "AOB_TENANT_RATE_LIMIT_RPM": "0", **self.env, **more,
        }  # fmt: skip
        process = await started(words, env)
        self._stack.push_async_callback(_ended, process)
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert line, f"{words[1]} ended with {await process.wait()}"
        return process, msgspec.json.decode(line)

    async def main(self, *among: Member) -> Member:
        """The member that has shard 0, as soon as one, of these, has it open."""
        while True:
            for member in among or self.members:
                if member.process.returncode is None and (await member.state()).get("main"):
                    return member
            await asyncio.sleep(LOOK_S)

    async def spread(self, shards: int, without: Member | None = None) -> dict[str, list[int]]:
        """The shards of each living member, as soon as each shard is open somewhere and none has two more than
        another."""
        while True:
            living = [each for each in self.members if each.process.returncode is None and each is not without]
            states = {each.name: await each.state() for each in living}
            held = {name: list[int](state.get("shards", ())) for name, state in states.items()}
            counts = [len(each) for each in held.values()]
            if sorted(chain(*held.values())) == list(range(shards)) and max(counts) - min(counts) <= 1:
                return held
            await asyncio.sleep(LOOK_S)


async def comes(what: Callable[[], bool]) -> None:
    """Until something that nothing tells of is so."""
    while not what():  # noqa: ASYNC110  # there is no signal of it
        await asyncio.sleep(LOOK_S)


async def kept(schema: Schema, handler: str) -> None:
    """Until the database knows of a handler."""
    asked = f"select 1 from \"{schema.name}\".record where name like 'declared/%%' and convert_from(data, 'utf8') ~ %s"
    async with await psycopg.AsyncConnection.connect(schema.owner_url.partition("?")[0], autocommit=True) as owner:
        while True:
            if await (await owner.execute(asked.encode(), (handler,))).fetchall():
                return
            await asyncio.sleep(LOOK_S)


async def told_when(client: AsyncClient, holds: Callable[[HomeStatus], bool]) -> HomeStatus:
    """The status as soon as it is so."""
    while True:
        try:
            told = await client.status()
        except AobError as error:
            if error.status != 503:
                raise
        else:
            if holds(told):
                return told
        await asyncio.sleep(LOOK_S)


async def _ended(process: Running) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@asynccontextmanager
async def cluster(folder: Path, schema: Schema) -> AsyncIterator[Cluster]:
    """No process at first."""
    http = httpx.AsyncClient(trust_env=False, verify=False, timeout=5, headers={"x-api-key": KEY})
    async with http, AsyncExitStack() as stack:
        yield Cluster(folder, schema, stack, http)
