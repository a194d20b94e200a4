"""Processes that a measure starts beside its own: each by a name, with the CPU of it and of all that it has started.

A database server is one of them. What a unit costs is what all of them took, this process (`load`) included.
"""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.frame import ROOT, Bench, Figure

CPU_CLOCK: Final = 2
"""In the number of a clock of Linux: CPU of all threads, in nanoseconds; the ticks of /proc are too coarse."""
LOAD: Final = "load"
"""What the process of the bench is called when it holds no part of what is measured."""
POSTGRES: Final = "postgres"
INFO: Final = re.compile(r'"level": ?"info"')
"""A line of a log that says that all is well."""
READY_S: Final = 60.0
STOP_S: Final = 30.0


def clock_s(process: int) -> float:
    """CPU seconds of all threads of a process so far."""
    return time.clock_gettime(~process << 3 | CPU_CLOCK)


def tree_s(process: int) -> float:
    """CPU seconds of a process and of all that it has started, those that have ended and were waited for too."""
    try:
        taken, fields = clock_s(process), Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        threads = [int(each.name) for each in Path(f"/proc/{process}/task").iterdir()]
        below = [Path(f"/proc/{process}/task/{each}/children").read_text().split() for each in threads]
    except OSError:  # it has ended meanwhile: whoever waits for it has its time
        return 0.0
    ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return taken + ended + sum(tree_s(int(child)) for children in below for child in children)


class Taken(dict[str, float]):
    """CPU seconds by process."""

    @property
    def whole(self) -> float:
        """Of all of them."""
        return sum(self.values())

    def each(self, count: int) -> "Taken":
        """Of one of so many."""
        return Taken({name: value / count for name, value in self.items()})

    def figures(self, name: str, count: int, unit: str = "ms", target: float | None = None) -> Iterator[Figure]:
        """What one of `count` units cost: in all processes, and in each."""
        scale = {"ms": 1e3, "us": 1e6}[unit] / count
        yield Figure(f"{name}.cpu_{unit}", self.whole * scale, unit, target, note="CPU of all processes together")
        for process, seconds in self.items():
            yield Figure(f"{name}.{process}.cpu_{unit}", seconds * scale, unit)


class Processes:
    """What a measure has started. Each must say nothing but what is well on stderr, and end when it is told; else
    RuntimeError at the end."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.own = bench, LOAD
        self.pids: dict[str, int] = {}
        self._begun: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self._before: dict[str, float] = {}

    def server(self, pid: int) -> None:
        """A database server takes part."""
        self.pids[POSTGRES] = pid

    def start(
        self, name: str, words: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None,
        quiet: bool = True,
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start a process; its stdin and stdout are pipes. It says nothing on stderr unless it is not `quiet`."""
        said = self.bench.folder("said") / "stderr"
        plain = {key: value for key, value in os.environ.items() if not key.startswith("AOB_")}
        with said.open("wb") as out:
            process = subprocess.Popen(
                words, env={**plain, **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out,
                cwd=cwd or ROOT.parent, start_new_session=True,
            )  # fmt: skip
        self.pids[name] = process.pid
        self._begun.append((name, process, said if quiet else Path(os.devnull)))
        return process

    def aob(self, name: str, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a command of this tree."""
        return self.start(name, [sys.executable, "-m", "aob.cli", *words], env)

    def begin(self) -> None:
        """From here on counts."""
        self._before = self._now()

    def taken(self) -> Taken:
        """CPU seconds of each since `begin`."""
        return Taken({name: value - self._before[name] for name, value in self._now().items()})

    def _now(self) -> dict[str, float]:
        return {self.own: time.process_time(), **{name: tree_s(pid) for name, pid in self.pids.items()}}

    def end(self) -> None:
        """Stop all, the last started first; stopping twice is fine. Raises RuntimeError with the words of one that said
        something."""
        odd: list[str] = []
        while self._begun:
            name, process, said = self._begun.pop()
            try:
                process.terminate()
                process.communicate(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                odd.append(f"{name} did not stop")
            finally:
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        pipe.close()
                _kill_group(process.pid)
                process.wait()
            words = [line for line in said.read_text(errors="replace").splitlines() if not INFO.search(line)]
            if words:
                odd.append(f"{name} said: {words[-20:]}")
        if odd:
            raise RuntimeError("; ".join(odd))


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def processes(bench: Bench) -> Iterator[Processes]:
    """Processes that are gone when it is left."""
    one = Processes(bench)
    try:
        yield one
    except BaseException:
        try:
            one.end()
        except RuntimeError as said:
            print(said, file=sys.stderr)
        raise
    one.end()


@contextmanager
def on_server(bench: Bench) -> Iterator[tuple[Processes, str]]:
    """A Postgres server that syncs: the URL of its owner, and processes among which the server is one.

    Where only its working counts it is the server of the test run.
    """
    from tests.servers.postgres import name_run, server, shared, shared_pid

    if bench.small:
        name_run()
        url = shared()
        with processes(bench) as at:
            at.server(shared_pid())
            yield at, url
        return
    with server({"fsync": "on", "shared_buffers": "256MB"}) as one, processes(bench) as at:
        at.server(one.pid)
        yield at, one.url


@contextmanager
def on_postgres(bench: Bench, shards: int = 16) -> Iterator[tuple[Processes, str]]:
    """The same with a fresh schema as `aob db init` makes it: its URL."""
    from tests.servers.fixtures import dropped, made_schema

    with on_server(bench) as (at, owner):
        schema = made_schema(owner, shards)
        yield at, schema.url
        at.end()
        dropped(schema)


def variables(url: str) -> dict[str, str]:
    """What a home on this store has in its environment."""
    from tests.servers.fixtures import MASTER_KEY

    return {"AOB_STORE": url, "AOB_MASTER_KEY": MASTER_KEY}


@contextmanager
def on_database(bench: Bench) -> Iterator[tuple[Processes, str]]:
    """The same with an empty database: the URL of its owner."""
    import psycopg

    with on_server(bench) as (at, owner):
        name = f"d_{secrets.token_hex(6)}"
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
            yield at, owner.rpartition("/")[0] + f"/{name}"
            at.end()
            connection.execute(f"drop database {name} with (force)".encode())


async def told(process: subprocess.Popen[bytes], right: Callable[[bytes], bool]) -> bytes:
    """The first line on its stdout that is right. Raises RuntimeError when it ends before."""
    assert process.stdout is not None
    async with asyncio.timeout(READY_S):
        while line := await asyncio.to_thread(process.stdout.readline):
            if right(line):
                return line
    raise RuntimeError(f"{process.args!r} ended")


async def event(process: subprocess.Popen[bytes], name: str) -> dict[str, object]:
    """The next event of this name of a command with --json."""
    line = await told(process, lambda line: json.loads(line).get("event") == name)
    return dict(json.loads(line))
