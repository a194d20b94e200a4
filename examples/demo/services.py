"""What the demo runs on: a folder, the example's services and the platform, each a process of its own.

In: where the example lies and where to work. Out: ports, a URL, and the platform's process to kill and start again.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from aob.core.errors import NotFound, Unavailable

WRITTEN_PORTS: Final = {"shop": 7801, "smtp": 7802, "hooks": 7803, "store": 7811}
"""The ports that stand in the example's files; the demo puts the real ones in their place."""
LIBRARIES: Final = ("aiosmtpd", "starlette", "obstore", "apprise", "duckdb", "datasketches")
"""What the example and its numbers import beyond the base install."""
MARK: Final = ".aob-demo"
READY_S_MAX: Final = 20.0
STOP_S_MAX: Final = 5.0
LOOPBACK: Final = "127.0.0.1"
RUN_CLI: Final = "import sys; from aob.cli import main; sys.exit(main())"


def equipped() -> None:
    """Raises Unavailable `not_installed`, naming all libraries of the extra `demo` that are missing."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"the demo needs what is not installed: {', '.join(missing)}", code="not_installed",
            hint="pip install 'agentic-orchestration-builder[demo]', or `make demo` in a checkout",
        )  # fmt: skip


def example_folder(name: str = "order") -> Path:
    """The folder of an example, beside this one."""
    return Path(__file__).parents[1] / name


def fresh_folder(folder: Path) -> Path:
    """An empty folder to work in. A folder that an earlier demo made is emptied, any other one is left alone."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise NotFound(f"{folder} is not empty and no demo made it", hint="name another folder with --home")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("made by aob demo; it empties this folder at its next start\n")
    return folder


def free_port() -> int:
    """A port on loopback that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def services(example: Path, keep: Path) -> AsyncIterator[Mapping[str, int]]:
    """The shop, the mail sink and the webhook receiver of the example, by port; they end with the block."""
    command = [sys.executable, "-m", example.name, "--keep", str(keep)]
    process = await asyncio.create_subprocess_exec(
        *command, "--shop-port=0", "--smtp-port=0", "--hooks-port=0", "--with-parent",
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
        env={**os.environ, "PYTHONPATH": str(example.parent)},
    )  # fmt: skip
    try:
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), READY_S_MAX)
        if not line:
            raise Unavailable("the services of the demo did not start", hint="`make demo` installs what they need")
        yield json.loads(line)
    finally:
        await stop(process)


async def stop(process: Process) -> None:
    """End a process that we started: politely, then for sure."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_S_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()


def furnish(home: Path, example: Path, ports: Mapping[str, int]) -> bytes:
    """Write the home's settings and scripts with the real ports; answers the workflow, which is in a file beside."""
    (home / "scripts").mkdir(parents=True)
    for folder in (example, example_folder("shop")):
        for path in sorted((folder / "scripts").glob("*.yaml")):
            (home / "scripts" / path.name).write_text(with_ports(path.read_text(), ports))
    settings = (example / "aob.toml").read_text()
    reached = f'"127.0.0.1:{WRITTEN_PORTS["hooks"]}"'
    settings = settings.replace(reached, f'{reached}, "127.0.0.1:{WRITTEN_PORTS["store"]}"')
    (home / "aob.toml").write_text(with_ports(settings, ports))
    workflow = with_ports((example / "order.yaml").read_text(), ports).encode()
    (home.parent / "order.yaml").write_bytes(workflow)
    return workflow


def with_ports(text: str, ports: Mapping[str, int]) -> str:
    """The text with the real ports in place of those that the example was written with."""
    for name, written in WRITTEN_PORTS.items():
        text = re.sub(rf"\b{written}\b", str(ports[name]), text)
    return text


class Platform:
    """The platform on one home, as a process: started, killed with -9, started again. Entered, it runs."""

    def __init__(self, home: Path, handlers: Path, port: int, env: Mapping[str, str] | None = None) -> None:
        self.home, self._env = home, env
        self.url = f"http://{LOOPBACK}:{port}"
        self._command = [
            sys.executable, "-c", RUN_CLI, "up", "--home", str(home), "--port", str(port), "--app", str(handlers),
        ]  # fmt: skip
        self._process: Process | None = None
        self._said: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Platform":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process:
            await stop(self._process)
            self._process = None
        if self._said:
            await self._said
            self._said = None

    async def start(self) -> float:
        """Start it; answers after how many seconds it took requests. Raises Unavailable with what it said if not."""
        begun = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=PIPE, stderr=STDOUT, env=self._env)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._said = asyncio.create_task(self._listen(self._process, ready))
        await asyncio.wait_for(ready, READY_S_MAX)
        return time.monotonic() - begun

    async def _listen(self, process: Process, ready: "asyncio.Future[None]") -> None:
        """Keep what it says in a file beside the home, and notice the line that gives its address."""
        assert process.stdout
        said = b""
        with (self.home.parent / "platform.log").open("ab") as log:
            async for line in process.stdout:
                log.write(line)
                log.flush()
                said += line
                if self.url.encode() in line and not ready.done():
                    ready.set_result(None)
        if not ready.done():
            ready.set_exception(Unavailable(f"the platform did not start: {said.decode(errors='replace')[-2_000:]}"))

    async def kill(self) -> int:
        """Kill it with -9, as a power cut would; answers the process id that is gone."""
        if not self._process:
            return 0
        self._process.kill()
        await self._process.wait()
        return self._process.pid

    def blobs(self) -> list[tuple[str, int]]:
        """The large values that lie in the home's folder: hash and size in bytes."""
        # A blob lies at TENANT/HH/REST, where HH and REST are its hash.
        return [("".join(name.split("/")[1:]), size) for name, size in _files(self.home / "blobs")]

    def objects(self) -> list[tuple[str, int]]:
        """What the object node stored: name and size in bytes."""
        return _files(self.home / "objects")


def _files(folder: Path) -> list[tuple[str, int]]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in found]
