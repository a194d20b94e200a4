"""kill -9 between the steps of whoever follows commits: what was read is acted on, and what is repeated has its id."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose import App
from tests.crash.readers_life import main, settings, started
from tests.runs.home import Deed, chain, finished, flow, fn
from tests.servers.forks import FORKS
from tests.work.peers import Peer, peer

LIFE_S = 30
ALERT = """
alert: busy
version: 1
metric: runs_finished
window: all
when: value > 0
start: {workflow: incident, cooldown: 1d, open_runs: 1}
"""
ASK = {"kind": "approval", "config": {"text": "Ship?", "notify": ["webhook:ops"]}, "timeout": {"deadline": "1d"}}
POINTS = [
    ("numbers.read", 1), ("numbers.read", 2), ("numbers.folded", 1), ("numbers.folded", 2), ("metrics.kept.before", 1),
    ("metrics.kept.after", 1), ("webhook.read", 3), ("webhook.sent", 1), ("webhook.sent", 6), ("notice.read", 2),
    ("notice.sent", 1), ("webhooks.kept.before", 1), ("webhooks.kept.after", 2), ("alert.read", 1), ("alert.read", 2),
    ("alert.commit.before", 1), ("alert.commit.after", 1), ("alert.commit.after", 2), ("alert.commit.after", 3),
    ("alert.commit.before", 4), ("alert.commit.after", 4),
]  # fmt: skip


@pytest.fixture
async def world() -> AsyncIterator[Peer]:
    async with peer() as it:
        it.answer("/notices")
        it.answer("/hook")
        yield it


async def made(home: Path, world: Peer) -> None:
    """A home whose readers have somebody to tell, and nothing to tell yet."""
    async with aob.open(home, app=Deed().handlers(), **settings(world.port)) as app:
        documents = [chain("one", "echo", "echo"), chain("incident", "echo"), flow("wrong", {"a": fn("wrong")})]
        for document in (*documents, flow("ship", {"ok": ASK})):
            await app.push(document)
        await app.push_contracts({"alert.yaml": ALERT})
        await app.metrics.create_webhook(app.who, world.url + "/hook", runs=["*"], alerts=["busy"])


def bodies(world: Peer, path: str) -> list[tuple[dict[str, str], Any]]:
    return [(asked.headers, msgspec.json.decode(asked.body)) for asked in world.requests if asked.target == path]


async def incidents(app: App) -> list[str]:
    """The runs that the alert has started."""
    listed = (await app.views.runs(app.who, limit=50))["runs"]
    return [row["run_id"] for row in listed if row["workflow"] == "incident"]


async def all_told(app: App, world: Peer, runs: list[str], ended: list[str]) -> None:
    """Waits until each run and each ticket, the alert and the run that it starts were told of at least once."""

    def told() -> bool:
        hooks = [msgspec.json.encode(body).decode() for _, body in bodies(world, "/hook")]
        notices = {body["run"] for _, body in bodies(world, "/notices")}
        return (
            all(sum(run in hook for hook in hooks) >= 1 + (run in ended) for run in runs)
            and notices >= set(runs) - set(ended)
            and any('"busy"' in hook for hook in hooks)
            and any('"incident"' in hook for hook in hooks)
        )

    while not told():
        await world.asked(len(world.requests) + 1)


@pytest.mark.parametrize(("point", "count"), POINTS)
async def test_a_reader_that_is_killed_loses_nothing_and_repeats_under_one_id(
    tmp_path: Path, world: Peer, point: str, count: int
) -> None:
    home = tmp_path / "home"
    await made(home, world)
    child = FORKS.Process(target=main, args=(str(home), world.port, point, count))
    child.start()
    await asyncio.to_thread(child.join, LIFE_S)
    if child.exitcode is None:
        child.kill()
    assert child.exitcode == -signal.SIGKILL, f"nothing came to {point}"
    async with aob.open(home, app=Deed().handlers(), **settings(world.port)) as app:
        runs = await started(app)
        ended = runs[:-2]
        for run in ended:
            await finished(app, run)
        await all_told(app, world, runs, ended)
        incident = (await incidents(app))[0]
        await finished(app, incident)
        assert app.wiring is not None
        await app.wiring.platform.caught_up(app.views.core.journal.durable_row, 10)
        for metric, value in (
            ("runs_started", len(runs) + 1),
            ("runs_finished", len(ended) + 1),
            ("approvals_opened", 2),
        ):
            assert (await app.metric(metric, window="all"))["value"] == value, metric
        assert await incidents(app) == [incident], "the alert started its workflow once"
    one_id_each(world)


def one_id_each(world: Peer) -> None:
    """What says the same has the same id, and what has the same id says the same."""
    told = defaultdict[str, set[str]](set)
    for path, name in (("/hook", "webhook-id"), ("/notices", "idempotency-key")):
        for headers, body in bodies(world, path):
            about = body["data"] if path == "/hook" else {"ticket": body["ticket"], "what": body["what"]}
            told[path + msgspec.json.encode(about, order="sorted").decode()].add(headers[name])
    assert {about: ids for about, ids in told.items() if len(ids) > 1} == {}
    ids = [id for each in told.values() for id in each]
    assert len(ids) == len(set(ids))
