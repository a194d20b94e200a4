"""The URL of a Postgres database: `postgresql://user:password@host:port/database?schema=aob`. Needs no driver.

Several hosts by commas are the servers of one database, of which one takes writes: each may have a port of its own."""

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from aob.core.errors import Invalid, Problem

SCHEMES: Final = ("postgresql", "postgres")
SCHEMA: Final = "aob"
PORT: Final = 5432
NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
"""A name of a schema: it needs no escaping anywhere."""
ROLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,62}")
"""A name of a role: it is safe between quotes of either kind."""
EXAMPLE: Final = "postgresql://user:password@host:5432/database?schema=aob"


class Address(NamedTuple):
    """A database and the schema in it. `url` is for the driver and holds the password; `shown` is for people; `host`
    and `port` are the first of `hosts`."""

    url: str
    schema: str
    user: str
    password: str
    host: str
    port: int
    database: str
    hosts: tuple[tuple[str, int], ...]

    @property
    def shown(self) -> str:
        """The URL without its password and its other parameters."""
        user = f"{self.user}@" if self.user else ""
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"postgresql://{user}{hosts}/{self.database}?schema={self.schema}"

    def with_user(self, user: str, password: str) -> str:
        """The whole URL for another role."""
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2]
        secret = f":{quote(password, safe='')}" if password else ""
        query = urlencode([*parse_qsl(parts.query), ("schema", self.schema)], quote_via=quote)
        return f"postgresql://{quote(user, safe='')}{secret}@{place}{parts.path}?{query}"


def read_address(url: str, setting: str = "AOB_STORE") -> Address:
    """The parts of a URL. Raises Invalid, which names the setting and never shows the password."""
    try:
        parts = urlsplit(url)
        hosts = _hosts(parts.netloc.rpartition("@")[2])
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise wrong_url(setting, "is not a URL; does its password hold a character to be written as %XX?") from error
    if parts.scheme not in SCHEMES:
        raise wrong_url(setting, f"begins with {parts.scheme[:20] or 'nothing'!r}")
    if not url.partition(":")[2].startswith("//"):
        raise wrong_url(setting, "has no // after its scheme")
    names = "".join(host for host, _ in hosts)
    if parts.fragment or "@" in names + parts.path + parts.query or "/" in parts.path[1:]:
        raise wrong_url(setting, "has a #, @ or / where none may be: in a password they are written %23, %40, %2F")
    schema = dict(query).get("schema", SCHEMA)
    if not NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise wrong_url(setting, f"names the schema {schema[:60]!r}: small letters, digits and _ only, 40 at most")
    if not parts.path.strip("/"):
        raise wrong_url(setting, "names no database")
    rest = urlencode([(name, value) for name, value in query if name != "schema"], quote_via=quote)
    return Address(
        f"postgresql://{parts.netloc}{parts.path}{'?' if rest else ''}{rest}", schema, unquote(parts.username or ""),
        unquote(parts.password or ""), *hosts[0], unquote(parts.path.lstrip("/")), hosts,
    )  # fmt: skip


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    """Hosts and ports of a URL. Raises ValueError for a port that is none."""
    parts = [urlsplit(f"//{each}") for each in text.split(",")]
    return tuple((each.hostname or "", each.port or PORT) for each in parts)


def wrong_url(setting: str, why: str) -> Invalid:
    """The error of a URL; `why` goes on from `it`, and shows no password."""
    return Invalid(
        "the URL of the database is wrong", [Problem(setting, f"it {why}", "bad_settings", hint=f"write {EXAMPLE}")]
    )
