"""The URL of a Postgres database: `postgresql://user:password@host:port/database?schema=aob`. Needs no driver."""

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from aob.core.errors import Invalid, Problem

SCHEMES: Final = ("postgresql", "postgres")
SCHEMA: Final = "aob"
NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
"""A name of a schema: it needs no escaping anywhere."""
ROLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,62}")
"""A name of a role: it is safe between quotes of either kind."""
EXAMPLE: Final = "postgresql://user:password@host:5432/database?schema=aob"


class Address(NamedTuple):
    """A database and the schema in it. `url` is for the driver and holds the password; `shown` is for people."""

    url: str
    schema: str
    user: str
    password: str
    host: str
    port: int
    database: str

    @property
    def shown(self) -> str:
        """The URL without its password and its other parameters."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{user}{host}:{self.port}/{self.database}?schema={self.schema}"

    def with_user(self, user: str, password: str) -> str:
        """The whole URL for another role."""
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2]
        secret = f":{quote(password, safe='')}" if password else ""
        query = urlencode([*parse_qsl(parts.query), ("schema", self.schema)], quote_via=quote)
        return urlunsplit(("postgresql", f"{quote(user, safe='')}{secret}@{place}", parts.path, query, ""))


def read_address(url: str, setting: str = "AOB_STORE") -> Address:
    """The parts of a URL. Raises Invalid, which names the setting and never shows the password."""
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _wrong(setting, "is not a URL; does its password hold a character to be written as %XX?") from error
    if parts.scheme not in SCHEMES:
        raise _wrong(setting, f"begins with {parts.scheme[:20] or 'nothing'!r}")
    if not url.partition(":")[2].startswith("//"):
        raise _wrong(setting, "has no // after its scheme")
    if parts.fragment or "@" in (parts.hostname or "") + parts.path + parts.query or "/" in parts.path[1:]:
        raise _wrong(setting, "has a #, @ or / where none may be: in a password they are written %23, %40, %2F")
    schema = dict(query).get("schema", SCHEMA)
    if not NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise _wrong(setting, f"names the schema {schema[:60]!r}: small letters, digits and _ only, 40 at most")
    if not parts.path.strip("/"):
        raise _wrong(setting, "names no database")
    rest = urlencode([(name, value) for name, value in query if name != "schema"], quote_via=quote)
    return Address(
        urlunsplit(("postgresql", parts.netloc, parts.path, rest, "")), schema, unquote(parts.username or ""),
        unquote(parts.password or ""), parts.hostname or "", port, unquote(parts.path.lstrip("/")),
    )  # fmt: skip


def _wrong(setting: str, why: str) -> Invalid:
    return Invalid(
        "the URL of the database is wrong", [Problem(setting, f"it {why}", "bad_settings", hint=f"write {EXAMPLE}")]
    )
