"""`aob doctor`: problems of this machine, this home and its server, and how to mend them."""

import asyncio
import os
import resource
import shutil
import stat
import sys
import sysconfig
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from aob.cli.connection import connect
from aob.cli.screen import Screen
from aob.cli.words import Commands, command, home_of
from aob.core.duration import format_duration
from aob.core.errors import AobError, Conflict, NotFound

if TYPE_CHECKING:
    from aob.core.organisation import answers

EXTRAS: Final = {
    "models": ("pydantic_ai",), "notify": ("apprise",), "object": ("obstore",),
    "metrics": ("duckdb", "sqlglot", "datasketches", "prometheus_client", "standardwebhooks", "arro3"),
    "postgres": ("psycopg", "psycopg_pool", "cryptography"), "tls": ("cryptography",), "trace": ("opentelemetry",),
    "grpc": ("grpc",), "reload": ("watchfiles",), "registry": ("fastavro",),
    "demo": ("aiosmtpd", "starlette"),
}  # fmt: skip
"""The imported modules of each extra."""
WORKERS: Final = ("worker", "executor")
ROLES: Final = ("api", "coordinator", "metrics", "fanout", *WORKERS)
HOMELESS: Final = ("api", "fanout", *WORKERS)
"""Roles whose processes make no folder: what may be in it is for them to read."""
SECRETS: Final = ("key", "link.secret")
FREE_BYTES_MIN: Final = 1 << 30
FSYNC_MS_SLOW: Final = 20.0
FSYNC_TRIES: Final = 7
OPEN_FILES_MIN: Final = 4_096
CLOCK_BEHIND_S: Final = 2.0
CERTS_SOON_DAYS: Final = 14
ORPHANS_SHOWN: Final = 5


class Finding(msgspec.Struct, frozen=True):
    """One checked item: its state, what was found, and how to mend it."""

    what: str
    how: Literal["ok", "note", "problem"]
    seen: str
    mend: str = ""


def _found(what: str, fine: bool, seen: str, mend: str, *, bad: Literal["note", "problem"] = "problem") -> Finding:
    """An item that is fine, or has to be mended."""
    return Finding(what, "ok" if fine else bad, seen, "" if fine else mend)


def add(commands: Commands, common: ArgumentParser) -> None:
    """The word `aob doctor`."""
    one = command(commands, common, "doctor", "check this machine, the home and its server", doctor, reach="alone")
    one.add_argument("--deep", action="store_true", help="every blob, and heads and timers against the events")
    one.add_argument("--role", choices=ROLES, help="look as a process of this role would: certificates, peers, ports")
    one.add_argument("--coordinator", dest="coordinators", metavar="HOST:PORT", action="append", default=[],
                     help="with --role: a process that it asks; may be repeated")  # fmt: skip
    one.add_argument("--url", metavar="URL", help="with --role worker or executor: where it attaches")


