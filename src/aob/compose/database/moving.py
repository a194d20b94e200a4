"""`aob shards move`: a shard of a cluster goes to another of its databases, by the URLs of their owners."""

import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from aob.backends.postgres.address import read_address
from aob.compose.settings import Settings
from aob.compose.storage import Claim
from aob.core.answers import JsonObject
from aob.core.cluster import ALONE, Member
from aob.core.errors import CallerError, Invalid, Problem
from aob.core.rules import RULES
from aob.ports.installed import required

if TYPE_CHECKING:
    from aob.backends.postgres.database import Database

LEASE_MS: Final = 10_000
COPY_MS: Final = 24 * 3_600_000
Env = Mapping[str, str]


async def move_shards(
    settings: Settings, env: Env, shards: list[int], target: int, step: Callable[[int, str], None] = lambda *told: None
) -> JsonObject:
    """Move shards, one after the other, while no process has the home. What is moved already is only tidied up. Raises
    Conflict `home_in_use` while one has it."""
    required("psycopg", "postgres", "a Postgres store")
    from aob.backends.postgres.cluster import read_cluster
    from aob.backends.postgres.members import PostgresLeases
    from aob.backends.postgres.servers import move_shard

    async with AsyncExitStack() as stack:
        main = await stack.enter_async_context(_owned(settings, env, 1))
        cluster = await read_cluster(main)
        placed = await main.rows(main.statements("cluster.sql")["placed"])
        numbers = {target, *(int(number) for number, _, which in placed if set(which) & set(shards))} - {1}
        servers = {1: main}
        for number in sorted(numbers):
            servers[number] = await stack.enter_async_context(_owned(settings, env, number, cluster.id))
        name = f"aob shards move, {socket.gethostname()}, process {os.getpid()}"
        member = Member(
            f"move-{os.urandom(6).hex()}", name, version("agentic-orchestration-builder"), RULES, roles=(ALONE,)
        )
        claim = Claim(PostgresLeases(main, LEASE_MS), member, main.address.shown, LEASE_MS)
        stack.push_async_callback(claim.close)
        await claim.take()
        told: list[JsonObject] = []
        for shard in shards:
            claim.check()
            done = await move_shard(main, servers, shard, target, lambda what, at=shard: step(at, what))  # type: ignore[misc]
            told.append({"shard": done.shard, "source": done.source, "target": done.target, "rows": done.rows,
                         "bytes": done.bytes})  # fmt: skip
    return {"moved": told}


@asynccontextmanager
async def _owned(settings: Settings, env: Env, number: int, cluster: bytes = b"") -> AsyncIterator["Database"]:
    """A database by the URL of its owner, checked to be this store of the cluster."""
    from aob.backends.postgres.cluster import join
    from aob.backends.postgres.database import Database

    variable = owner_of(number)
    if not (url := env.get(variable, "")):
        raise CallerError(f"the owner of store {number} is not named", code="owner_missing",
                          hint=f"{variable}=postgresql://owner:password@host/database")  # fmt: skip
    if "schema=" not in url:
        plain = settings.database_url() if number == 1 else settings.server_url(str(number))
        if not plain:
            raise Invalid("the schema is not named", [
                Problem(variable, "has no ?schema=, and no variable names the services' URL", "bad_settings",
                        hint=f"set AOB_STORE{f'_{number}' if number > 1 else ''} too, or add ?schema=…")
            ])  # fmt: skip
        told = read_address(url, variable)
        url = told._replace(schema=read_address(plain).schema).with_user(told.user, told.password)
    db = await Database.open(url, size=3, purpose="shards move", setting=variable, statement_ms=COPY_MS)
    try:
        await join(db, cluster, store=number)
        yield db
    finally:
        await db.close()


def owner_of(number: int) -> str:
    """The variable with the URL of a database's owner."""
    return "AOB_STORE_OWNER" if number == 1 else f"AOB_STORE_{number}_OWNER"
