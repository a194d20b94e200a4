"""A shard that another process owns: a request finds the present owner, happens once, or says why not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

import msgspec
import pytest

from aob.compose.network import RemoteShard, Route
from aob.compose.network.remote import REPEATABLE, Directory
from aob.compose.wire.asks import UNTIL
from aob.compose.wire.frames import Frame, Kind
from aob.core.errors import Unavailable
from aob.core.policy import LOCAL
from aob.testing.proxy import Proxy, Way
from tests.network.peers import Shards, asking, served, until

pytestmark = pytest.mark.timeout(30)


class Book:
    """What one process knows of owners; `truth` is what is written."""

    def __init__(self, **truth: Route) -> None:
        self.known: dict[int, Route] = {}
        self.truth: dict[int, Route] = {}
        self.looks = 0

    def owner(self, shard: int) -> Route | None:
        return self.known.get(shard)

    async def look(self, shard: int) -> Route | None:
        self.looks += 1
        if shard in self.truth:
            self.learn(shard, self.truth[shard])
        return self.known.get(shard)

    def learn(self, shard: int, route: Route) -> None:
        if shard not in self.known or route.epoch > self.known[shard].epoch:
            self.known[shard] = route


@asynccontextmanager
async def remote(shards: Shards, watch: Callable[[Way, bytes], bool] | None = None) -> AsyncIterator[
    tuple[RemoteShard, Book, Proxy]
]:  # fmt: skip
    async with served(shards) as server, asking() as peers:
        host, port = server.address.rsplit(":", 1)
        async with Proxy(host, int(port)) as proxy:
            proxy.watch = watch
            book = Book()
            book.known[0] = Route(proxy.url, 1)
            fits: Directory = book
            yield RemoteShard(0, fits, peers), book, proxy


def kinds(data: bytes) -> set[Kind]:
    """The kinds of the frames in a piece of a stream that begins with a frame."""
    found, at = set[Kind](), 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size != 0xFFFFFFFF:
            found.add(msgspec.msgpack.decode(data[at + 4 : at + 4 + size], type=Frame).kind)
            at += size
        at += 4
    return found


async def test_a_shard_that_moved_is_asked_where_it_is_now() -> None:
    old, new = Shards(), Shards(0)
    async with served(old) as first, served(new) as second, asking() as peers:
        old.elsewhere[0] = second.address, 7
        book = Book()
        book.known[0] = Route(first.address, 6)
        shard = RemoteShard(0, book, peers)
        assert (await shard.call("run", LOCAL, "r"))[1] == "run"
        assert book.known[0] == Route(second.address, 7)
        assert [item async for item in shard.stream("logs", LOCAL, 3)] == [0, 1, 2]
        assert new.desks[0].asked == ["run", "logs"]


async def test_an_older_word_about_the_owner_is_not_believed() -> None:
    old, new = Shards(), Shards(0)
    async with served(old) as first, served(new) as second, asking() as peers:
        old.elsewhere[0] = "127.0.0.1:1", 3
        book = Book()
        book.known[0] = Route(first.address, 6)
        book.truth[0] = Route(second.address, 8)
        shard = RemoteShard(0, book, peers)
        with pytest.raises(Unavailable) as unowned:
            await shard.call("run", LOCAL)
        assert unowned.value.code == "shard_unowned"
        old.elsewhere.clear()
        assert await shard.call("run", LOCAL)


async def test_three_tries_find_nobody_and_say_when_to_come_again() -> None:
    shards = Shards()
    async with remote(shards) as (shard, book, _):
        for verb in ("run", "start_meant", "cancel"):
            with pytest.raises(Unavailable) as unowned:
                await shard.call(verb, LOCAL)
            assert (unowned.value.code, unowned.value.status) == ("shard_unowned", 503)
            assert unowned.value.fields["retry_after_s"] > 0
        assert book.looks == 3 * 3, "three tries of each"
        with pytest.raises(Unavailable) as unowned:
            await anext(shard.stream("logs", LOCAL, 1))
        assert unowned.value.code == "shard_unowned"
        book.known.clear()
        with pytest.raises(Unavailable) as unowned:
            await shard.call("run", LOCAL)
        assert unowned.value.code == "shard_unowned"
        assert not shard.up
        assert shard.state == "nobody owns it"


async def test_no_try_begins_after_the_time_of_its_caller() -> None:
    async with remote(Shards(0)) as (shard, _, _):

        async def late() -> object:
            UNTIL.set(asyncio.get_running_loop().time() - 1)
            return await shard.call("run", LOCAL)

        with pytest.raises(Unavailable) as unowned:
            await asyncio.create_task(late())
        assert unowned.value.code == "shard_unowned"


@pytest.mark.parametrize("verb", ["run", "health", "tickets"])
async def test_what_happens_once_however_often_it_is_asked_is_asked_again_when_the_answer_is_lost(verb: str) -> None:
    assert verb in REPEATABLE
    cuts: list[Way] = []

    def watch(way: Way, data: bytes) -> bool:
        if way == "down" and Kind.VALUE in kinds(data) and shards.desks[0].asked and not cuts:
            cuts.append(way)
            return True
        return False

    shards = Shards(0)
    async with remote(shards, watch) as (shard, _, proxy):
        told = await shard.call(verb, None)
        assert told[0] == 0
        assert len(shards.desks[0].asked) == 2
        assert proxy.accepted == 2


@pytest.mark.parametrize("way", ["up", "down"])
async def test_what_might_happen_twice_is_asked_once_and_its_caller_is_told_that_the_answer_is_lost(way: Way) -> None:
    cuts: list[Way] = []

    def watch(at: Way, data: bytes) -> bool:
        wanted = Kind.ASK if way == "up" else Kind.VALUE
        if at == way and wanted in kinds(data) and proxy_accepted and not cuts:
            cuts.append(at)
            return True
        return False

    shards, proxy_accepted = Shards(0), list[int]()
    async with remote(shards, watch) as (shard, _, _):
        await shard.ready()
        proxy_accepted.append(1)
        with pytest.raises(Unavailable) as lost:
            await shard.call("message", LOCAL, "run_1", "a")
        assert lost.value.code == "shard_lost"
        assert shards.desks[0].asked == ([] if way == "up" else ["message"])
        assert (await shard.call("message", LOCAL, "run_1", "a"))[1] == "message"


@pytest.mark.parametrize(
    ("items", "times"),
    [([{"run_id": "run_1"}, {"key": "k"}], 2), ([{"run_id": "run_1"}, {}], 1), ([], 2)],
)  # fmt: skip
async def test_starts_are_asked_again_only_if_each_has_an_id(items: list[dict[str, str]], times: int) -> None:
    cuts: list[int] = []

    def watch(way: Way, data: bytes) -> bool:
        if way == "down" and shards.desks[0].asked and not cuts:
            cuts.append(1)
            return True
        return False

    shards = Shards(0)
    async with remote(shards, watch) as (shard, _, _):
        await shard.ready()
        with pytest.raises(Unavailable, match="ended before") if times == 1 else nullcontext():
            await shard.call("start_meant", LOCAL, items, "{}", {})
        assert len(shards.desks[0].asked) == times


@pytest.mark.parametrize("kind", [each for each in Kind if each not in (Kind.STOP, Kind.OPENING)])
async def test_a_connection_that_is_cut_at_any_kind_of_frame_leaves_nobody_waiting_and_nothing_at_work(
    kind: Kind,
) -> None:
    armed, cuts = list[int](), list[Kind]()

    def watch(way: Way, data: bytes) -> bool:
        if armed and not cuts and kind in kinds(data):
            cuts.append(kind)
            return True
        return False

    shards = Shards(0)
    async with remote(shards, watch) as (shard, _, proxy):
        await shard.ready()
        armed.append(1)

        async def read() -> list[int]:
            return [item async for item in shard.stream("logs", LOCAL, 1_000)]

        waiting = asyncio.create_task(shard.call("wait", LOCAL))
        await shards.desks[0].came.wait()
        asked = [read(), shard.call("blob", LOCAL), shard.call("cancel", LOCAL), shard.call("message", LOCAL)]
        async with asyncio.timeout(20):
            told = await asyncio.gather(*asked, return_exceptions=True)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await until(lambda: bool(cuts) and proxy.accepted == 2)
            for each in told:
                if isinstance(each, Unavailable):
                    assert each.code == "shard_lost"
                else:
                    assert each is not None
            await shard.ready()
            assert (await shard.call("message", LOCAL))[1] == "message"
            await until(lambda: len(shards.desks[0].cancelled) == shards.desks[0].asked.count("wait"))


async def test_an_owner_that_gives_its_shard_away_ends_the_streams_of_others_with_shard_lost() -> None:
    shards = Shards(0)
    async with remote(shards) as (shard, _, proxy):
        feed = shard.stream("follow", LOCAL, 2)
        assert [await anext(feed), await anext(feed)] == [0, 1]
        proxy.cut()
        with pytest.raises(Unavailable) as lost:
            await anext(feed)
        assert lost.value.code == "shard_lost"


async def test_whoever_waits_for_an_owner_goes_on_when_there_is_one() -> None:
    shards = Shards(0)
    async with served(shards) as server, asking() as peers:
        book = Book()
        shard = RemoteShard(0, book, peers)
        waiting = asyncio.create_task(shard.ready())
        await until(lambda: book.looks > 1)
        assert not waiting.done()
        book.truth[0] = Route(server.address, 1)
        await waiting
        assert shard.up
        assert shard.state == "ok"
