"""Set-ups that are wrong, with real processes: each start is refused with one line and the line that helps, and leaves
nothing behind; no traceback, no password, whatever is wrong."""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
import pytest

from aob.backends.postgres.address import read_address
from tests.cli.conftest import Terminal
from tests.servers import certificates
from tests.servers.fixtures import MASTER_KEY, PASSWORD, SERVICE, Schema, dropped, made_schema
from tests.servers.forks import ended
from tests.servers.lying import Lying
from tests.servers.pgbouncer import pooler
from tests.servers.ports import free_port
from tests.servers.postgres import NoServerError, Server

pytestmark = pytest.mark.timeout(120)
OTHER_KEY: Final = "b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktb3Q="
NUMBER: Final = rb"(?s)(?<=\x00\x00\x00\x04)\x00\x02[\x49-\xff]."  # of the server's release, 15 to 19
SECONDS: Final = rb"(?s)(?<=\x00\x00\x00\x08)\x41\xda.{6}"  # of its clock


class Ground(NamedTuple):
    """A server that may be set up badly, a cluster on it, and an empty folder."""

    server: Server
    schema: Schema
    home: Path


class Case(NamedTuple):
    """What is done to the ground, giving words and variables of the start; what the start then says, and its exit code.
    `checked`: `aob doctor` and `aob db check` see it too; `whole`: the program is started from nothing."""

    name: str
    made: Callable[[Ground], "contextlib.AbstractContextManager[tuple[list[str], dict[str, str]]]"]
    says: str
    helps: str
    code: int = 6
    checked: bool = True
    whole: bool = False


@contextlib.contextmanager
def sql(ground: Ground, before: str, after: str = "") -> Iterator[tuple[list[str], dict[str, str]]]:
    """Statements of the owner before the start, and after it."""
    names = {"schema": ground.schema.name, "service": SERVICE}
    with psycopg.connect(ground.server.url, autocommit=True) as owner:
        for each in before.format(**names).split(";"):
            owner.execute(each.encode())
        try:
            yield [], {}
        finally:
            for each in filter(None, after.format(**names).split(";")):
                owner.execute(each.encode())


def by_sql(before: str, after: str = "") -> Any:
    return lambda ground: sql(ground, before, after)


def with_words(*words: str, **env: str) -> Any:
    return lambda ground: contextlib.nullcontext((list(words), env))


def with_url(change: Callable[[str, Ground], str]) -> Any:
    return lambda ground: contextlib.nullcontext(([], {"AOB_STORE": change(ground.schema.url, ground)}))


