"""What people meet while partitions move: work that does not end, requests that wait, logs, webhooks, notices, backup
and prune; and who may say how many shards there are."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from aob.compose.files import backup, copying, inspected, restore
from aob.compose.layout import live, place
from aob.compose.layout.moving import planned
from aob.compose.shards import Owners
from aob.compose.shards import sharded as routing
from aob.core.errors import Conflict, Gone, Unavailable
from aob.core.event import partition_of
from aob.core.policy import LOCAL
from aob.runs import keyed_id
from aob.server import create_app, loopback_key, serving
from tests.compose.shard_home import COUNT, WAIT, sharded
from tests.compose.shard_script import written
from tests.compose.test_live_moves import moved_to
from tests.compose.test_prune_shards import steps
from tests.compose.test_shards_set import RUNS, all_there, filled, go
from tests.work.peers import Peer, peer

FUNCTION = {"kind": "function", "config": {"handler": "gate"}}
GO = {"kind": "wait", "config": {"message": "go"}}
AGAIN = {"shard_lost", "shard_down", "partition_moving", "closed", "closing"}
GATED = {"workflow": "gated", "nodes": {"g": FUNCTION, "w": GO}, "edges": {"e": {"from": "g", "to": "w"}}}


async def moving(owners: Owners, workflow: str, inputs: dict[str, Any] | None = None, number: int = 0) -> str:
    """A run whose partition moves when the home gets two shards."""
    moves = {partition for partition, _ in planned(owners.moves.layout, 2)}
    while partition_of(run_id := f"run_moving{number}", owners.moves.layout.partitions) not in moves:
        number += 1
    await owners.verbs.start(LOCAL, workflow, inputs or {}, run_id=run_id)
    return run_id


def only(monkeypatch: pytest.MonkeyPatch, moves: Callable[[int], bool]) -> None:
    """Only these partitions move, for a commit takes its time."""
    monkeypatch.setattr(
        live, "planned", lambda layout, shards: [each for each in planned(layout, shards) if moves(each[0])]
    )


def of(owners: Owners, run_id: str) -> int:
    return partition_of(run_id, owners.moves.layout.partitions)


@asynccontextmanager
async def held(owners: Owners, run_id: str) -> AsyncIterator[None]:
    """The partition of a run is on its way, until it stays after all."""
    shard, partition = owners.verbs._shards[0], of(owners, run_id)
    await shard.call("move_hold", None, partition)
    try:
        yield
    finally:
        await shard.call("move_stay", None, partition)
        owners.verbs.told(owners.moves.layout)


async def test_a_partition_whose_work_does_not_end_stays_undisturbed_and_the_next_call_moves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "QUIET_S", 0.05)
    monkeypatch.setattr(live, "STEP_S", 60.0)
    os.mkfifo(pipe := tmp_path / "gate")
    async with sharded(tmp_path / "home", 1, GATED) as owners:
        run_id = await moving(owners, "gated", {"gate": str(pipe)})
        only(monkeypatch, lambda partition: partition in (of(owners, run_id), 63))
        told = await owners.moves.set_shards(LOCAL, 2)
        assert [(each["partition"], each["code"]) for each in told["stayed"]] == [
            (of(owners, run_id), "partition_busy")
        ]
        assert (len(told["moved"]), told["left"]) == (1, 1)
        await asyncio.to_thread(pipe.write_text, "well")
        async for _, name, _ in owners.verbs.follow(LOCAL, run_id=run_id):
            if name == "wait_opened":
                break
        assert owners.moves.layout.shard_of(run_id) == 0
        told = await owners.moves.set_shards(LOCAL, 2)
        assert [(each["partition"], each["runs"]) for each in told["moved"]] == [(of(owners, run_id), 1)]
        assert not told["left"]
        await go(owners.verbs, [run_id])
        nodes = (await owners.verbs.run(LOCAL, run_id))["nodes"]
        assert (nodes["g"]["attempt"], nodes["g"]["output"]) == (1, "well")


async def test_a_partition_whose_jobs_no_worker_has_begun_moves_under_a_backlog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(pipe := tmp_path / "gate")
    written(tmp_path / "home", "concurrency = 1\n")
    async with sharded(tmp_path / "home", 1, GATED) as owners:
        first = await moving(owners, "gated", {"gate": str(pipe)})
        (tmp_path / "open").write_text("at once")
        run_id = await moving(owners, "gated", {"gate": str(tmp_path / "open")}, 3)
        assert of(owners, run_id) != of(owners, first)
        only(monkeypatch, lambda partition: partition == of(owners, run_id))
        (moved,) = (await owners.moves.set_shards(LOCAL, 2))["moved"]
        assert (moved["partition"], moved["runs"]) == (of(owners, run_id), 1)
        await go(owners.verbs, [run_id])  # while the one worker of shard 0 is still at work
        told = await owners.verbs.run(LOCAL, run_id)
        assert (told["nodes"]["g"]["attempt"], told["nodes"]["g"]["output"]) == (1, "at once")
        await asyncio.to_thread(pipe.write_text, "well")
        await go(owners.verbs, [first])


@pytest.mark.parametrize("limit", ["HELD_S", "HELD_MAX", "HELD_BYTES"])
async def test_a_request_that_waits_too_long_or_with_too_many_others_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(routing, "HELD_S", 60.0)
    async with sharded(tmp_path, 1, WAIT, COUNT) as owners:
        views, run_id = owners.verbs, await moving(owners, "wait")
        app = create_app(views, owners.running.metrics, owners.moves)
        own = {"authorization": f"Bearer {await loopback_key(tmp_path, owners.verbs)}"}
        async with serving(app) as url, httpx.AsyncClient(base_url=url, headers=own) as client, held(owners, run_id):
            entered, until_moved = asyncio.Event(), views._until_moved

            async def entering(*given: Any) -> None:
                entered.set()
                await until_moved(*given)

            monkeypatch.setattr(views, "_until_moved", entering)
            waits = asyncio.create_task(views.message(LOCAL, run_id, "go"))
            await entered.wait()
            monkeypatch.setattr(routing, limit, {"HELD_S": 0, "HELD_MAX": 1, "HELD_BYTES": 2_000}[limit])
            body = {"name": "other", "payload": "x" * 2_000}
            refused = [await client.post(f"/v1/runs/{run_id}/messages", json=body)]
            keys = (f"key{number}" for number in count())
            key = next(key for key in keys if of(owners, keyed_id(LOCAL.tenant, "count", key)) == of(owners, run_id))
            body = {"workflow": "count", "inputs": {"n": 1, "note": "x" * 2_000}, "key": key}
            refused.append(await client.post("/v1/runs", json=body))
            for answer in refused:
                assert answer.status_code == 503, answer.text
                assert answer.json()["code"] == "partition_moving"
                assert int(answer.headers["retry-after"]) >= 1
            assert not waits.done()
        await waits
        assert (await views.wait(LOCAL, run_id, 20_000))["status"] == "COMPLETED"
        assert (views._waiting.number, views._waiting.bytes) == (0, 0)
        assert (await views.start(LOCAL, "count", body["inputs"], key=key))["created"]


async def test_the_lines_of_a_log_go_on_over_a_move_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"kind": "function", "config": {"handler": "says"}}
    says = {"workflow": "saying", "nodes": {"a": node, "w": GO, "b": node},
            "edges": {"e": {"from": "a", "to": "w"}, "f": {"from": "w", "to": "b"}}}  # fmt: skip
    async with sharded(tmp_path, 1, says) as owners:
        run_id = await moving(owners, "saying")
        lines = owners.verbs.logs(LOCAL, run_id, follow=True)
        found = [msgspec.json.decode(await anext(lines))]
        more = asyncio.create_task(rest(lines))
        only(monkeypatch, lambda partition: partition == of(owners, run_id))
        assert await moved_to(owners, 2) == 1
        assert owners.moves.layout.shard_of(run_id) == 1
        await go(owners.verbs, [run_id])
        found += map(msgspec.json.decode, await more)
        assert [line["visit"] for line in found] == ["a", "b"]
        again = [msgspec.json.decode(line) async for line in owners.verbs.logs(LOCAL, run_id)]
        assert again == found


async def rest(lines: AsyncIterator[str]) -> list[str]:
    return [line async for line in lines]


async def test_webhooks_and_notices_of_a_run_that_moved_are_delivered_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = {"kind": "approval", "config": {"role": "finance", "text": "Well?", "notify": ["webhook:ops"]}}
    asks = {"workflow": "asks", "nodes": {"w": GO, "a": ask}, "edges": {"e": {"from": "w", "to": "a"}}}
    async with peer() as ops:
        ops.answer("/runs")
        ops.answer("/hook")
        home = tmp_path / "home"
        written(home, f'[egress]\nprivate = ["127.0.0.1:{ops.port}"]\n[notify.targets]\nops = "{ops.url}/hook"\n')
        async with sharded(home, 1, asks) as owners:
            owners.running.notices.base_url = ops.url
            await owners.running.metrics.create_webhook(LOCAL, f"{ops.url}/runs", runs=["*"])
            run_id = await moving(owners, "asks")
            await ops.asked(1)
            only(monkeypatch, lambda partition: partition == of(owners, run_id))
            assert await moved_to(owners, 2) == 1
            await owners.verbs.message(LOCAL, run_id, "go")
            await told_of(ops, "/hook", 1)
            (ticket,) = await owners.verbs.tickets(LOCAL)
            await owners.verbs.answer(LOCAL, ticket["ticket_id"], "approve")
            assert (await owners.verbs.wait(LOCAL, run_id, 20_000))["status"] == "COMPLETED"
            while not Counter(messages(ops))["run.completed"]:
                await ops.asked(len(ops.requests) + 1)
        assert Counter(messages(ops)) == {"run.running": 1, "run.completed": 1}
        assert ops.paths().count("/hook") == 1


async def told_of(ops: Peer, path: str, count: int) -> None:
    while ops.paths().count(path) < count:
        await ops.asked(len(ops.requests) + 1)


def messages(ops: Peer) -> list[str]:
    return [msgspec.json.decode(asked.body)["type"] for asked in ops.requests if asked.target == "/runs"]


async def test_a_backup_over_a_move_is_refused_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, copied = tmp_path / "home", copying._copied
    home.mkdir()
    ended, waiting = await filled(home)
    only(monkeypatch, lambda partition: not partition % 8)
    async with sharded(home, 1) as owners:
        loop = asyncio.get_running_loop()

        def over(path: Path, to: Path) -> int:
            size = copied(path, to)
            if path.name == "shard-0.db":
                asyncio.run_coroutine_threadsafe(owners.moves.set_shards(LOCAL, 2), loop).result()
            return size

        with monkeypatch.context() as during:
            during.setattr(copying, "_copied", over)
            with pytest.raises(Conflict) as refused:
                await asyncio.to_thread(backup, home, tmp_path / "torn")
        assert refused.value.code == "partitions_moved"
        await moved_to(owners, 2)
        await asyncio.to_thread(backup, home, tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "again")
    async with sharded(tmp_path / "again", 2) as owners:
        await all_there(owners.verbs, ended, waiting)
        await go(owners.verbs, waiting)


async def test_prune_between_and_during_moves_removes_exactly_what_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, waiting = await filled(tmp_path)
    mine = {partition_of(run_id, 64) for run_id in waiting}
    only(monkeypatch, lambda partition: partition in mine)
    async with sharded(tmp_path, 1) as owners:
        verbs, clock = owners.verbs, owners.verbs._local.core.journal.clock
        for shards, more in ((2, waiting[:6]), (1, waiting[6:])):
            task, left = asyncio.create_task(moved_to(owners, shards)), ended
            while left or not task.done():
                try:
                    await steps(owners, clock.now())
                    left = [run_id for run_id in left if not await gone(verbs, run_id)]
                except Unavailable as error:  # the owner of a shard was replaced meanwhile: say it again
                    if error.code not in AGAIN:
                        raise
            await task
            waiting = [run_id for run_id in waiting if run_id not in ended]
            for run_id in waiting:
                assert (await verbs.run(LOCAL, run_id))["status"] == "WAITING"
            assert len(await verbs.tickets(LOCAL)) == RUNS
            await go(verbs, more)
            ended = more
    assert all(seen.well for seen in inspected(tmp_path, deep=True))


async def gone(verbs: Any, run_id: str) -> bool:
    try:
        await verbs.run(LOCAL, run_id)
    except Gone:
        return True
    return False


async def test_only_the_key_of_the_home_moves_and_another_tenant_sees_nothing(tmp_path: Path) -> None:
    async with (
        sharded(tmp_path, 1) as owners,
        serving(create_app(owners.verbs, owners.running.metrics, owners.moves)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):

        async def asks(secret: str) -> tuple[httpx.Response, httpx.Response]:
            key = {"authorization": f"Bearer {secret}"}
            return (await client.get("/v1/shards", headers=key),
                    await client.put("/v1/shards", headers=key, json={"shards": 1}))  # fmt: skip

        async def made(**body: Any) -> str:
            own = {"authorization": f"Bearer {await loopback_key(tmp_path, owners.verbs)}"}
            answer = await client.post("/v1/keys", headers=own, json=body)
            assert answer.status_code == 201, answer.text
            return str(answer.json()["secret"])

        shown, moved = await asks(await loopback_key(tmp_path, owners.verbs))
        assert (shown.status_code, moved.status_code) == (200, 200)
        shown, moved = await asks(await made(name="chief", roles=["admin"]))
        assert (shown.status_code, moved.status_code) == (200, 403)
        assert "own key" in moved.text
        others = [
            await made(name="guest", roles=["admin"], tenant="other"),
            await made(name="all", roles=["view"]),
        ]
        for secret in others:
            shown, moved = await asks(secret)
            assert (shown.status_code, moved.status_code) == (403, 403)
            assert "shard-0" not in shown.text
