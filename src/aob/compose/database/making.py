"""Makes the schema of a cluster and brings it forward. The owner's URL is used once and kept nowhere."""

from collections.abc import Mapping
from typing import Final

from aob.backends.postgres.address import SCHEMA, read_address
from aob.backends.postgres.steps import Made, Wanted
from aob.core.errors import CallerError
from aob.ports.installed import required

STORE: Final = "AOB_STORE"
OWNER: Final = "AOB_STORE_OWNER"
SERVICE: Final = "aob"
"""The role of the services, when AOB_STORE names none."""


async def init_database(url: str, env: Mapping[str, str], *, service: str, shards: int, partitions: int) -> Made:
    """Make the schema, the role that AOB_STORE names, and its rights."""
    _required()
    from aob.backends.postgres.schema import init

    return await init(_owner(url, env), _wanted(env, service, shards, partitions))


async def upgrade_database(url: str, env: Mapping[str, str], *, finish: bool) -> Made:
    """Take the steps that are missing."""
    _required()
    from aob.backends.postgres.schema import upgrade

    return await upgrade(_owner(url, env), finish=finish)


def init_sql(url: str, env: Mapping[str, str], *, service: str, shards: int, partitions: int) -> str:
    """The SQL that makes the schema, for the console of a managed server. Connects to nothing."""
    _required()
    from aob.backends.postgres.schema import printed

    named = [read_address(each, setting).schema for each, setting in
             ((url or env.get(OWNER, ""), OWNER), (env.get(STORE, ""), STORE)) if each]  # fmt: skip
    return printed(named[0] if named else SCHEMA, _wanted(env, service, shards, partitions))


def _required() -> None:
    required("psycopg", "postgres", "a Postgres store")
    required("psycopg_pool", "postgres", "a Postgres store")


def _owner(url: str, env: Mapping[str, str]) -> str:
    """The owner's URL, with the schema of AOB_STORE when it names none itself."""
    given = url or env.get(OWNER, "")
    if not given:
        why = "say as whom to make the schema: the URL of a user that may create schemas and roles"
        hint = f"aob db init postgresql://owner:password@host/database, or {OWNER}"
        raise CallerError(why, code="owner_missing", hint=hint)
    store = env.get(STORE, "")
    if not store.startswith("postgres") or "schema=" in given:
        return given
    owner = read_address(given, OWNER)._replace(schema=read_address(store, STORE).schema)
    return owner.with_user(owner.user, owner.password)


def _wanted(env: Mapping[str, str], service: str, shards: int, partitions: int) -> Wanted:
    """What AOB_STORE and the options ask for."""
    store = env.get(STORE, "")
    if not store.startswith("postgres"):
        return Wanted(service or SERVICE, "", shards, partitions)
    named = read_address(store, STORE)
    same = service in ("", named.user)
    return Wanted(service or named.user or SERVICE, named.password if same else "", shards, partitions)
