"""Reads of live numbers: at a position, as of an instant, as it was known then, many at once, and why they moved."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import Unavailable
from aob.gate import Commit
from aob.metrics.live.streaming import Streams
from tests.metrics.till import ALL, SHOP, counted_anew, ingest_as, recount, refunded, sold


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        yield app


def now_ms() -> int:
    return int(time.time() * 1_000)


def later() -> int:
    """An instant after now, by the clock of the home."""
    at = now_ms()
    while now_ms() == at:
        pass
    return at


class TestReadYourWrites:
    async def test_a_read_waits_for_the_position_of_an_ingest(self, app: App) -> None:
        sent = asyncio.create_task(app.ingest([sold(n) for n in range(100)]))
        first = await app.ingest([sold("first")])
        read = await app.metric("sales", window="all", min_position=first["position"])
        assert read["value"] >= 1
        position = (await sent)["position"]
        assert (await app.metric("sales", window="all", min_position=position))["value"] == 101

    async def test_every_write_is_read_at_its_own_position_while_others_write(self, app: App) -> None:
        seen: list[int] = []

        async def one(lane: int) -> None:
            for n in range(10):
                told = await app.ingest([sold(f"{lane}-{n}")])
                read = await app.metric("sales", window="all", by=("region",), min_position=told["position"])
                seen.append(int(read["value"] or sum(row["value"] for row in read["rows"])))

        await asyncio.gather(*map(one, range(8)))
        assert max(seen) == 80
        assert recount(app.home)["sales"] == 80

    async def test_a_position_that_is_yet_to_come_is_waited_for(self, app: App) -> None:
        told = await app.ingest([sold(1)])
        ahead = aob_next(told["position"])
        read = asyncio.create_task(app.metric("sales", window="all", min_position=ahead))
        await asyncio.wait([read], timeout=0.01)
        assert not read.done()
        await app.ingest([sold(2)])
        assert (await read)["value"] == 2

    async def test_one_that_never_comes_is_told_and_leaves_nothing_behind(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aob.metrics.live.live.WAIT_S", 0.01)
        told = await app.ingest([sold(1)])
        with pytest.raises(Unavailable) as refused:
            await app.metric("sales", window="all", min_position=aob_next(told["position"], 1_000))
        assert refused.value.code == "position_ahead"
        assert not app.metrics.live._arrived

    async def test_the_cache_never_tells_less_than_was_written(self, app: App) -> None:
        for n in range(20):
            told = await app.ingest([sold(n)])
            for _ in range(2):
                read = await app.metric("sales", window="all", min_position=told["position"])
                assert read["value"] == n + 1
        assert read["cached"]


def aob_next(position: str, rows: int = 1) -> str:
    from aob.core.event import Positions

    feed = Positions(Positions.EVENTS)
    return feed.token(feed.place(position)[0] + rows)


class TestTimeTravel:
    async def test_known_at_tells_what_was_known_then(self, app: App) -> None:
        known: list[tuple[int, int]] = []
        for n in range(5):
            await app.ingest([sold(n), sold(f"late-{n}", time="2026-01-01T00:00:00Z")])
            known.append((later(), 2 * n + 2))
        for at, count in known:
            read = await app.metric("sales", window="all", known_at_ms=at)
            assert (read["value"], read["path"]) == (count, "scan")

    async def test_known_at_and_as_of_together(self, app: App) -> None:
        then = 1_767_225_600_000
        await app.ingest([sold(1, time="2026-01-01T00:00:00Z"), sold(2)])
        at = later()
        await app.ingest([sold(3, time="2026-01-01T00:00:00Z")])
        asked: dict[str, Any] = {"since_ms": then - 1_000, "until_ms": then + 1_000}
        assert (await app.metric("sales", **asked))["value"] == 2
        assert (await app.metric("sales", known_at_ms=at, **asked))["value"] == 1
        hour = await app.metric("sales", window="1h", as_of_ms=then + 60_000)
        assert hour["value"] == 2
        assert (await app.metric("sales", window="1h", as_of_ms=then + 60_000, known_at_ms=at))["value"] == 1

    async def test_a_scan_takes_back_what_was_taken_back(self, app: App) -> None:
        await app.ingest([sold(1, 5.0), sold(2, 9.0, time="2026-01-01T00:00:00Z")])
        at = later()
        await app.ingest([refunded(2, 9.0, time="2026-01-01T00:00:00Z")])
        await counted_anew(app)
        assert (await app.metric("largest", window="all"))["value"] == 5.0
        assert (await app.metric("largest", window="all", known_at_ms=at))["value"] == 9.0
        assert (await app.metric("largest", window="all", known_at_ms=later()))["value"] == 5.0

    async def test_an_entity_as_of_an_instant(self, app: App) -> None:
        await app.ingest([sold(1, 5.0, time="2026-01-01T00:00:00Z")])
        await app.ingest([sold(1, 7.0, "south", id="again", time="2026-01-02T00:00:00Z")])
        day = 1_767_225_600_000
        now = await app.metrics.entity(app.who, "order", "o-1")
        then = await app.metrics.entity(app.who, "order", "o-1", as_of_ms=day + 3_600_000)
        before = await app.metrics.entity(app.who, "order", "o-1", as_of_ms=day - 1)
        assert (now["state"], then["state"]) == (
            {"amount": 7.0, "region": "south"}, {"amount": 5.0, "region": "north"}
        )  # fmt: skip
        assert before["exists"] is False


class TestABatch:
    async def test_is_read_at_one_position_while_events_pour_in(self, app: App) -> None:
        stop = asyncio.Event()

        async def pour() -> None:
            n = 0
            while not stop.is_set():
                await app.ingest([sold(f"{n}-{k}", 2.0) for k in range(5)])
                n += 1

        pouring = asyncio.create_task(pour())
        reads = [
            {"metric": "sales", "window": "all"}, {"metric": "sales", "window": "all", "known_at_ms": 1 << 45},
            {"entity": "order", "id": "o-0-0"}, {"metric": "revenue", "window": "all"},
            {"entity": "order", "id": "nobody"}, {"metric": "mean", "window": "all"},
            {"metric": "revenue", "window": "all", "known_at_ms": 1 << 45},
        ]  # fmt: skip
        for _ in range(20):
            told = await app.metrics.batch(app.who, reads)
            live, scan, _, revenue, _, mean, scanned = told["answers"]
            assert scanned["value"] == revenue["value"]
            assert scan["path"] == "scan"
            assert revenue["value"] == 2.0 * live["value"] == 2.0 * scan["value"]
            assert mean["value"] in (2.0, None)
            assert {each["position"] for each in (live, scan, revenue, mean, scanned)} == {told["position"]}
        stop.set()
        await pouring

    async def test_waits_for_the_positions_that_its_reads_name(self, app: App) -> None:
        told = await app.ingest([sold(1)])
        ahead = aob_next(told["position"])
        reads = [{"metric": "sales", "window": "all"}, {"metric": "sales", "window": "all", "min_position": ahead}]
        batch = asyncio.create_task(app.metrics.batch(app.who, reads))
        await asyncio.wait([batch], timeout=0.01)
        await app.ingest([sold(2)])
        assert [each["value"] for each in (await batch)["answers"]] == [2, 2]

    async def test_answers_each_read_by_itself(self, app: App) -> None:
        await app.ingest([sold(1)])
        reads: list[Any] = [
            {"metric": "nothing"}, {"metric": "sales", "limit": "many"}, {"metric": "sales", "window": "all"},
            {"entity": "order", "id": 7}, {"metric": "sales", "window": "all", "version": 9},
            {"entity": "order", "id": "o-1"},
        ]  # fmt: skip
        answers = (await app.metrics.batch(app.who, reads))["answers"]
        assert [each["error"]["code"] if "error" in each else None for each in answers[:5]] == [
            "metric_not_found", "invalid", None, "invalid", "metric_not_found",
        ]  # fmt: skip
        assert answers[2]["value"] == 1
        assert answers[5]["state"]["amount"] == 1.0


class TestHowLongAnAnswerHolds:
    async def test_it_is_the_same_until_then_and_not_after(self, app: App) -> None:
        """The hour of an event ends half a minute from now; `all` never does."""
        at = now_ms() - 3_570_000
        await app.ingest([sold(1, time=iso(at)), sold(2)])
        hour = await app.metric("sales", window="1h")
        assert hour["value"] == 2
        until = hour["valid_until"]
        assert until is not None
        assert abs(until - at - 3_600_000) <= 1_000
        before = await app.metric("sales", window="1h", as_of_ms=until - 1)
        after = await app.metric("sales", window="1h", as_of_ms=until)
        assert (before["value"], after["value"]) == (2, 1)
        assert (await app.metric("sales", window="all"))["valid_until"] is None

    async def test_a_follower_is_told_when_it_ends(self, app: App) -> None:
        await app.ingest([sold(1, time=iso(now_ms() - 3_599_000)), sold(2)])
        from aob.core.metric_query import MetricQuery

        told: list[Any] = []
        async with asyncio.timeout(60), aclosing(stream(app, [MetricQuery("sales", window="1h")])) as feed:
            async for _, event, data in feed:
                assert event == "metric"
                told.append(data["value"])
                if told[-1] == 1:
                    break
        assert told[0] in (1, 2)


def iso(at_ms: int) -> str:
    from aob.core.instant import iso

    return iso(at_ms)


def stream(app: App, metrics: Any = (), **more: Any) -> Any:
    return app.metrics.stream(app.who, metrics=metrics, **more)


class TestFollowing:
    async def test_nothing_is_missed_while_the_follower_is_slow(self, app: App) -> None:
        """Events come while those before are told, one by one."""
        start = (await app.ingest([sold("zero")]))["position"]
        await app.ingest([sold(f"a{n}") for n in range(3)])
        seen: list[str] = []
        async with asyncio.timeout(60), aclosing(stream(app, types=frozenset({"sold"}), position=start)) as feed:
            async for _, _, data in feed:
                seen.append(data["id"])
                if len(seen) < 20:
                    await app.ingest([sold(f"b{len(seen)}")])
                if len(seen) == 22:
                    break
        assert seen == [f"sold-a{n}" for n in range(3)] + [f"sold-b{n}" for n in range(1, 20)]

    async def test_a_feed_says_first_where_it_begins_when_it_is_asked(self, app: App) -> None:
        await app.ingest([sold("before")])
        async with aclosing(stream(app, types=frozenset({"sold"}), place=True)) as feed:
            position, name, data = await anext(feed)
        await app.ingest([sold("after")])
        async with aclosing(stream(app, types=frozenset({"sold"}), position=position)) as feed:
            assert (name, data, (await anext(feed))[2]["id"]) == ("", {}, "sold-after")

    @pytest.mark.parametrize("ring", [8 << 20, 1])
    async def test_from_any_position_on_the_rest_is_told_once(
        self, app: App, monkeypatch: pytest.MonkeyPatch, ring: int
    ) -> None:
        monkeypatch.setattr("aob.metrics.live.streaming.RING_BYTES", ring)
        start = (await app.ingest([sold("zero")]))["position"]
        for n in range(6):
            await app.ingest([sold(f"{n}-{k}") for k in range(4)])
        positions, ids = [start], list[str]()
        async with asyncio.timeout(60), aclosing(stream(app, types=frozenset({"sold"}), position=start)) as feed:
            async for position, _, data in feed:
                positions.append(position)
                ids.append(data["id"])
                if len(ids) == 24:
                    break
        assert len(set(ids)) == 24
        for place, position in enumerate(positions[:-1]):
            async with asyncio.timeout(60), aclosing(stream(app, types=frozenset({"sold"}), position=position)) as feed:
                rest = []
                async for _, _, data in feed:
                    rest.append(data["id"])
                    if data["id"] == ids[-1]:
                        break
            assert rest == ids[place:]

    def test_what_is_kept_for_followers_is_bounded_in_every_partition(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aob.metrics.live.streaming.RING_BYTES", 1)
        streams = Streams(SimpleNamespace(at=[0, 0]), None)  # type: ignore[arg-type]  # as much as is used
        for row in range(1, 10):
            events: list[Any] = [None]  # nobody looks at it
            streams.heard([Commit(row, "acme", 0, 0, 1, 0, 0, b"{}", b"", partition, events) for partition in (0, 1)])
        assert len(streams._ring) == sum(map(len, streams._rings)) == 1

    async def test_a_number_that_is_filled_again_is_told_to_who_follows_it(self, app: App) -> None:
        await app.ingest([sold(n, float(n)) for n in range(6)])
        told: list[Any] = []
        async with asyncio.timeout(60), aclosing(stream(app, [ALL])) as feed:
            async for _, _, data in feed:
                told.append((data["version"], data["value"]))
                if len(told) == 1:
                    text = 'metric: sales\nversion: 2\ntype: count\nmoves: [{on: sold, when: "data.amount > 2.0"}]\n'
                    await app.metrics.push_contracts(
                        app.who, {"m.yaml": text + "dimensions: [region]\nwindows: [all, 1h]"}, allow_breaking=True
                    )
                if told[-1][0] == 2:
                    break
        assert (told[0], told[-1]) == ((1, 6), (2, 3))


class TestWhyItMoved:
    async def test_events_restatements_and_contracts_are_named(self, app: App) -> None:
        start = now_ms() - 1_000
        await app.ingest([sold(1, 5.0), sold(2, 7.0, "south"), refunded(1, 5.0)])
        await app.ingest([sold("old", 1.0, time="2026-01-01T00:00:00Z")])
        text = SHOP.split("---")[3].replace("version: 1", "version: 2\ndescription: Money.", 1)
        await app.push_contracts({"m.yaml": text})
        end = later() + 1
        log = await app.metrics.changelog(app.who, "revenue", since_ms=start, until_ms=end)
        kinds = [change["kind"] for change in log["changes"]]
        assert sorted(kinds) == ["contract", "contract", "contract", "contract", *["event"] * 3, "restatement"]
        assert sum(change.get("change", 0.0) for change in log["changes"]) == 8.0
        assert (log["before"] or 0.0, log["after"]) == (0.0, 8.0)
        moved = {(each["type"], each["kind"]): each["events"] for each in log["moved_by"]}
        assert moved == {("sold", "event"): 2, ("refunded", "event"): 1, ("sold", "restatement"): 1}

    async def test_it_is_told_for_a_value_of_a_dimension(self, app: App) -> None:
        start = now_ms() - 1_000
        await app.ingest([sold(1, 5.0), sold(2, 7.0, "south"), refunded(1, 5.0, "south")])
        log = await app.metrics.changelog(
            app.who, "revenue", since_ms=start, until_ms=later() + 1, where={"region": "south"}
        )
        assert sorted(change["event"]["id"] for change in log["changes"] if change["kind"] == "event") == [
            "refunded-1", "sold-2",
        ]  # fmt: skip
        assert log["after"] == 2.0

    async def test_only_events_that_moved_it_are_told_also_of_what_it_is_made_of(self, app: App) -> None:
        dear = (
            "metric: dear\nversion: 1\ntype: count\nmoves: [{on: sold, when: 'data.amount > 10.0'}]\nwindows: [all]\n"
        )
        share = 'metric: share\nversion: 1\ntype: derived\nvalue: "dear / dear"\nwindows: [all]\n'
        await app.push_contracts({"dear.yaml": f"{dear}---\n{share}"})
        start = now_ms() - 1_000
        await app.ingest([sold(1, 5.0), sold(2, 70.0), refunded(1, 500.0)])
        for metric in ("dear", "share"):
            log = await app.metrics.changelog(app.who, metric, since_ms=start, until_ms=later() + 1)
            assert [each["event"]["id"] for each in log["changes"] if each["kind"] == "event"] == ["sold-2"]
            assert log["moved_by"] == [{"type": "sold", "kind": "event", "events": 1}]

    async def test_it_says_that_there_is_more(self, app: App) -> None:
        start = now_ms() - 1_000
        await app.ingest([sold(n) for n in range(30)])
        log = await app.metrics.changelog(app.who, "sales", since_ms=start, until_ms=later() + 1, limit=10)
        assert (len(log["changes"]), log["truncated"]) == (10, True)
        assert log["moved_by"][0]["events"] == 30


async def test_what_one_caller_sends_moves_only_its_own(app: App) -> None:
    from tests.metrics.till import OTHER

    await app.metrics.push_contracts(OTHER, {"shop.yaml": SHOP})
    await ingest_as(app, OTHER, sold(1, 9.0))
    assert (await app.metric("revenue", window="all"))["value"] in (0, 0.0, None)
    assert (await app.metrics.metric(OTHER, ALL))["value"] == 1
