"""A real HAProxy with the configuration of `deploy/edge`, and small servers that stand for API processes."""

import asyncio
import os
import shutil
import ssl
import subprocess
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.servers.listening import listening
from tests.servers.ports import free_port

ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = ROOT / "deploy" / "edge" / "haproxy.cfg"
HAPROXY: Final = shutil.which("haproxy") or ("/usr/sbin/haproxy" if Path("/usr/sbin/haproxy").exists() else "")
OPENSSL: Final = shutil.which("openssl") or ""
WAIT_S: Final = 60
MISSING: Final = "" if HAPROXY and OPENSSL else "haproxy or openssl is not installed: apt-get install haproxy openssl"


def made_certificate(folder: Path) -> Path:
    """A certificate for localhost with its key, in one file; `edge.crt` beside it is what clients trust."""
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "edge.key",
         "-out", folder / "edge.crt"], check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "edge.pem"
    both.write_text((folder / "edge.crt").read_text() + (folder / "edge.key").read_text())
    return both


@asynccontextmanager
async def edge(
    folder: Path, *apis: str, port: int = 0, starts: int = 1_000, fanout: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """HAProxy before these addresses, once it takes connections, and a client that trusts it."""
    port = port or free_port()
    env = {f"AOB_API_{number}": api for number, api in enumerate(apis, 1)}
    env |= {"AOB_EDGE_BIND": f"127.0.0.1:{port}", "AOB_EDGE_CERT": str(made_certificate(folder)),
            "AOB_EDGE_STARTS": str(starts), "PATH": os.environ["PATH"]}  # fmt: skip
    env |= {"AOB_FANOUT_1": fanout} if fanout else {}
    process = await asyncio.create_subprocess_exec(
        HAPROXY, "-db", "-f", str(CONFIG), env=env, stdout=PIPE, stderr=STDOUT
    )
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    assert process.returncode is None, await process.communicate()
                    await moment()
        trust = ssl.create_default_context(cafile=str(folder / "edge.crt"))
        async with httpx.AsyncClient(base_url=f"https://localhost:{port}", verify=trust, timeout=20) as client:
            await until_ready(client)
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def until_ready(client: httpx.AsyncClient) -> None:
    """Wait until the edge has found an API that is ready."""
    async with asyncio.timeout(WAIT_S):
        while (await client.get("/health/live")).status_code == 503:
            await moment()


async def moment() -> None:
    """Before the next look at the edge, which looks after its APIs once a second."""
    await asyncio.sleep(0.02)


class StandIn:
    """A small server in the place of an API process: it is ready, and answers each request with its name. One that
    `breaks` hangs up instead, once it has read a request."""

    def __init__(self, name: str) -> None:
        self.name, self.requests, self.breaks = name, list[str](), False
        self.address = ""
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "StandIn":
        self.address = f"127.0.0.1:{await self._open.enter_async_context(listening(self._serve))}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Take no more connections, and break off those that are open."""
        await self._open.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if "/health/ready" not in head:
                self.requests.append(head)
            size = next(
                (int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")), 0
            )
            await reader.readexactly(size)
            if self.breaks and "/health/" not in head:
                return
            body = self.name.encode()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