@contextlib.contextmanager
def setting(ground: Ground, name: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The server has a setting off."""

    def turn(value: str) -> None:
        with psycopg.connect(ground.server.url, autocommit=True) as owner:
            owner.execute(f"alter system set {name} = {value}".encode())
            owner.execute(b"select pg_reload_conf()")
        while True:
            with psycopg.connect(ground.server.url) as other:
                if other.execute(f"show {name}".encode()).fetchone() == (value,):
                    return

    turn("off")
    try:
        yield [], {}
    finally:
        turn("on")


@contextlib.contextmanager
def lied(ground: Ground, pattern: bytes, change: Callable[[re.Match[bytes]], bytes]) -> Iterator[Any]:
    """Between is a proxy that changes what the server says."""
    with Lying(ground.server.port, pattern, change) as port:
        yield [], {"AOB_STORE": ground.schema.url.replace(f":{ground.server.port}/", f":{port}/")}


def _later(match: re.Match[bytes]) -> bytes:
    """A time in seconds, 9 s later."""
    return struct.pack(">d", struct.unpack(">d", match[0])[0] + 9)


@contextlib.contextmanager
def pooled(ground: Ground, mode: str) -> Iterator[Any]:
    try:
        with pooler(ground.server.url, mode, users=((SERVICE, PASSWORD),)) as url:
            address = read_address(url)
            yield [], {"AOB_STORE": ground.schema.url.replace(f":{ground.server.port}/", f":{address.port}/")}
    except NoServerError as why:
        pytest.skip(str(why))


OPENED: Final = """
import asyncio, aob, sys
async def main():
    async with aob.open(sys.argv[1]):
        pass
asyncio.run(main())
"""


def opened_once(ground: Ground, env: dict[str, str]) -> None:
    words = [sys.executable, "-c", OPENED, str(ground.home)]
    subprocess.run(words, env=env, check=True, capture_output=True)


@contextlib.contextmanager
def of_another(ground: Ground) -> Iterator[Any]:
    """The folder belongs to another cluster of the same database."""
    other = made_schema(ground.server.url, 1)
    try:
        env = {"AOB_STORE": other.url}
        opened_once(ground, environment(ground) | env)
        yield [], {}
    finally:
        dropped(other)


@contextlib.contextmanager
def of_files(ground: Ground) -> Iterator[Any]:
    """The folder has runs of its own, in files."""
    env = environment(ground)
    del env["AOB_STORE"]
    script = (
        "import asyncio, aob, sys\nasync def main():\n    async with aob.open(sys.argv[1]): pass\nasyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", script, str(ground.home)], env=env, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    yield [], {}


@contextlib.contextmanager
def certified(ground: Ground, folder: Path, *words: str) -> Iterator[Any]:
    shutil.copytree(folder, ground.home / "certs")
    yield ["--peers", f"127.0.0.1:{free_port()}", *words], {}


@contextlib.contextmanager
def mixed(ground: Ground) -> Iterator[Any]:
    """The role's certificate is of another authority than the one beside it."""
    shutil.copytree(certificates.folder("ours"), ground.home / "certs")
    shutil.copy(certificates.folder("theirs") / "ca.pem", ground.home / "certs" / "ca.pem")
    yield ["--peers", f"127.0.0.1:{free_port()}"], {}


@contextlib.contextmanager
def in_use(ground: Ground) -> Iterator[Any]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield ["--port", str(taken.getsockname()[1])], {}


@contextlib.contextmanager
def written(ground: Ground, text: str) -> Iterator[Any]:
    (ground.home / "aob.toml").write_text(text)
    yield [], {}


CASES: Final = (
    Case(
        "a URL without a database",
        with_url(lambda url, ground: url.replace("/postgres?", "/?")),
        "AOB_STORE",
        "postgresql://",
        2,
        whole=True,
    ),
    Case("no URL at all", with_url(lambda url, ground: "postgresql:nonsense"), "AOB_STORE", "postgresql://", 2),
    Case(
        "another kind of server",
        with_url(lambda url, ground: url.replace("postgresql://", "mysql://")),
        "AOB_STORE|store",
        "postgresql",
        2,
    ),
    Case("a wrong password", with_url(lambda url, ground: url.replace(PASSWORD, "guessed")), "password", "AOB_STORE"),
    Case("a wrong user", with_url(lambda url, ground: url.replace(SERVICE, "nobody")), "nobody|password", "AOB_STORE"),
    Case("a wrong database", with_url(lambda url, ground: url.replace("/postgres?", "/other?")), "other", "createdb"),
    Case(
        "a schema without a cluster",
        with_url(lambda url, ground: url.replace(ground.schema.name, "empty")),
        "no cluster",
        "aob db init",
    ),
    Case(
        "a right that lacks",
        by_sql("revoke select on {schema}.lease from {service}", "grant select on {schema}.lease to {service}"),
        "lacks select on lease",
        "aob db upgrade",
    ),
    Case(
        "no right at the schema",
        by_sql("revoke usage on schema {schema} from {service}", "grant usage on schema {schema} to {service}"),
        "may not use",
        "aob db init",
    ),
    Case("fsync off", lambda ground: setting(ground, "fsync"), "fsync = off", "alter system set fsync = on"),
    Case(
        "full_page_writes off",
        lambda ground: setting(ground, "full_page_writes"),
        "full_page_writes = off",
        "alter system",
    ),
    Case(
        "commits that do not wait",
        by_sql("alter role {service} set synchronous_commit = off", "alter role {service} reset synchronous_commit"),
        "synchronous_commit = off",
        "alter role",
    ),
    Case(
        "a server that only reads",
        by_sql(
            "alter role {service} set default_transaction_read_only = on",
            "alter role {service} reset default_transaction_read_only",
        ),
        "read_only",
        "primary",
    ),
    Case(
        "an old server",
        lambda ground: lied(ground, NUMBER, lambda match: struct.pack(">i", 140_010)),
        "PostgreSQL",
        "15 or later",
    ),
    Case("a clock that is wrong", lambda ground: lied(ground, SECONDS, _later), "s behind the clock", "NTP"),
    Case(
        "a pooler by statement",
        lambda ground: pooled(ground, "statement"),
        "pooling mode|pooler",
        "pool_mode = transaction",
    ),
    Case(
        "half of a migration",
        by_sql("update {schema}.step set ended = null", "update {schema}.step set ended = now()"),
        "step 1",
        "aob db",
    ),
    Case(
        "a table changed by hand",
        by_sql("alter table {schema}.member add column x int", "alter table {schema}.member drop column x"),
        "member",
        "aob db|restore",
    ),
    Case(
        "a contract of a later release",
        by_sql(
            "insert into {schema}.step values (9, 'contract', '9', 'me', now(), now())",
            "delete from {schema}.step where number = 9",
        ),
        "later release|step 9",
        "release",
        5,
    ),
    Case("a folder of another cluster", of_another, "belongs to", "home", 5),
    Case("a folder with runs of its own", of_files, "files|runs", "home|AOB_STORE", 5),
    Case("no master key", with_words(AOB_MASTER_KEY=""), "AOB_MASTER_KEY", "aob secret key", 2, checked=False),
    Case(
        "a master key that is none",
        with_words(AOB_MASTER_KEY="hello"),
        "AOB_MASTER_KEY",
        "aob secret key",
        2,
        checked=False,
    ),
    Case("a port in use", in_use, "in use", "port", 6, checked=False),
    Case(
        "an expired certificate",
        lambda ground: certified(ground, certificates.folder("ours", 100)),
        "expired",
        "aob certs renew",
        2,
    ),
    Case(
        "a certificate of the future",
        lambda ground: certified(ground, certificates.folder("ours", -10)),
        "counts from",
        "clock",
        2,
    ),
    Case("a certificate of another authority", mixed, "not of the authority", "aob certs renew", 2),
    Case(
        "peers of other machines in plain text",
        with_words("--peers", f"0.0.0.0:{free_port()}"),
        "certificates|plain",
        "aob certs init",
        2,
        checked=False,
    ),
    Case("peers nowhere", with_words("--peers", "nowhere"), "nowhere", "host", 2, checked=False),
    Case(
        "settings that cannot be read", lambda ground: written(ground, "port = 'x'\n[nonsense"), "aob.toml", "TOML", 2
    ),
    Case("a setting that is unknown", lambda ground: written(ground, "potr = 1\n"), "potr", "port", 2),
    Case(
        "a password in the file",
        lambda ground: written(ground, 'store = "postgresql://a:geheim@b/c"'),
        "password",
        "AOB_STORE",
        2,
        checked=False,
    ),
)


@pytest.fixture(scope="module")
def cluster(own_server: Server) -> Iterator[Schema]:
    made = made_schema(own_server.url, 2)
    yield made
    dropped(made)


@pytest.fixture
def ground(own_server: Server, cluster: Schema, tmp_path: Path) -> Ground:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Ground(own_server, cluster, home)


def environment(ground: Ground) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return kept | {"AOB_STORE": ground.schema.url, "AOB_MASTER_KEY": MASTER_KEY, "AOB_LOG_LEVEL": "warning"}


def start(ground: Ground, case: Case, words: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A command of the real program. One that does not end is a failure of the test."""
    if not case.whole:
        return ended(words, environment(ground) | env, ground.home.parent)
    return subprocess.run(
        [sys.executable, "-m", "aob.cli", *words], env=environment(ground) | env, cwd=ground.home.parent,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def refused(ground: Ground, case: Case, words: list[str], env: dict[str, str]) -> set[str]:
    """The command ends, says what is wrong and what helps, and shows no secret; returns what it left in the home."""
    before = {path.name for path in ground.home.iterdir()}
    done = start(ground, case, words, env)
    told = done.stdout + done.stderr
    assert done.returncode == case.code, told
    (line, *rest) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("error: "), told
    assert re.search(case.says, "\n".join([line, *rest])), told
    assert any(re.search(case.helps, each) for each in rest if "hint: " in each), told
    assert "Traceback" not in told
    for secret in (PASSWORD, "guessed", "geheim", MASTER_KEY, OTHER_KEY):
        assert secret not in told
    return {path.name for path in ground.home.iterdir()} - before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_a_bad_set_up_is_refused_at_start_with_the_line_that_helps(ground: Ground, case: Case) -> None:
    with case.made(ground) as (words, env):
        left = refused(ground, case, ["up", "--home", str(ground.home), "--port", "0", *words], env)
        assert left <= {"lock", "reserve"}, "nothing is left behind"
        with contextlib.suppress(FileNotFoundError), (ground.home / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if case.checked:
            terminal = Terminal(environment(ground) | env | {"AOB_HOME": str(ground.home)})
            seen = await terminal("doctor")
            assert seen.code == 1, seen.out
            assert re.search(case.says, seen.out), seen.out
            assert re.search(case.helps, seen.out), seen.out
            assert not any(secret in seen.out + seen.err for secret in (PASSWORD, "guessed", "geheim", MASTER_KEY))


async def test_a_sound_set_up_is_none_of_these(ground: Ground) -> None:
    terminal = Terminal(environment(ground) | {"AOB_HOME": str(ground.home)})
    seen = await terminal("doctor", "--json")
    assert [each for each in seen.json if each["how"] == "problem"] == []
