"""Feeds that many readers share: one ask of the source, every event once for each reader, whatever happens."""

import asyncio
from random import Random
from typing import Any

import pytest

from aob.core.errors import Conflict, NotFound, Unavailable
from aob.core.metric_query import MetricQuery
from aob.fanout.shared import Feeds, follower, kept_feed
from tests.fanout.shared.source import WHO, Home, Seen, turns


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_feed, "AGAIN_S", 0.0)


def keeping(monkeypatch: pytest.MonkeyPatch, items: int) -> None:
    """Feeds keep so many items."""
    monkeypatch.setattr(kept_feed.KeptFeed.__init__, "__kwdefaults__", {"from_start": False, "items_max": items})


def numbers(home: Home) -> dict[int, list[int]]:
    return {shard: [each["n"] for each in events] for shard, events in enumerate(home.events) if events}


async def test_300_readers_of_one_feed_cost_one_feed_of_the_source() -> None:
    home = Home(shards=1)
    async with Feeds(home.ask) as feeds:
        readers = [Seen(feeds.follow(WHO, place=True)) for _ in range(300)]
        for reader in readers:
            await reader.began()
        for number in range(20):
            home.write(0, f"kind{number % 2}")
        for reader in readers:
            await reader.has(20)
        assert (home.open, len(home.asked)) == (1, 1)
        assert feeds.figures() == {"feeds": 1, "readers": 300, "alone": 0}
        assert all(reader.by_shard() == numbers(home) for reader in readers)
        # An event is one object for all, so that it is encoded once.
        assert len({id(reader.items[7][1]) for reader in readers}) == 1
        for reader in readers:
            await reader.leave()


async def test_a_reader_has_its_own_filter_and_tenants_have_feeds_of_their_own() -> None:
    home = Home(shards=2)
    async with Feeds(home.ask) as feeds:
        some, all_ = Seen(feeds.follow(WHO, types=frozenset({"a"}), place=True)), Seen(feeds.follow(WHO, place=True))
        other = Seen(feeds.follow(kept(WHO, "other"), place=True))
        for each in (some, all_, other):
            await each.began()
        for number in range(6):
            home.write(number % 2, "ab"[number % 3 == 0])
        await all_.has(6)
        assert [name for name, _ in some.items] == ["a"] * 4
        assert home.open == 2
        for each in (some, all_, other):
            await each.leave()


def kept(who: Any, tenant: str) -> Any:
    return type(who)(tenant, who.name, who.roles, who.id)


async def test_a_slow_reader_goes_on_by_itself_and_comes_back_without_loss_or_repetition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keeping(monkeypatch, 40)
    home = Home()
    async with Feeds(home.ask) as feeds:
        fast, slow = Seen(feeds.follow(WHO, place=True)), Seen(feeds.follow(WHO, place=True), held=True)
        await fast.began()
        await slow.began()
        for number in range(300):
            home.write(number % 3)
            await turns(3)
        await fast.has(300)
        assert home.open == 1  # the slow one holds up nobody, and asks for nothing while it does not read
        slow.free.set()
        await slow.has(300)
        assert fast.by_shard() == slow.by_shard() == numbers(home)
        home.write(0)
        await slow.has(301)
        await turns()
        assert home.open == 1
        assert feeds.figures()["alone"] == 0
        await fast.leave()
        await slow.leave()


async def test_readers_stay_while_the_source_is_away_and_it_is_asked_again_after_the_last_item() -> None:
    home = Home()
    async with Feeds(home.ask) as feeds:
        readers = [Seen(feeds.follow(WHO, place=True)) for _ in range(10)]
        for reader in readers:
            await reader.began()
        for turn in range(5):
            for number in range(7):
                home.write((number + turn) % 3)
            await turns(turn * 3)
            home.goes()
            home.write(turn % 3)
            await turns()
            home.goes(away=False)
        for reader in readers:
            await reader.has(40)
            assert reader.by_shard() == numbers(home)
            assert reader.error is None
        assert home.open == 1
        for reader in readers:
            await reader.leave()


async def test_a_new_reader_of_a_source_that_is_away_is_refused_and_the_next_one_asks_anew() -> None:
    home = Home()
    home.goes()
    async with Feeds(home.ask) as feeds:
        refused = Seen(feeds.follow(WHO, place=True))
        await refused.began()
        assert isinstance(refused.error, Unavailable)
        home.goes(away=False)
        reader = Seen(feeds.follow(WHO, place=True))
        await reader.began()
        assert reader.error is None
        home.goes()
        await turns()
        late = Seen(feeds.follow(WHO, place=True))  # its place is known: it waits like the others
        await late.began()
        assert late.error is None
        await reader.leave()
        await late.leave()


async def test_one_run_is_read_once_from_its_start_and_ends_for_all() -> None:
    home = Home(shards=1)
    async with Feeds(home.ask) as feeds:
        home.write(0)
        home.write(0)
        first = Seen(feeds.follow(WHO, run_id="run_1"))
        await first.has(2)
        half = first.items[0][1]["position"]
        resumed, second = (
            Seen(feeds.follow(WHO, run_id="run_1", position=half)),
            Seen(feeds.follow(WHO, run_id="run_1")),
        )
        await resumed.has(1)
        home.write(0, "end")
        for reader, count in ((first, 3), (second, 3), (resumed, 2)):
            await reader.has(count)
            await reader.has(count + 1)
            assert (len(reader.items), reader.over) == (count, True)
        late = Seen(feeds.follow(WHO, run_id="run_1"))
        await late.has(4)
        assert len(late.items) == 3
        assert len(home.asked) == 1
        none = Seen(feeds.follow(WHO, run_id="run_none"))
        await none.began()
        assert isinstance(none.error, NotFound)


