"""What the demo stands on: a folder, the example's services and the platform, each a process of its own.

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
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

import aob
from aob.core.errors import NotFound, Unavailable

WRITTEN_PORTS: Final = {"shop": 7801, "smtp": 7802, "hooks": 7803}
"""The ports that stand in the example's files; the demo puts the real ones in their place."""
MARK: Final = ".aob-demo"
READY_S_MAX: Final = 20.0
STOP_S_MAX: Final = 5.0
LOOPBACK: Final = "127.0.0.1"


def example_folder() -> Path:
    """The folder of `examples/order`: inside the installed package, or beside it in a checkout."""
    package = Path(aob.__file__).parent
    for folder in (package / "examples" / "order", package.parents[1] / "examples" / "order"):
        if (folder / "order.yaml").is_file():
            return folder
    raise NotFound("the example of the demo is not here", hint="run the demo in a checkout, by `make demo`")


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
        *command, "--shop-port=0", "--smtp-port=0", "--hooks-port=0", stdout=PIPE, stderr=DEVNULL,
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


def furnish(home: Path, example: Path, ports: Mapping[str, int]) -> Path:
    """Write the home's settings and scripts and the workflow with the real ports; answers the workflow's file."""
    (home / "scripts").mkdir(parents=True)
    for path in sorted((example / "scripts").glob("*.yaml")):
        shutil.copy(path, home / "scripts" / path.name)
    (home / "aob.toml").write_text(with_ports((example / "aob.toml").read_text(), ports))
    workflow = home.parent / "order.yaml"
    workflow.write_text(with_ports((example / "order.yaml").read_text(), ports))
    return workflow


def with_ports(text: str, ports: Mapping[str, int]) -> str:
    """The text with the real ports in place of those that the example was written with."""
    for name, written in WRITTEN_PORTS.items():
        text = re.sub(rf"\b{written}\b", str(ports[name]), text)
    return text


class Platform:
    """The platform on one home, as a process: started, killed with -9, started again. Entered, it runs."""

    def __init__(self, home: Path, handlers: Path, port: int) -> None:
        self.home = home
        self.url = f"http://{LOOPBACK}:{port}"
        self._command = [
            sys.executable, "-m", "aob.cli", "up", "--home", str(home), "--port", str(port), "--app", str(handlers),
        ]  # fmt: skip
        self._process: Process | None = None

    async def __aenter__(self) -> "Platform":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process:
            await stop(self._process)
            self._process = None

    async def start(self) -> None:
        """Start it and come back when it takes requests. Raises Unavailable with what it said when it does not."""
        with (self.home.parent / "platform.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdout=log, stderr=log)
        async with httpx.AsyncClient(base_url=self.url, timeout=1.0) as probe:
            async with asyncio.timeout(READY_S_MAX):
                while not await self._answers(probe):
                    await asyncio.sleep(0.02)

    async def _answers(self, probe: httpx.AsyncClient) -> bool:
        if self._process and self._process.returncode is not None:
            said = (self.home.parent / "platform.log").read_text(errors="replace")[-2_000:]
            raise Unavailable(f"the platform did not start:\n{said}")
        try:
            return (await probe.get("/health/ready")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def kill(self) -> int:
        """Kill it with -9, as a power cut would; answers the process id that is gone."""
        if not self._process:
            return 0
        self._process.kill()
        await self._process.wait()
        return self._process.pid
