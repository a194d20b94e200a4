"""Makes the schema of a cluster and brings it forward. The owner's URL is used once and kept nowhere."""

from collections.abc import Mapping
from typing import Final

from aob.backends.postgres.address import SCHEMA, read_address
from aob.backends.postgres.steps import Made, Wanted
from aob.compose.settings import Settings
from aob.core.errors import CallerError
from aob.ports.installed import required

OWNER: Final = "AOB_STORE_OWNER"
SERVICE: Final = "aob"
"""The role of the services, when AOB_STORE names none."""
Env = Mapping[str, str]


async def init_database(url: str, settings: Settings, env: Env, *, service: str, shards: int, partitions: int) -> Made:
    """Make the schema, the role that AOB_STORE names, and its rights."""
    _required()
    from aob.backends.postgres.schema import init

    return await init(_owner(url, settings, env), _wanted(settings, service, shards, partitions))


async def upgrade_database(url: str, settings: Settings, env: Env, *, finish: bool) -> Made:
    """Take the steps that are missing."""
    _required()
    from aob.backends.postgres.schema import upgrade

    return await upgrade(_owner(url, settings, env), finish=finish)


def init_sql(url: str, settings: Settings, env: Env, *, service: str, shards: int, partitions: int) -> str:
    """The SQL that makes the schema, for the console of a managed server. Connects to nothing."""
    _required()
    from aob.backends.postgres.schema import printed

    given = url or env.get(OWNER, "")
    schema = read_address(given, OWNER).schema if given else _schema(settings)
    return printed(schema, _wanted(settings, service, shards, partitions))


def _required() -> None:
    required("psycopg", "postgres", "a Postgres store")
    required("psycopg_pool", "postgres", "a Postgres store")


def _schema(settings: Settings) -> str:
    """The schema that the services use."""
    return read_address(settings.store).schema if settings.in_database else SCHEMA


def _owner(url: str, settings: Settings, env: Env) -> str:
    """The owner's URL, with the schema of the services when it names none itself."""
    given = url or env.get(OWNER, "")
    if not given:
        why = "say as whom to make the schema: the URL of a user that may create schemas and roles"
        hint = f"aob db init postgresql://owner:password@host/database, or {OWNER}"
        raise CallerError(why, code="owner_missing", hint=hint)
    owner = read_address(given, OWNER)
    if "schema=" not in given:
        owner = owner._replace(schema=_schema(settings))
    return owner.with_user(owner.user, owner.password)


def _wanted(settings: Settings, service: str, shards: int, partitions: int) -> Wanted:
    """What AOB_STORE and the options ask for."""
    user = read_address(settings.store).user if settings.in_database else ""
    password = settings.store_password if service in ("", user) else ""
    return Wanted(service or user or SERVICE, password, shards, partitions)
