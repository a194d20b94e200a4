"""What the verb `status` tells of a home: true for one in files with one or more processes, and for one in a database;
whatever of it is away is told as away, and the rest is told all the same."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aob.core.errors import Refused, Unavailable
from aob.core.policy import LOCAL, Caller
from aob.core.rules import RULES
from aob.core.status import HomeStatus
from tests.compose.shard_home import WAIT, chain, sharded, started
from tests.metrics.till import SHOP, sold
from tests.servers.fixtures import Schema


async def asked(owners: Any, who: Caller = LOCAL) -> HomeStatus:
    """The status, of the shape that the API promises."""
    told = await owners.home.status(who)
    return msgspec.convert(msgspec.json.decode(msgspec.json.encode(told)), HomeStatus, strict=True)


async def test_a_home_in_files_tells_of_its_processes_shards_and_stores(tmp_path: Path) -> None:
    async with sharded(tmp_path, 3, chain("says", "says"), WAIT) as owners:
        pids = set[int]()
        for shard in range(3):
            run_id = await started(owners.verbs, "says", shard, shards=3)
            pids.add((await owners.verbs.wait(LOCAL, run_id, within_ms=30_000))["output"])
            await started(owners.verbs, "wait", shard, shards=3)
        told = await asked(owners)
        assert {each["pid"] for each in told["processes"]} == pids | {os.getpid()}
        assert sorted(shard for each in told["processes"] for shard in each["shards"]) == [0, 1, 2]
        assert all(each["memory_bytes"] > 0 and each["cpu_s"] > 0 for each in told["processes"])
        assert [each["status"] for each in told["shards"]] == ["ok"] * 3
        assert sum(each["partitions"] for each in told["shards"]) == 64
        for each in told["shards"]:
            assert each["streams"] >= 1
            assert each["row"] > 0
            assert each["epoch"] >= 1
            assert (each["lease_left_ms"], each["owner"]) == (None, ""), "files have no leases"
        (member,) = told["members"]
        assert (member["roles"], member["rules"], member["lease_left_ms"]) == (["home"], RULES, None)
        assert [each["kind"] for each in told["stores"]] == ["sqlite", "sqlite", "file"]
        assert (told["stores"][0]["bytes"] or 0) > 4_096
        assert str(tmp_path) not in str(told)
        assert told["troubles"] == []


async def test_it_counts_starts_steps_and_events_and_how_far_readers_are(tmp_path: Path) -> None:
    async with sharded(tmp_path, 1, chain("says", "says")) as owners:
        running = owners.running
        live = (await asked(owners))["shards"][0]["streams"]
        for _ in range(5):
            run = await running.views.start(LOCAL, "says", None)
            await running.views.wait(LOCAL, run["run_id"], within_ms=30_000)
        await running.push_contracts({"shop.yaml": SHOP})
        await running.ingest([sold(1, 5.0), sold(2, 7.0)])
        await running.wiring.platform.caught_up(running.views.core.journal.durable_row, 5.0)
        told = await asked(owners)
        assert told["counts"] == {"starts": 5, "steps": 5, "events": 2}
        followers = {each["name"]: each for each in told["log"]["followers"]}
        assert told["log"]["rows"] > 0
        assert followers["metrics"]["behind"] == 0
        assert told["shards"][0]["uncounted"] == 0
        assert told["shards"][0]["streams"] < live + 5, "what has ended does not live"
        assert told["stages"]["commit"]["count"] > 0
        assert len(told["stages"]["commit"]["buckets"]) == len(told["edges_s"]) + 1


async def test_an_owner_that_is_away_is_told_and_the_rest_with_it(tmp_path: Path) -> None:
    async with sharded(tmp_path, 3) as owners:

        async def away(*given: object) -> None:
            raise Unavailable("it is being started", code="shard_down")

        async def silent(*given: object) -> None:
            await asyncio.Event().wait()

        others = owners.others
        others[0].call, others[1].call = away, silent  # type: ignore[method-assign]
        told = await asked(owners)
        del others[0].call, others[1].call
    assert [each["status"] for each in told["shards"]] == ["ok", "shard_down", "slow"]
    assert {each["what"] for each in told["troubles"] if each["how"] == "problem"} == {"shard 1", "shard 2"}


async def test_the_health_of_all_owners_is_asked_for_at_once(tmp_path: Path) -> None:
    async with sharded(tmp_path, 4) as owners:
        together = asyncio.Barrier(3)
        for other in owners.others:

            async def call(verb: str, *given: Any, ask: Any = other.call, **named: Any) -> Any:
                await together.wait()  # as long as not each of them has been asked, none answers
                return await ask(verb, *given, **named)

            other.call = call  # type: ignore[method-assign]
        told = await owners.verbs.health()
        for other in owners.others:
            del other.call
    assert (told["status"], [each["status"] for each in told["shards"]]) == ("ok", ["ok"] * 4)


async def test_an_owner_of_the_release_before_is_asked_in_its_own_words(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2) as owners:
        call = owners.others[0].call

        async def older(verb: str, *given: Any, **named: Any) -> Any:
            if verb == "shard_status":
                raise Unavailable("a shard has no verb 'shard_status'", code="unknown_verb")
            return await call(verb, *given, **named)

        owners.others[0].call = older  # type: ignore[method-assign]
        told = await asked(owners)
        del owners.others[0].call
    assert [each["status"] for each in told["shards"]] == ["ok", "ok"]
    assert "streams" in told["shards"][1]


async def test_only_the_tenant_of_the_home_is_told(tmp_path: Path) -> None:
    async with sharded(tmp_path, 1) as owners:
        with pytest.raises(Refused):
            await asked(owners, Caller("key_1", "ann", frozenset({"admin"}), "other"))
        with pytest.raises(Refused):
            await asked(owners, Caller("key_1", "bob", frozenset({"view", "run"})))


async def test_a_home_in_a_database_tells_of_members_leases_and_the_server(
    tmp_path: Path, postgres_schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aob
    from aob.compose.layout import layout_in
    from aob.compose.shards import Owners

    monkeypatch.setenv("AOB_STORE", postgres_schema.url)
    async with aob.open(tmp_path / "home") as running:
        storage = running.shared.storage
        owners = Owners(running, (), await layout_in(storage))
        owners._every[1:] = []
        told = await asked(owners)
        (member,) = told["members"]
        assert member["rules"] == RULES
        assert 0 < (member["lease_left_ms"] or 0) <= 10_000
        (shard,) = told["shards"]
        assert shard["owner"] == member["id"]
        assert shard["term"] >= 1
        assert (shard["lease_left_ms"] or 0) > 0
        store, blobs = told["stores"]
        assert store["kind"] == "postgresql"
        assert (store["bytes"] or 0) > 100_000
        assert store["version"]
        assert "of-the-tests" not in str(told), "no password"
        assert {each["table"] for each in told["days"]} >= {"journal", "event"}
        assert all(each["ahead"] >= 6 and not each["missed"] for each in told["days"])
        assert told["troubles"] == []
        running.wiring.live.numbers("default").aside[5] = (1, "ValueError: nobody wrote this")
        told = await asked(owners)
        assert "row 5 of the event log in the database" in told["log"]["detail"]
        assert ".db" not in told["log"]["detail"], "there is no such file"
        running.wiring.live.numbers("default").aside.clear()

        async def away(statement: object, given: object = ()) -> None:
            raise Unavailable("nobody listens there", code="store_away")

        storage._ask = None
        monkeypatch.setattr(storage.database, "row", away)
        monkeypatch.setattr(storage.database, "rows", away)
        told = await asked(owners)
        monkeypatch.undo()
        assert told["stores"][0]["status"] == "store_away"
        assert next(each["what"] for each in told["troubles"]) in ("store", "event log")
        assert blobs["kind"] == "file"
