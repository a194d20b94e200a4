"""Two shards with a process for the second: verbs reach the owner of a run, and an owner that dies loses nothing."""

import asyncio
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aob.backends.sqlite.store import SqliteStore
from aob.compose.layout import Layout
from aob.compose.lock import owning
from aob.compose.shards import Owners
from aob.core.errors import AobError, Conflict, Invalid, NotFound, Refused, Unavailable
from aob.core.event import held_id
from aob.core.policy import LOCAL, Caller
from tests.compose.shard_home import ASK, COUNT, WAIT, chain, finished, kill, shard_of, sharded, started

pytestmark = pytest.mark.timeout(90)
OTHER = Caller("else", "eve", frozenset({"view", "run", "approve"}))


async def down(owners: Owners) -> int:
    """Kill the second owner and wait until that is noticed: the process that was killed."""
    pid = owners.owned[0].pid
    kill(pid)
    channel = owners.owned[0]._channel
    assert channel is not None
    await channel.ended.wait()
    return pid


async def test_runs_are_spread_and_each_is_worked_on_by_its_own_process(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, chain("where", "says")) as owners:
        verbs = owners.verbs
        feed = verbs.follow(LOCAL, types=frozenset({"run_finished"}))
        first = asyncio.create_task(anext(feed))
        await asyncio.sleep(0)
        verdicts = await verbs.start_many(LOCAL, [{"workflow": "where", "inputs": {}}] * 200)
        await first
        await finished(feed, 199)
        ids = [verdict["run_id"] for verdict in verdicts]
        assert Counter(shard_of(each, 2) for each in ids) == {0: 100, 1: 100}
        for run_id in (ids[0], ids[-1]):
            told = await verbs.run(LOCAL, run_id)
            expected = os.getpid() if shard_of(run_id, 2) == 0 else owners.owned[0].pid
            assert (told["status"], told["output"]) == ("COMPLETED", told["output"])
            assert told["nodes"]["n0"]["output"] == expected
            assert [line async for line in verbs.logs(LOCAL, run_id)]
            events = await verbs.timeline(LOCAL, run_id)
            assert [each["seq"] for each in events] == list(range(len(events)))
            again = [data async for _, _, data in verbs.follow(LOCAL, run_id=run_id, position=events[0]["position"])]
            assert again == events[1:]
            assert (await verbs.run(LOCAL, run_id, min_position=again[-1]["position"]))["status"] == "COMPLETED"


