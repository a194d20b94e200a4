"""The demo on Postgres: with AOB_STORE set, it works in a schema of its own there, made anew at each start.

In: the environment. Out: the environment of the platform's processes.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aob.core.errors import Unavailable

SCHEMA: Final = "aob_demo"
SHARDS: Final = 4
OWNER: Final = "AOB_STORE_OWNER"
STORE: Final = "AOB_STORE"


def is_wanted(env: Mapping[str, str]) -> bool:
    """Whether the demo is to keep its runs in a database."""
    return env.get(STORE, "").startswith(("postgresql:", "postgres:"))


async def demo_store(env: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment of a platform with a fresh schema `aob_demo`. Raises Unavailable if it cannot be made."""
    from aob.compose import read_settings
    from aob.compose.database import init_database

    try:
        import psycopg
    except ImportError as error:
        raise Unavailable("the demo on a database needs its driver", code="not_installed",
                          hint="pip install 'agentic-orchestration-builder[demo,postgres]'") from error  # fmt: skip
    store, owner = in_schema(env[STORE]), in_schema(env.get(OWNER) or env[STORE])
    plain = owner.partition("?")[0]
    connection: Any = None
    try:
        connection = await psycopg.AsyncConnection.connect(plain, autocommit=True, connect_timeout=5)
        await connection.execute(f"drop schema if exists {SCHEMA} cascade")
    except psycopg.Error as error:
        why = str(error).strip().splitlines()[0]
        hint = f"set {OWNER} to the URL of a user that may create schemas and roles"
        raise Unavailable(f"the demo cannot make its schema {SCHEMA}: {why}", code="store_rights", hint=hint) from error
    finally:
        if connection is not None:
            await connection.close()
    settings = read_settings(home, {**env, STORE: store})
    await init_database(owner, settings, {**env, STORE: store}, service="", shards=SHARDS, partitions=0)
    return {**os.environ, STORE: store, "AOB_BLOBS": "file:"}  # the demo shows what lies in the folder


def in_schema(url: str) -> str:
    """The URL with the demo's schema in place of its own."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "schema"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("schema", SCHEMA)])))
