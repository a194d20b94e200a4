"""`aob dev`: a home whose handlers follow their file; a broken one changes nothing, what has begun ends as it began."""

import asyncio
import os
from pathlib import Path

import pytest

pytest.importorskip("grpc")
pytest.importorskip("watchfiles")

from aob.client import AsyncClient
from aob.core.errors import AobError
from tests.runs.home import flow, fn
from tests.worker.command import Command
from tests.worker.polling import pause, until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need a Unix")

CODE = """
import asyncio
from pathlib import Path
import aob

@aob.node(effect="none")
async def says(value=None):
    return VERSION

@aob.node
async def waits(value, ctx):
    Path(value + ".begun").touch()
    while not Path(value).exists():
        await asyncio.sleep(0.02)
    return VERSION

VERSION = 1
"""


async def ended(client: AsyncClient, run_id: str) -> object:
    async with asyncio.timeout(30):
        while True:
            run = await client.run(run_id)
            if run["status"] != "RUNNING":
                assert run["status"] == "COMPLETED", run
                return run["output"]
            await pause(0.02)


async def said(client: AsyncClient) -> object:
    return await ended(client, (await client.start("says", {}))["run_id"])


async def connected(command: Command, builds: set[object]) -> None:
    """A process with code that none had before is at work. One change of a file may be seen as two, and a process of
    the code before then connects once more."""
    new = await asyncio.to_thread(
        command.until, "loaded", lambda facts: facts["handlers"] == ["says", "waits"] and facts["build"] not in builds
    )
    builds.add(new["build"])
    await asyncio.to_thread(command.until, "connected", lambda facts: facts["pid"] == new["pid"])


async def test_handlers_follow_their_file(tmp_path: Path) -> None:
    file, gate = tmp_path / "flows.py", tmp_path / "gate"
    file.write_text(CODE)
    command = Command(tmp_path, "flows.py", "--home", "home", "--port", "0", verb="dev")
    client, builds = None, set[object]()
    try:
        await connected(command, builds)
        client = AsyncClient.of_home(tmp_path / "home")
        await client.push(flow("says", {"a": fn("says")}))
        await client.push(flow("waits", {"a": fn("waits", input={"value": f"'{gate}'"})}))
        assert await said(client) == 1
        begun = (await client.start("waits", {}))["run_id"]
        await until((tmp_path / "gate.begun").exists)

        file.write_text(CODE.replace("VERSION = 1", "VERSION = 2"))
        await connected(command, builds)
        assert await said(client) == 2

        file.write_text(CODE.replace("VERSION = 1", "VERSION = (3"))
        broken = await asyncio.to_thread(command.until, "not_loaded")
        assert broken["keeps"]
        assert broken["problems"][0]["path"] == str(file)
        assert broken["problems"][0]["line"] == 17
        assert await said(client) == 2

        gate.touch()
        assert await ended(client, begun) == 1, "it ended with the code of later"

        file.write_text(CODE.replace("VERSION = 1", "VERSION = 4"))
        await connected(command, builds)
        assert await said(client) == 4
        assert await asyncio.to_thread(command.end) == 0
        with pytest.raises(AobError):
            await client.health()
    finally:
        if client is not None:
            await client.aclose()
        if command.process.poll() is None:
            command.process.kill()
        await asyncio.to_thread(command.ended)
