"""Processes that begin with the program imported: forks of one that did this once, for a tenth of the CPU of a start.
What a start imports and what an interpreter says at its end is seen by the tests that start it whole."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

FORKS: Final = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([
    "tests.servers.forks", "tests.crash.life", "aob.cli.session", "aob.compose.executor", "aob.compose.front",
    "aob.compose.roles", "aob.compose.shards.embedded", "aob.compose.shards.owners", "aob.compose.status",
    "cel_expr_python.cel", "google.protobuf.text_format", "psycopg",
])  # fmt: skip
LIFE_S: Final = 60.0


def ended(words: Sequence[str], env: Mapping[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """A command of the program in this folder, with these variables alone. Raises TimeoutExpired if it does not end."""
    with tempfile.TemporaryDirectory() as said:
        out, error = Path(said, "out"), Path(said, "error")
        child = FORKS.Process(target=_main, args=(list(words), dict(env), str(folder), str(out), str(error)))
        child.start()
        child.join(LIFE_S)
        code = child.exitcode
        if code is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired(list(words), LIFE_S, out.read_text(), error.read_text())
        child.close()
        return subprocess.CompletedProcess(list(words), code, out.read_text(), error.read_text())


class _Said(asyncio.StreamReaderProtocol):
    """What a process says, until it says no more: that ends the pipe, with every loop."""

    def eof_received(self) -> bool:
        super().eof_received()
        return False


class Fork:
    """A process of the program that goes on, with what the tests need of asyncio's `Process`."""

    def __init__(self, process: Any, stdout: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self.pid: int = process.pid
        self.returncode: int | None = None
        self.stdout = stdout
        self._process, self._transport = process, transport
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._loop.add_reader(process.sentinel, self._ended)

    def _ended(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._process.join()
        self.returncode = self._process.exitcode
        self._process.close()
        self._over.set()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    async def wait(self) -> int:
        """How it ended."""
        await self._over.wait()
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, None]:
        """The rest of what it says, once it has ended."""
        rest = await self.stdout.read()
        await self.wait()
        self._transport.close()
        return rest, None


async def begun(words: Sequence[str], env: Mapping[str, str]) -> Fork:
    """A process of the program with these variables alone; its errors go where ours go."""
    mine, yours = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_saying, args=(list(words), dict(env), os.getcwd(), yours))
    process.start()
    yours.close()
    with mine:
        said = os.fdopen(os.dup(mine.fileno()), "rb", 0)
    stdout = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _Said(stdout), said)
    return Fork(process, stdout, transport)


def _saying(words: list[str], env: dict[str, str], folder: str, said: Connection) -> None:
    os.chdir(folder)
    os.dup2(said.fileno(), 1)
    said.close()
    _perform(words, env)


def _main(words: list[str], env: dict[str, str], folder: str, out: str, error: str) -> None:
    os.chdir(folder)
    for path, handle in ((out, 1), (error, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), handle)
    _perform(words, env)


def _perform(words: list[str], env: dict[str, str]) -> None:
    from aob.cli import main

    os.environ.clear()
    os.environ.update(env)
    sys.path.insert(0, os.getcwd())  # as `python -m` does
    sys.exit(main(words))