async def test_lists_are_merged_and_paged_through_without_a_gap(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs = owners.verbs
        ids = [(await verbs.start(LOCAL, "wait", {}))["run_id"] for _ in range(11)]
        assert {shard_of(each, 2) for each in ids} == {0, 1}
        found, cursor = list[tuple[int, str]](), None
        while True:
            page = await verbs.runs(LOCAL, limit=3, cursor=cursor)
            found += [(row["started_at"], row["run_id"]) for row in page["runs"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert found == sorted(found, reverse=True), "what started last comes first"
        assert sorted(run_id for _, run_id in found) == sorted(ids)
        assert (await verbs.runs(OTHER))["runs"] == []


async def test_what_belongs_to_a_run_reaches_it_on_either_shard(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT, ASK) as owners:
        verbs = owners.verbs
        for shard in (0, 1):
            run_id = await started(verbs, "wait", shard)
            assert "message go" in (await verbs.why(LOCAL, run_id))["sentence"]
            assert (await verbs.fork(LOCAL, run_id, from_node="w"))["forked_from"] == run_id
            await verbs.message(LOCAL, run_id, "go", payload={"n": 1})
            assert (await verbs.run(LOCAL, run_id))["status"] == "COMPLETED"
            other = await started(verbs, "wait", shard)
            assert (await verbs.cancel(LOCAL, other, reason="enough"))["status"] == "CANCELLED"
            operation = {"op": "add_node", "id": "more", "node": {"kind": "timer", "config": {"for": "1ms"}}}
            third = await started(verbs, "wait", shard)
            patch = await verbs.propose(LOCAL, third, {"operations": [operation]})
            assert (await verbs.patch(LOCAL, patch["patch_id"]))["run_id"] == third
            for call in (
                verbs.run(OTHER, run_id),
                verbs.patch(OTHER, patch["patch_id"]),
                verbs.patch(LOCAL, "patch_no"),
            ):
                with pytest.raises(NotFound):
                    await call


async def test_tickets_of_both_shards_are_listed_together_and_found_by_their_id(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, ASK) as owners:
        verbs = owners.verbs
        runs = [await started(verbs, "ask", shard) for shard in (0, 1)]
        tickets = {ticket["run_id"]: ticket["ticket_id"] for ticket in await verbs.tickets(LOCAL)}
        assert set(runs) <= set(tickets)
        assert await verbs.tickets(OTHER) == []
        for run_id in runs:
            assert [each["ticket_id"] for each in await verbs.tickets(LOCAL, run_id=run_id)] == [tickets[run_id]]
            with pytest.raises(Refused):
                await verbs.answer(Caller("default", "ann", frozenset({"view"})), tickets[run_id], "approve")
            await verbs.answer(LOCAL, tickets[run_id], "approve", reason="fine")
            assert (await verbs.run(LOCAL, run_id))["status"] == "COMPLETED"
            assert (await verbs.ticket(LOCAL, tickets[run_id]))["reason"] == "fine"
        with pytest.raises(NotFound):
            await verbs.ticket(LOCAL, "ticket_no")


async def test_a_key_starts_one_run_wherever_it_lies(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs = owners.verbs
        items = [{"workflow": "wait", "inputs": {}, "key": f"k{n % 20}"} for n in range(40)]
        verdicts = await verbs.start_many(LOCAL, items)
        ids = [verdict["run_id"] for verdict in verdicts]
        assert ids[:20] == ids[20:]
        assert {shard_of(each, 2) for each in ids} == {0, 1}
        assert sum(verdict["created"] for verdict in verdicts) == 20
        for n in range(20):
            again = await verbs.start(LOCAL, None, {}, key=f"k{n}")
            assert (again["run_id"], again["created"]) == (ids[n], False)
        with pytest.raises(Conflict):
            await verbs.start(LOCAL, "wait", {"other": 1}, key="k0")


async def test_wrong_items_of_a_batch_are_refused_alone_and_in_their_place(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        items: list[Any] = [{"workflow": "wait"} if n % 3 else {"workflow": "none"} for n in range(130)]
        items[1] = "no object"
        verdicts = await owners.verbs.start_many(LOCAL, items)
        assert [("error" in verdict) for verdict in verdicts] == [n % 3 == 0 or n == 1 for n in range(130)]


async def test_an_owner_that_is_killed_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, COUNT) as owners:
        verbs = owners.verbs
        begin = (await verbs.health())["position"]
        verdicts = await verbs.start_many(LOCAL, [{"workflow": "count", "inputs": {"n": n}} for n in range(400)])
        feed = verbs.follow(LOCAL, position=begin, types=frozenset({"run_finished"}))
        await anext(feed)
        killed = await down(owners)
        await feed.aclose()
        ids = {verdict["run_id"] for verdict in verdicts}
        ended = await finished(verbs.follow(LOCAL, position=begin, types=frozenset({"run_finished"})), 400)
        assert Counter(run_id for run_id, _ in ended) == Counter(dict.fromkeys(ids, 1))
        assert {status for _, status in ended} == {"COMPLETED"}
        assert owners.owned[0].pid != killed
        for n in (0, 150, 250, 399):
            told = await verbs.run(LOCAL, verdicts[n]["run_id"])
            assert told["nodes"]["n2"]["output"] == n + 3
            names = [each["type"] for each in await verbs.timeline(LOCAL, verdicts[n]["run_id"])]
            assert names.count("node_completed") == 3


async def test_a_feed_goes_on_over_the_death_of_an_owner_and_tells_each_event_once_in_order(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs = owners.verbs
        feed = verbs.follow(LOCAL)
        reading = asyncio.create_task(anext(feed))
        await asyncio.sleep(0)
        one, two = [await started(verbs, "wait", shard) for shard in (0, 1)]
        seen = [await reading]
        await down(owners)
        await owners.owned[0].ready()
        for run_id in (one, two):
            await verbs.message(LOCAL, run_id, "go")
        over = set[str]()
        async with asyncio.timeout(30):
            while not over >= {one, two}:
                seen.append(await anext(feed))
                if seen[-1][1] == "run_finished":
                    over.add(seen[-1][2]["run"])
        await feed.aclose()
        for run_id in (one, two):
            told = [data["seq"] for _, _, data in seen if data["run"] == run_id]
            assert told == list(range(len(await verbs.timeline(LOCAL, run_id))))
        # Whoever comes back with any position gets exactly the rest.
        for at in (0, len(seen) // 2, len(seen) - 2):
            rest = verbs.follow(LOCAL, position=seen[at][0])
            async with asyncio.timeout(30):
                found = [await anext(rest) for _ in range(len(seen) - at - 1)]
            await rest.aclose()
            assert Counter((d["run"], d["seq"]) for _, _, d in found) == Counter(
                (d["run"], d["seq"]) for _, _, d in seen[at + 1 :]
            )


async def test_while_an_owner_is_down_its_runs_say_so_and_all_others_go_on(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs = owners.verbs
        one, two = [await started(verbs, "wait", shard) for shard in (0, 1)]
        await down(owners)
        await asyncio.to_thread(hold, tmp_path, held := [])
        with held[0]:
            assert (await verbs.health())["status"] == "degraded"
            for call in (verbs.run(LOCAL, two), verbs.runs(LOCAL), verbs.ticket(LOCAL, "ticket_no"),
                         anext(verbs.follow(LOCAL, run_id=two)), verbs.timeline(LOCAL, two), verbs.why(LOCAL, two),
                         verbs.wait(LOCAL, two, 10), verbs.cancel(LOCAL, two), verbs.message(LOCAL, two, "go"),
                         verbs.fork(LOCAL, two, "w"), verbs.patches(LOCAL, two), verbs.blob(LOCAL, "0" * 64),
                         verbs.answer(LOCAL, held_id("ticket", two, 1), "approve"), verbs.tickets(LOCAL),
                         verbs.patch(LOCAL, held_id("patch", two, "p"))):  # fmt: skip
                with pytest.raises(Unavailable) as refused:
                    await call
                assert (refused.value.code, refused.value.fields["retry_after_s"]) == ("shard_down", 1.0)
            assert (await verbs.run(LOCAL, one))["status"] == "WAITING"
            assert {shard_of((await verbs.start(LOCAL, "wait", {}))["run_id"], 2) for _ in range(4)} == {0}
            items = [{"workflow": "wait", "key": str(n)} for n in range(10)]
            verdicts = await verbs.start_many(LOCAL, items)
            assert {v["error"]["code"] if "error" in v else "" for v in verdicts} == {"", "shard_down"}
        await owners.owned[0].ready()
        assert (await verbs.run(LOCAL, two))["status"] == "WAITING"
        assert (await verbs.health())["status"] == "ok"
        assert all("error" not in verdict for verdict in await verbs.start_many(LOCAL, items))


def hold(home: Path, held: list[Any]) -> None:
    """Take the second shard's lock as soon as its owner has let go."""
    while not held:
        with suppress(Conflict):
            lock = owning(home, "shard-1.lock")
            lock.__enter__()
            held.append(Held(lock))


class Held:
    """A lock to be let go of at the end of a block."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None:
        self._lock.__exit__(None, None, None)


async def test_what_is_pushed_while_an_owner_is_down_holds_for_its_starts_when_it_is_back(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, chain("w", "count")) as owners:
        verbs = owners.verbs
        await down(owners)
        await asyncio.to_thread(hold, tmp_path, held := [])
        with held[0]:
            for handlers in (("count", "count"), ("count", "count", "count")):
                assert (await verbs.push(LOCAL, chain("w", *handlers)))["created"]
            await verbs.push(LOCAL, chain("w", "count"), tag="old")
        await owners.owned[0].ready()
        for tag, version, nodes in (("main", "v3.0", 3), ("v2.0", "v2.0", 2), ("old", "v1.0", 1)):
            for shard in (0, 1):
                run_id = await started(verbs, "w", shard, {"n": 0}, tag=tag)
                told = await verbs.run(LOCAL, run_id)
                assert (told["version"], len(told["graph"]["nodes"])) == (version, nodes)
        assert (await verbs.push(LOCAL, chain("w", "count", "count", "count")))["created"] is False


async def test_a_start_takes_along_what_its_tag_meant_and_its_shard_keeps_the_document(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs, ids = owners.verbs, list[str]()
        for number in range(3):
            await verbs.push(LOCAL, chain("w", *["count"] * (number + 1)))
            batch = await verbs.start_many(LOCAL, [{"workflow": "w", "inputs": {"n": 0}}] * 80)
            ids += [each["run_id"] for each in batch]
            nodes = {len((await verbs.run(LOCAL, each["run_id"]))["graph"]["nodes"]) for each in batch[::20]}
            assert nodes == {number + 1}
        waiting = [await started(verbs, "wait", shard) for shard in (0, 1)]
        verdicts = await verbs.start_many(LOCAL, [{"workflow": "none"}, {"workflow": "wait", "tag": "no"}, {}, 7])
        assert [each["error"]["code"] for each in verdicts] == [
            "workflow_not_found", "tag_not_found", "workflow_missing", "invalid",
        ]  # fmt: skip
    alone = await SqliteStore.open(tmp_path / "shard-1.db")  # its runs go by nothing that lies elsewhere
    try:
        heads = await alone.heads_of([run_id for run_id in (*ids, *waiting) if shard_of(run_id, 2) == 1])
        artifacts = {msgspec.json.decode(head.info)["artifact"].removeprefix("sha256:") for head in heads.values()}
        assert len(artifacts) == 4
        for artifact in artifacts:
            assert await alone.value("default", bytes.fromhex(artifact)) is not None
    finally:
        await alone.close()


async def test_an_application_that_an_owner_cannot_load_ends_the_start_with_its_error(tmp_path: Path) -> None:
    async with sharded(tmp_path) as owners:
        broken = Owners(owners.running, ["tests.compose.no_such_module"], Layout.of(3))
        broken.others = broken.others[1:]
        with pytest.raises(Invalid) as refused:
            await broken.__aenter__()
        assert refused.value.code == "app_not_loaded"


async def test_everything_is_there_when_the_home_is_opened_again(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        ids = [await started(owners.verbs, "wait", shard) for shard in (0, 1)]
    async with sharded(tmp_path) as owners:
        for run_id in ids:
            await owners.verbs.message(LOCAL, run_id, "go")
            assert (await owners.verbs.run(LOCAL, run_id))["status"] == "COMPLETED"
        with pytest.raises(AobError):
            await owners.verbs.start(LOCAL, "none", {})


async def test_a_ticket_or_patch_is_asked_of_the_shard_that_its_id_names(tmp_path: Path) -> None:
    async with sharded(tmp_path, 3, ASK) as owners:
        verbs = owners.verbs
        run_id = await started(verbs, "ask", 1, shards=3)
        (ticket,) = await verbs.tickets(LOCAL, run_id=run_id)
        asked: list[tuple[int, str]] = []

        def counted(shard: Any) -> None:
            real = shard.call

            async def call(verb: str, who: Any, *args: Any, **named: Any) -> Any:
                asked.append((shard.number, verb))
                return await real(verb, who, *args, **named)

            shard.call = call

        for shard in verbs._shards:
            counted(shard)
        assert (await verbs.ticket(LOCAL, ticket["ticket_id"]))["run_id"] == run_id
        await verbs.answer(LOCAL, ticket["ticket_id"], "approve")
        assert asked == [(1, "ticket"), (1, "answer")]
        asked.clear()
        with pytest.raises(NotFound):
            await verbs.ticket(LOCAL, "ticket_no")
        assert sorted(asked) == [(0, "holder"), (0, "ticket"), (1, "holder"), (2, "holder")]
