"""Makes the schema of a cluster and brings it forward. The owner's URL is used once and kept nowhere."""

from collections.abc import Mapping
from typing import Final

from aob.backends.postgres.address import SCHEMA, read_address
from aob.backends.postgres.steps import Made, Wanted
from aob.compose.database.moving import owner_of
from aob.compose.settings import Settings
from aob.core.errors import CallerError, Conflict
from aob.ports.installed import required

OWNER: Final = "AOB_STORE_OWNER"
SERVICE: Final = "aob"
"""The role of the services, when AOB_STORE names none."""
Env = Mapping[str, str]


async def init_database(
    url: str, settings: Settings, env: Env, *, service: str, shards: int, partitions: int, store: int = 1
) -> Made:  # fmt: skip
    """Make the schema, the role that AOB_STORE names, and its rights; of a further `store` of that cluster, the role
    that AOB_STORE_N names."""
    _required()
    from aob.backends.postgres.schema import init

    wanted = _wanted(settings, service, shards, partitions)
    if store != 1:
        wanted = await _further(settings, service, store, shards or partitions)
    return await init(_owner(url, settings, env, store), wanted)


async def _further(settings: Settings, service: str, store: int, numbers: int) -> Wanted:
    """What a further database of the cluster of AOB_STORE is to be. Raises CallerError when `numbers` are asked for."""
    from aob.backends.postgres.cluster import join
    from aob.backends.postgres.database import Database

    if numbers:
        raise CallerError("a further store has the numbers of the first one", code="other_numbers",
                          hint="leave --shards and --partitions out")  # fmt: skip
    if not settings.in_database:
        raise CallerError("a further store belongs to a cluster", code="store_unnamed",
                          hint="AOB_STORE=postgresql://… names its first database")  # fmt: skip
    db = await Database.open(settings.database_url(), size=1, purpose="db init")
    try:
        found = await join(db)
    finally:
        await db.close()
    own = settings.server_url(str(store))
    told = read_address(own or settings.database_url())
    role = service or told.user or SERVICE
    password = told.password if role == told.user else ""
    return Wanted(role, password, found.shards, found.partitions, store, found.id)


async def upgrade_database(url: str, settings: Settings, env: Env, *, finish: bool, store: int = 1) -> Made:
    """Take the steps that are missing. Members are in the first database, so it is finished first: raises Conflict
    `members_differ` for a further one before."""
    _required()
    from aob.backends.postgres.schema import upgrade

    if finish and store != 1:
        await _refuse_unfinished(settings)
    return await upgrade(_owner(url, settings, env, store), finish=finish)


async def _refuse_unfinished(settings: Settings) -> None:
    """Only the first database knows whether an older release lives."""
    from aob.backends.postgres.cluster import join
    from aob.backends.postgres.database import Database
    from aob.backends.postgres.schema import RELEASE

    db = await Database.open(settings.database_url(), size=1, purpose="db upgrade")
    try:
        await join(db)
        last = await db.row(db.statements("cluster.sql")["finished"])
    finally:
        await db.close()
    if last is None or last[0] != RELEASE:
        why = f"the upgrade to release {RELEASE} is not finished in the first database: members of another may live"
        raise Conflict(why, code="members_differ", hint="aob db upgrade --finish for that one first")


async def init_sql(
    url: str, settings: Settings, env: Env, *, service: str, shards: int, partitions: int, store: int = 1
) -> str:  # fmt: skip
    """The SQL that makes the schema, for the console of a managed server. Connects to nothing, but for a further
    `store` to the first one, whose cluster it belongs to."""
    _required()
    from aob.backends.postgres.schema import printed

    given = url or env.get(owner_of(store), "")
    schema = read_address(given, owner_of(store)).schema if "schema=" in given else _schema(settings)
    wanted = _wanted(settings, service, shards, partitions)
    if store != 1:
        wanted = await _further(settings, service, store, shards or partitions)
        if "schema=" not in given and (further := settings.server_url(str(store))):
            schema = read_address(further).schema
    return printed(schema, wanted)


def _required() -> None:
    required("psycopg", "postgres", "a Postgres store")
    required("psycopg_pool", "postgres", "a Postgres store")


def _schema(settings: Settings) -> str:
    """The schema that the services use."""
    return read_address(settings.store).schema if settings.in_database else SCHEMA


def _owner(url: str, settings: Settings, env: Env, store: int) -> str:
    """The owner's URL, with the schema of the services when it names none itself."""
    variable = owner_of(store)
    given = url or env.get(variable, "")
    if not given:
        why = "say as whom: the URL of a user that may create schemas and roles"
        hint = f"give this command postgresql://owner:password@host/database, or set {variable}"
        raise CallerError(why, code="owner_missing", hint=hint)
    owner = read_address(given, variable)
    if "schema=" not in given:
        further = settings.server_url(str(store)) if store != 1 else ""
        owner = owner._replace(schema=read_address(further).schema if further else _schema(settings))
    return owner.with_user(owner.user, owner.password)


def _wanted(settings: Settings, service: str, shards: int, partitions: int) -> Wanted:
    """What AOB_STORE and the options ask for."""
    user = read_address(settings.store).user if settings.in_database else ""
    password = settings.store_password if service in ("", user) else ""
    return Wanted(service or user or SERVICE, password, shards, partitions)