async def doctor(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Check everything; 1 when there is a problem."""
    home = home_of(args, env)
    starts = "" if args.role in HOMELESS else f"serve {args.role}" if args.role else "up"
    found = [*machine(), *house(home, env, starts), *await asyncio.to_thread(files, home, args.deep)]
    found += await database(home, env)
    if args.deep and home.is_dir():
        found += await deep(home)
    found += [finding async for finding in (role(args, home, env) if args.role else server(args, env))]
    if not screen.told(found):
        for finding in found:
            style = {"ok": "ok", "note": "waiting", "problem": "failed"}[finding.how]
            screen.state(f"{finding.how:<8} {finding.what}: {finding.seen}", style)
            if finding.mend:
                screen.line(f"         {finding.mend}")
    return int(any(finding.how == "problem" for finding in found))


def machine() -> Iterator[Finding]:
    """Python and what is installed next to this package."""
    yield Finding("python", "ok", sys.version.split()[0])
    tuned = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS") or "--enable-optimizations")
    slow = "not built with --enable-optimizations: one that is runs a third faster"
    yield Finding("build", "ok", "an optimized interpreter" if tuned else slow)
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    mend = f"ulimit -n {OPEN_FILES_MIN}: each connection is one"
    yield _found("limits", open_files >= OPEN_FILES_MIN, f"{open_files} open files", mend, bad="note")
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if find_spec(name) is None]
        seen = f"not installed: {', '.join(missing)}" if missing else f"installed: {', '.join(packages)}"
        yield _found(extra, not missing, seen, f"pip install 'agentic-orchestration-builder[{extra}]'", bad="note")


def house(home: Path, env: Mapping[str, str], starts: str) -> Iterator[Finding]:
    """The folder, its disk, its secrets, its settings. `starts` is what makes it, empty: nothing has to."""
    from aob.compose import read_settings

    if not home.is_dir() and not starts:
        yield Finding("home", "ok", f"{home} is not there, and this role needs none")
        return
    if not home.is_dir():
        yield Finding("home", "note", f"{home} is not there yet", f"aob {starts} --home {home} makes it")
        return
    if not os.access(home, os.W_OK | os.X_OK):
        yield Finding("home", "problem", f"{home} cannot be written", "use the account that owns it")
        return
    yield Finding("home", "ok", str(home))
    free = shutil.disk_usage(home).free
    mend = "make room: a full disk stops commits"
    yield _found("disk", free >= FREE_BYTES_MIN, f"{free / (1 << 30):.1f} GiB free", mend)
    try:
        took = fsync_ms(home)
    except OSError as error:
        yield Finding("fsync", "problem", f"nothing can be written: {error.strerror or error}", "make room")
    else:
        yield _found("fsync", took <= FSYNC_MS_SLOW, f"{took:.2f} ms", "each commit waits for one", bad="note")
    wide = bool(stat.S_IMODE(home.lstat().st_mode) & 0o077)
    seen = f"others may look into {home}" if wide else "only its owner may look into it"
    yield _found("modes", not wide, seen, f"chmod 700 {home}", bad="note")
    yield _time(home)
    yield from _secrets(home)
    yield _settings(home, env)
    with suppress(AobError):
        yield from _certificates(read_settings(home, env).certs_folder(home))


def _certificates(folder: Path) -> Iterator[Finding]:
    """Certificates of a cluster: until when they count, whether they belong together, who may read them."""
    if not folder.is_dir():
        return
    from aob.compose import network

    try:
        found, now = network.listed(folder), datetime.now(UTC)
    except AobError as error:
        yield Finding("certs", "problem", error.detail, error.hint)
        return
    for each in found:
        path, left = folder / each.file, (each.ends - now).days
        name = ", ".join(each.roles) or "authority"
        if each.ends <= now:
            yield Finding("certs", "problem", f"{path} expired on {each.ends:%Y-%m-%d}", "aob certs renew")
        elif each.begins > now:
            seen = f"{path} counts from {each.begins:%Y-%m-%d %H:%M} UTC only"
            yield Finding("certs", "problem", seen, "set the clock of this machine")
        elif each.roles and not each.authority:
            yield Finding("certs", "problem", f"{path} is not of the authority ca.pem beside it", "aob certs renew")
        elif each.roles and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding("certs", "problem", f"others may read the key in {path}", f"chmod 600 {path}")
        else:
            soon = left < CERTS_SOON_DAYS
            yield _found("certs", not soon, f"{name}: {left} days left", "aob certs renew", bad="note")


def _time(home: Path) -> Finding:
    """Detect a clock that is behind written times: later records would get times of the past."""
    behind_s = max((path.stat().st_mtime for path in home.glob("*.db*")), default=0.0) - time.time()
    if behind_s > CLOCK_BEHIND_S:
        seen = f"the clock is {behind_s:.0f} s behind what was written last"
        return Finding("time", "problem", seen, "set the clock")
    return Finding("time", "ok", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def files(home: Path, deep: bool) -> list[Finding]:
    """Each file, the files against each other, the blobs."""
    from aob.compose.files import inspected

    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        return []
    return [Finding(s.what, "ok" if s.well else "problem", s.says, s.mend) for s in inspected(home, deep=deep)]


async def database(home: Path, env: Mapping[str, str]) -> list[Finding]:
    """The database that has the truth of the home, if one has."""
    from aob.compose import read_settings
    from aob.compose.storage import inspected_database

    try:
        settings = read_settings(home, env)
    except AobError:  # reported as a wrong setting
        return []
    seen = await inspected_database(home, settings)
    return [Finding(s.what, "ok" if s.well else "problem", s.says, s.mend) for s in seen]


async def role(args: Namespace, home: Path, env: Mapping[str, str]) -> AsyncIterator[Finding]:
    """What a process of a role would find from here."""
    from aob.compose import read_settings
    from aob.compose.status import seen_by

    gateway, tls = "", False
    try:
        settings = read_settings(home, env)
        if args.role in WORKERS:
            from aob.cli.gateway import find_target

            target = await find_target(args.url or args.server, home, env)
            gateway, tls = target.address, target.tls
    except AobError as error:
        if args.role in WORKERS:
            yield Finding("gateway", "problem", error.detail, error.hint)
        return  # wrong settings are reported as such
    async for seen in seen_by(args.role, home, settings, args.coordinators, gateway, tls):
        yield Finding(seen.what, "ok" if seen.well else "problem", seen.says, seen.mend)


async def deep(home: Path) -> list[Finding]:
    """Heads and timers against the events, of a home that is not running."""
    from aob.compose import check_deep

    try:
        seen = await check_deep(home)
    except Conflict as running:
        return [Finding("heads", "note", running.detail, "stop it, then aob doctor --deep")]
    return [Finding(s.what, "ok" if s.well else "problem", s.says, s.mend) for s in seen]


def _secrets(home: Path) -> Iterator[Finding]:
    for name in SECRETS:
        path = home / name
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
            seen = f"others may read {path} ({mode:o})" if mode & 0o077 else "only its owner may read it"
            yield _found(name, not mode & 0o077, seen, f"chmod 600 {path}")


def _settings(home: Path, env: Mapping[str, str]) -> Finding:
    from aob.compose import read_settings

    try:
        read_settings(home, env)
    except AobError as error:
        problems = getattr(error, "problems", ())
        seen = "; ".join([error.detail, *(f"{each.path}: {each.message}" for each in problems)])
        hints = [error.hint, *(each.hint for each in problems)]
        return Finding("settings", "problem", seen, "; ".join(dict.fromkeys(filter(None, hints))))
    return Finding("settings", "ok", "aob.toml is fine" if (home / "aob.toml").exists() else "the defaults")


def fsync_ms(folder: Path) -> float:
    """The median time of a small durable write, in ms."""
    took = []
    with TemporaryFile(dir=folder) as file:
        for _ in range(FSYNC_TRIES):
            file.write(b"x" * 4_096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - begun) * 1_000)
    return median(took)


async def server(args: Namespace, env: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Whether a server answers, its health, and whether it accepts our key."""
    try:
        aob = connect(args, env)
    except AobError as error:
        how: Literal["note", "problem"] = "note" if error.code == "no_server" else "problem"
        yield Finding("server", how, error.detail, error.hint)
        return
    async with aob:
        try:
            health = await aob.health()
            state = str(health["status"])
            yield Finding("server", "ok" if state == "ok" else "problem", f"{aob.url} is {state}", _worst(health))
            for finding in filter(None, (_clock(health), _egress(health))):
                yield finding
            with suppress(AobError):  # a key that may not view, a server of an earlier release
                if (orphans := (await aob.org())["orphans"]) != []:
                    yield _orphans(orphans)
            await aob.run("run_doctor")
        except NotFound:
            yield Finding("key", "ok", "the server takes it")
        except AobError as error:
            yield Finding("server", "problem", error.detail, error.hint)


def _orphans(found: Sequence["answers.Orphan"]) -> Finding:
    """What of the organisation belongs to nobody. Only said: nothing is removed on first sight."""
    shown = "; ".join(f"{each['kind']} {each['name']}: {each['why']}" for each in found[:ORPHANS_SHOWN])
    seen = shown + (f"; and {len(found) - ORPHANS_SHOWN} more" if len(found) > ORPHANS_SHOWN else "")
    return Finding("organisation", "note", seen, "aob org show lists them; aob topic update or aob topic delete")


def _clock(health: Mapping[str, object]) -> Finding | None:
    """Detect a machine clock that was set while the server ran, or is behind committed times."""
    told = health.get("clock")
    step = told.get("step") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(step, dict):
        return None
    way = "back" if step["by_ms"] < 0 else "forward"
    return Finding(
        "clock", "note",
        f"was set {format_duration(abs(step['by_ms']))} {way}, is {format_duration(told['behind_ms'])} behind now",
        "let NTP slew it: timers and durations go on, and a step forward makes what was due meanwhile ring at once",
    )  # fmt: skip


def _egress(health: Mapping[str, object]) -> Finding | None:
    """Stuck and replaced connections of nodes, webhooks or notices since the start, in any process of the home."""
    shards = health.get("shards")
    counts = Counter[str]()
    for part in shards if isinstance(shards, list) else (health,):
        told = part.get("egress")
        counts.update(told["replaced"] if isinstance(told, dict) else {})
    if not counts.total():
        return None
    of = ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()) if count)
    seen = f"stuck connections were replaced: {of}"
    return Finding("egress", "note", seen, "the log says when: egress_pool_replaced")


def _worst(health: Mapping[str, object]) -> str:
    """The parts that report a problem, with their own words."""
    parts = [(name, part) for name, part in health.items() if isinstance(part, dict)]
    bad = [(name, part) for name, part in parts if part.get("status", "ok") != "ok"]
    return "; ".join(f"{name}: {part.get('detail') or part['status']}" for name, part in bad)
