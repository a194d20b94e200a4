"""What real processes of a cluster share: settings that are pushed through one, secrets, the key; a kill of the main
one loses none of it, and who has another key or other settings does not start."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aob.client import AsyncClient
from aob.core.errors import AobError
from tests.servers.fixtures import MASTER_KEY, Schema, dropped, made_schema
from tests.worker.polling import pause

pytestmark = pytest.mark.timeout(120)
SECRET = "of-the-root-of-these-tests"  # of this test
PLACES = ("--peers", "127.0.0.1:0", "--port", "0")


class Processes:
    """Commands that run until the test ends."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        self.folder, self.running = folder, list[Process]()
        self.env = {**os.environ, "AOB_STORE": schema.url, "AOB_MASTER_KEY": MASTER_KEY, "AOB_LEASE_S": "2",
                    "AOB_API_KEYS": f"root:{SECRET}:admin+view"}  # fmt: skip

    async def serve(self, role: str, name: str, *words: str, **env: str) -> tuple[Process, Any]:
        """A process of a role, and the first line that it says; or the problem with which it ends."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "aob.cli", "serve", role, "--json", "--home", str(self.folder / name), *words,
            stdout=PIPE, stderr=PIPE, env={**self.env, **env},
        )  # fmt: skip
        self.running.append(process)
        assert process.stdout is not None
        if line := await process.stdout.readline():
            return process, msgspec.json.decode(line)
        _, said = await process.communicate()
        return process, said.decode()


@pytest.fixture
async def processes(postgres_url: str, tmp_path: Path) -> AsyncIterator[Processes]:
    schema = made_schema(postgres_url, 2)
    made = Processes(tmp_path, schema)
    yield made
    for process in made.running:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
    await asyncio.gather(*(process.communicate() for process in made.running))
    dropped(schema)


async def test_a_cluster_shares_settings_secrets_and_one_key(processes: Processes, tmp_path: Path) -> None:
    first, one = await processes.serve("coordinator", "one", *PLACES)
    _, two = await processes.serve("coordinator", "two", *PLACES)
    seeds = ("--coordinator", one["peers"], "--coordinator", two["peers"], "--port", "0")
    _, api = await processes.serve("api", "api", *seeds)
    async with AsyncClient(api["url"], key=SECRET) as client:
        await client.push_settings(settings={"egress": {"hosts": ["a.example"]}, "limits": {"rate_limit_rpm": 2}})
        async with asyncio.timeout(20):  # the api hears of it in a moment
            while await _code(client.runs()) != "rate_limited":
                await pause(0.1)
        await client.push_settings(settings={"limits": {"rate_limit_rpm": 0, "tenant_rate_limit_rpm": 0}})
        hook = await client.create_webhook(url="https://a.example/x", events=["run.completed"])
        (tmp_path / "three").mkdir()
        (tmp_path / "three" / "aob.toml").write_text('[egress]\nhosts = ["b.example"]')
        refused = await asyncio.gather(
            processes.serve("coordinator", "three", *PLACES), processes.serve("api", "three-b", *seeds,
                                                                             AOB_RATE_LIMIT_RPM="9"),
            processes.serve("coordinator", "four", *PLACES, AOB_MASTER_KEY="A" * 43),
        )  # fmt: skip
        for (process, said), code in zip(
            refused, ("settings_differ", "settings_differ", "other_master_key"), strict=True
        ):
            assert process.returncode, said
            assert code in said
            assert MASTER_KEY not in said
        first.send_signal(signal.SIGKILL)
        async with asyncio.timeout(40):
            while await _code(client.show_settings()):
                await pause(0.1)
        shown: Any = await client.show_settings()
        assert (shown["version"], shown["settings"]["egress"]["hosts"]) == (2, ["a.example"])
        assert (await client.update_webhook(hook["id"], rotate=True))["secret"] != hook["secret"]
    for name in ("one", "two", "api"):
        assert not (tmp_path / name / "secrets").exists()


async def _code(asked: Any) -> str:
    """The code of an error, empty for an answer."""
    try:
        await asked
    except AobError as error:
        return error.code
    return ""
