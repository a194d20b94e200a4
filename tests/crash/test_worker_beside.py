"""A worker beside other roles of one process: its handlers are in a process of their own, which dies alone."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("grpc")

from tests.crash.cluster import KEY, cluster
from tests.crash.test_coordinators import loaded
from tests.crash.test_kill_on_postgres import FLOW, Load, schema
from tests.servers.fixtures import Schema

__all__ = ["schema"]
pytestmark = pytest.mark.timeout(120)


def pids(ledger: Path) -> list[int]:
    """The processes that performed something, in order."""
    return [int(line.partition(" ")[0]) for line in ledger.read_text().splitlines()] if ledger.exists() else []


async def test_all_roles_in_one_process_outlive_the_death_of_their_handlers(tmp_path: Path, schema: Schema) -> None:
    load = Load()
    async with cluster(tmp_path, schema) as made:
        made.env = {"AOB_API_KEY": KEY}
        member, client = await made.several("one", "api,coordinator,metrics,fanout,worker")
        assert member.process.stdout is not None
        while b"connected" not in (line := await member.process.stdout.readline()):
            assert line
        await client.push(FLOW)
        async with loaded(client, load):
            await load.until(5)
            ran = (await asyncio.to_thread(pids, made.ledger))[-1]
            assert ran != member.pid
            os.kill(ran, signal.SIGKILL)
            await load.until(5)
        await load.settled(client, made.ledger)
        assert len(set(pids(made.ledger))) == 2
        member.process.terminate()
        assert await member.process.wait() == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pids(made.ledger)[-1], 0)