async def test_a_position_of_another_life_is_refused_by_the_source() -> None:
    home = Home()
    async with Feeds(home.ask) as feeds:
        reader = Seen(feeds.follow(WHO, place=True))
        await reader.began()
        home.life = 2001
        other = home.now()
        home.life = 1
        for asked in (feeds.follow(WHO, position=other), feeds.stream(WHO, position=other)):
            refused = Seen(asked)
            await refused.began()
            assert isinstance(refused.error, Conflict)
        home.life = 2001  # a copy was put back: all begin anew
        home.goes()
        await turns()
        home.goes(away=False)
        await reader.has(1)
        assert isinstance(reader.error, Conflict)
        again = Seen(feeds.follow(WHO, place=True))
        await again.began()
        assert again.error is None
        await again.leave()


async def test_a_number_is_read_once_and_a_slow_reader_is_told_the_newest() -> None:
    home = Home(shards=1)
    home.number("orders", 1)
    query = MetricQuery("orders")
    async with Feeds(home.ask) as feeds:
        readers = [Seen(feeds.stream(WHO, metrics=[query], place=True), held=at == 0) for at in range(50)]
        for reader in readers:
            await reader.began()
        for value in range(2, 10):
            home.number("orders", value)
            await turns(20)
        readers[0].free.set()
        for reader in readers:
            while not reader.items or reader.items[-1][1]["value"] != 9:
                await reader.has(len(reader.items) + 1)
        assert [data["value"] for _, data in readers[1].items] == list(range(1, 10))
        assert len(readers[0].items) <= 2
        both = Seen(feeds.stream(WHO, metrics=[query], types=frozenset({"sold"}), place=True))
        await both.has(1)
        home.write(0, "event", type="sold", subject="s")
        home.write(0, "event", type="other", subject="s")
        home.number("orders", 10)
        await both.has(3)
        assert {name for name, _ in both.items} == {"metric", "event"}
        assert both.token == home.now()
        assert home.open == 2
        for reader in (*readers, both):
            await reader.leave()


@pytest.mark.parametrize("seed", range(16))
async def test_readers_that_come_go_and_dawdle_are_each_told_every_event_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping(monkeypatch, 12)
    monkeypatch.setattr(follower, "AHEAD", 4)
    dice, home = Random(seed), Home(shards=1 + seed % 4, seed=seed)
    async with Feeds(home.ask) as feeds:
        places: list[tuple[str, list[int]]] = []
        readers: list[tuple[Seen, list[int]]] = []
        for _ in range(120):
            step = dice.randrange(12)
            if step < 5:
                for _ in range(dice.randrange(8)):
                    home.write(dice.randrange(len(home.events)))
            elif step < 7:
                begin = [len(events) for events in home.events]
                position = None
                if places and dice.random() < 0.7:
                    position, begin = dice.choice(places)
                reader = Seen(feeds.follow(WHO, position=position, place=True), held=dice.random() < 0.3)
                if position is None:
                    home.goes(away=False)
                    await reader.began()
                    assert reader.token is not None
                    begin = home.places(reader.token)
                readers.append((reader, begin))
            elif step == 7 and readers:
                reader, begin = readers.pop(dice.randrange(len(readers)))
                await reader.leave()
                _check(home, reader, begin, whole=False)
                if reader.token is not None:
                    places.append((reader.token, home.places(reader.token)))
            elif step == 8 and readers:
                chosen = dice.choice(readers)[0]
                (chosen.free.clear if chosen.free.is_set() else chosen.free.set)()
            elif step == 9:
                home.goes(away=dice.random() < 0.5)
            await turns(dice.randrange(12))
        home.goes(away=False)
        end = [len(events) for events in home.events]
        for reader, begin in readers:
            reader.free.set()
            await reader.has(sum(end) - sum(begin))
            _check(home, reader, begin, whole=True)
        for shard in range(len(home.events)):
            home.write(shard)
        for reader, begin in readers:
            await reader.has(sum(end) - sum(begin) + len(home.events))
        async with asyncio.timeout(30):
            while home.open > 1:  # noqa: ASYNC110  # until all have come up; nobody tells
                await asyncio.sleep(0)
        for reader, begin in readers:
            await reader.leave()
            _check(home, reader, begin, whole=True)


def _check(home: Home, reader: Seen, begin: list[int], *, whole: bool) -> None:
    """Nothing twice, nothing out of order, no gap; and a token that says where it is."""
    assert reader.error is None, reader.error
    told = reader.by_shard()
    at = home.places(reader.token) if reader.token is not None else begin
    for shard, events in enumerate(home.events):
        seen = told.get(shard, [])
        wanted = [each["n"] for each in events][begin[shard] :]
        assert seen == wanted[: len(seen)]
        assert begin[shard] + len(seen) <= len(events)
        assert at[shard] >= begin[shard] + len(seen) or not reader.items
        assert at[shard] <= begin[shard] + len(seen) or not seen
        if whole:
            assert len(seen) >= len(events) - begin[shard] - 1
    for _, data in reader.items:
        assert "position" in data


async def test_a_feed_nobody_reads_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.fanout.shared.feeds.LINGER_S", 0.0)
    home = Home()
    async with Feeds(home.ask) as feeds:
        reader = Seen(feeds.follow(WHO, place=True))
        await reader.began()
        await reader.leave()
        async with asyncio.timeout(20):
            await home.left.wait()
        assert feeds.figures() == {"feeds": 0, "readers": 0, "alone": 0}
