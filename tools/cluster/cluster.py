"""All processes of a cluster in a folder: made at the first start, continued at the next, ended in order. In: a folder
and wishes. Out: addresses, a key, each process by its name."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from aob.compose import network, read_settings
from aob.compose.database import init_database
from aob.core.event import PARTITIONS, partition_of
from tests.servers.postgres import Server
from tools.cluster.folder import Folder
from tools.cluster.plan import SCHEMA, TWO_OF_EACH, Plan, Wishes
from tools.cluster.process import LOOK_S, READY_S_MAX, Process, Spec

DATABASE: Final = "postgres"


class Cluster:
    """`async with Cluster(folder) as cluster`: everything runs and is ready. `tell(name, what)` hears of what ends and
    starts again; `change` may lay other ways into the plan before anything is started."""

    def __init__(
        self,
        folder: Path,
        wishes: Wishes = TWO_OF_EACH,
        tell: Callable[[str, str], None] = lambda name, what: None,
        change: Callable[[Plan], Awaitable[None]] | None = None,
    ) -> None:
        self.folder, self.wishes, self._tell = Folder(folder), wishes, tell
        self._change = change
        self.processes: dict[str, Process] = {}
        self.ready_s: dict[str, float] = {}
        """After how many seconds each was ready, from the begin of all."""
        self._stack = AsyncExitStack()
        self._begun = time.monotonic()

    async def __aenter__(self) -> Self:
        try:
            self._stack.enter_context(self.folder.taken())
            self.plan = Plan(self.folder, self.wishes)
            self._stack.push_async_callback(self._end)
            await self.start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def key(self) -> str:
        """A key that may do everything."""
        return self.folder.state.admin_key

    @property
    def url(self) -> str:
        """Where people come in."""
        return self.plan.url

    @property
    def authority(self) -> Path | None:
        """The certificate that an `https` address of it is checked by; None where there is no edge."""
        return self.folder.path / "certs" / "ca.pem" if self.url.startswith("https") else None

    async def start(self) -> None:
        """Make what is missing, then start every process and wait until it is ready."""
        await asyncio.gather(self._database(), asyncio.to_thread(self._certificates))
        if self._change is not None:
            await self._change(self.plan)
        rows = list(self.plan.rows())
        self.folder.save()
        for spec in rows:
            self._process(spec.name, spec).keep()
        await asyncio.gather(*(self._until_ready(spec.name) for spec in rows))

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def of(self, role: str) -> list[Process]:
        """The processes of a role."""
        return [each for each in self.processes.values() if each.spec.role == role]

    async def owners(self) -> dict[int, str]:
        """Which process has each shard, by its name, as the database says now; shards without an owner are left out."""
        import psycopg

        rows = "select shard, address from lease where owner <> '' and until > clock_timestamp()"
        async with await psycopg.AsyncConnection.connect(self.plan.owner_url.partition("?")[0]) as connection:
            await connection.execute(f"set search_path to {SCHEMA}")
            found = await (await connection.execute(rows)).fetchall()
        return {shard: name for shard, address in found if (name := self._at(address))}

    async def owner_of(self, run_id: str, within_s: float = READY_S_MAX) -> str:
        """Which process has a run, as soon as one has it. The shards of this cluster are as they were made."""
        shard = partition_of(run_id, PARTITIONS) % self.wishes.shards
        async with asyncio.timeout(within_s):
            while True:
                if name := (await self.owners()).get(shard):
                    return name
                await asyncio.sleep(LOOK_S)

    def _at(self, address: str) -> str:
        port = int(address.rpartition(":")[2] or 0)
        names = (name for name, known in self.folder.state.ports.items() if known == port)
        return next((name.removesuffix("-http") for name in names), "")

    async def _until_ready(self, name: str) -> None:
        await self.processes[name].ready()
        self.ready_s[name] = time.monotonic() - self._begun

    def _process(self, name: str, spec: Spec) -> Process:
        self.processes[name] = Process(spec, self.folder.logs / f"{name}.log", self._tell, self._note)
        return self.processes[name]

    def _note(self) -> None:
        self.folder.note({each.pid: each.born for each in self.processes.values() if each.pid})

    async def _database(self) -> None:
        spec = self.plan.postgres()
        data = self.folder.database(spec.account) if spec.account else self.folder.path / DATABASE
        if not (data / "data" / "PG_VERSION").exists():
            server = Server(data)
            server.password = self.folder.state.owner_password
            shutil.rmtree(data, ignore_errors=True)  # what a first start that was cut off has left
            self.folder.save()
            await asyncio.to_thread(server.make)
        process = self._process(DATABASE, spec)
        process.keep()
        await self._until_ready(DATABASE)
        env = self.plan.env("")
        settings = read_settings(self.folder.path, env)
        await init_database(self.plan.owner_url, settings, env, service="", shards=self.wishes.shards, partitions=0)

    def _certificates(self) -> None:
        folder = self.folder.path / "certs"
        if not (folder / "ca.pem").exists():
            roles = [(role,) for role in ("api", "coordinator", "fanout", "metrics", "worker")]
            network.init(folder, roles, (), datetime.now(UTC))

    async def _end(self) -> None:
        """In the order of dependence: who is asked from outside first, Postgres last."""
        order = ("edge", "fanout", "api", "worker", "executor", "agents", "metrics", "coordinator", "database")
        for role in order:
            await asyncio.gather(*(each.stop() for each in self.of(role)))
        self._note()
