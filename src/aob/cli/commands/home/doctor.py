"""`aob doctor`: what of this machine, this home and its server is not as it should be, and how to mend it."""

import os
import shutil
import stat
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Final, Literal

import msgspec

from aob.cli.connection import connect
from aob.cli.screen import Screen
from aob.cli.words import Commands, command, home_of
from aob.core.duration import format_duration
from aob.core.errors import AobError, NotFound

EXTRAS: Final = {"models": "pydantic_ai", "notify": "apprise", "object": "obstore"}
SECRETS: Final = ("key", "link.secret")
FREE_BYTES_MIN: Final = 1 << 30
FSYNC_MS_SLOW: Final = 20.0
FSYNC_TRIES: Final = 7


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: how it is, what was seen, and how to mend it."""

    what: str
    how: Literal["ok", "note", "problem"]
    seen: str
    mend: str = ""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The word `aob doctor`."""
    command(commands, common, "doctor", "check this machine, the home and its server", doctor, reach="alone")


async def doctor(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Look at everything; 1 when something is a problem."""
    home = home_of(args, env)
    found = [*machine(), *house(home, env)]
    async for finding in server(args, env):
        found.append(finding)
    if screen.json:
        screen.value(found)
    else:
        for finding in found:
            style = {"ok": "ok", "note": "waiting", "problem": "failed"}[finding.how]
            screen.state(f"{finding.how:<8} {finding.what}: {finding.seen}", style)
            if finding.mend:
                screen.line(f"         {finding.mend}")
    return int(any(finding.how == "problem" for finding in found))


def machine() -> Iterator[Finding]:
    """Python and what is installed beside us."""
    yield Finding("python", "ok", sys.version.split()[0])
    for extra, package in EXTRAS.items():
        if find_spec(package) is None:
            yield Finding(
                extra, "note", f"{package} is not installed", f"pip install agentic-orchestration-builder[{extra}]"
            )
        else:
            yield Finding(extra, "ok", f"{package} is installed")


def house(home: Path, env: Mapping[str, str]) -> Iterator[Finding]:
    """The folder, its disk, its secrets, its settings."""
    if not home.is_dir():
        yield Finding("home", "note", f"{home} is not there yet", f"aob up --home {home} makes it")
        return
    if not os.access(home, os.W_OK | os.X_OK):
        yield Finding("home", "problem", f"{home} cannot be written", "use the account that owns it")
        return
    yield Finding("home", "ok", str(home))
    free = shutil.disk_usage(home).free
    how: Literal["ok", "problem"] = "ok" if free >= FREE_BYTES_MIN else "problem"
    yield Finding(
        "disk", how, f"{free / (1 << 30):.1f} GiB free", "" if how == "ok" else "make room: a full disk stops commits"
    )
    took = fsync_ms(home)
    slow = took > FSYNC_MS_SLOW
    yield Finding("fsync", "note" if slow else "ok", f"{took:.2f} ms", "each commit waits for one" if slow else "")
    yield from _secrets(home)
    yield _settings(home, env)


def _secrets(home: Path) -> Iterator[Finding]:
    for name in SECRETS:
        path = home / name
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                yield Finding(name, "problem", f"others may read {path} ({mode:o})", f"chmod 600 {path}")
            else:
                yield Finding(name, "ok", "only its owner may read it")


def _settings(home: Path, env: Mapping[str, str]) -> Finding:
    from aob.compose import read_settings

    try:
        read_settings(home, env)
    except AobError as error:
        problems = getattr(error, "problems", ())
        return Finding("settings", "problem", "; ".join([error.detail, *(p.message for p in problems)]), error.hint)
    return Finding("settings", "ok", "aob.toml is fine" if (home / "aob.toml").exists() else "the defaults")


def fsync_ms(folder: Path) -> float:
    """The median time of a small write that is made durable, in ms."""
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
    """Whether a server answers, how it is, and whether it takes our key."""
    try:
        aob = connect(args, env)
    except AobError as error:
        how: Literal["note", "problem"] = "note" if error.code == "no_server" else "problem"
        yield Finding("server", how, error.detail, error.hint)
        return
    async with aob:
        try:
            health = await aob.health()
            how_it_is = str(health["status"])
            yield Finding(
                "server", "ok" if how_it_is == "ok" else "problem", f"{aob.url} is {how_it_is}", _worst(health)
            )
            if (finding := _clock(health)) is not None:
                yield finding
            await aob.run("run_doctor")
        except NotFound:
            yield Finding("key", "ok", "the server takes it")
        except AobError as error:
            yield Finding("server", "problem", error.detail, error.hint)


def _clock(health: Mapping[str, object]) -> Finding | None:
    """Whether the clock of the machine was set while the server ran, or is behind what was committed."""
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


def _worst(health: Mapping[str, object]) -> str:
    """The parts that say that they are not well, with their own words."""
    parts = (
        (name, part) for name, part in health.items() if isinstance(part, dict) and part.get("status", "ok") != "ok"
    )
    return "; ".join(f"{name}: {part.get('detail') or part['status']}" for name, part in parts)
