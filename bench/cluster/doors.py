"""Commands of this tree as processes that a measure asks over HTTP: a home on Postgres, an api before it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from subprocess import Popen

import httpx

from bench.measures.serving import Served
from bench.processes import Processes, told, variables


@asynccontextmanager
async def home(at: Processes, url: str, *words: str) -> AsyncIterator[Served]:
    """`aob up` on a store, with the handlers of the bench."""
    folder = at.bench.folder("home")
    process = at.aob(
        "home", "up", "--home", str(folder), "--port", "0", "--app", "bench.handlers", "--json", *words,
        env=variables(url),
    )  # fmt: skip
    address = await _address(process)
    async with _asked(address, (folder / "key").read_text().strip(), process) as served:
        yield served


@asynccontextmanager
async def api(at: Processes, coordinator: str, key: str) -> AsyncIterator[Served]:
    """`aob serve api` before the process that holds the home."""
    folder = at.bench.folder("api")
    process = at.aob(
        "api", "serve", "api", "--home", str(folder), "--coordinator", coordinator, "--port", "0", "--json"
    )  # fmt: skip
    async with _asked(await _address(process), key, process) as served:
        yield served


async def _address(process: "Popen[bytes]") -> str:
    return str(json.loads(await told(process, lambda line: b'"url"' in line))["url"])


@asynccontextmanager
async def _asked(url: str, key: str, process: "Popen[bytes]") -> AsyncIterator[Served]:
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=60) as client:
        (await client.get("/health/ready")).raise_for_status()
        yield Served(client, process)
