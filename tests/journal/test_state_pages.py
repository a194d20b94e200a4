"""SEMANTICS 2.3: a long stream that leaves memory leaves a page of its state, and comes back by folding what came
after; a page that does not count changes nothing but the number of events that are folded."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from aob.backends.memory.pages import MemoryPages
from aob.core.errors import Unavailable
from aob.journal import Stream, pages
from aob.ports.pages import Key, OwnedPages, Pages
from aob.testing.world.loop import replaced
from tests.journal.tally import Add, End, Shell, Tally, in_virtual_time, passes
from tests.journal.test_resident import CountingStore, RestingLaw, rested

NAME = "t_1"
PAGE = ("default", "~t_1")


class PagedLaw(RestingLaw):
    """Its state can be kept as a page."""

    fold_version = "1"

    def page(self, stream: Stream) -> bytes | None:
        return msgspec.json.encode(stream.state.count)

    def unpage(self, data: bytes) -> Any:
        state = Tally(NAME)
        state.count, state.begun = msgspec.json.decode(data), True
        return state


def shell_of(store: CountingStore, kept: Pages, version: str = "1") -> Shell:
    law = PagedLaw()
    law.fold_version = version
    shell = Shell(store, law)
    shell.journal.keep_pages(OwnedPages(kept))
    return shell


def stats(shell: Shell) -> dict[str, int]:
    assert shell.journal.pages is not None
    return {name: count for name, count in shell.journal.pages.stats.items() if count}


async def added(shell: Shell, count: int) -> None:
    for _ in range(count):
        await shell.journal.ask(NAME, Add())


async def left(shell: Shell, count: int = 20) -> None:
    """A stream of so many more events leaves memory."""
    await added(shell, count)
    await rested(shell)
    assert NAME in shell.journal.away


def small() -> Any:
    return replaced((pages, "PAGE_EVENTS", 10), (pages, "PAGE_AGAIN", 5))


@in_virtual_time
async def test_a_long_stream_comes_back_by_folding_what_came_after_its_page() -> None:
    store, kept = CountingStore(), MemoryPages()
    shell = shell_of(store, kept)
    with small():
        async with shell.journal as j:
            await left(shell)
            assert (await j.ask(NAME, Add())).stream.state.count == 21
            assert stats(shell) == {"written": 1, "used": 1}, "nothing is folded"
            await rested(shell)
            assert (await j.ask(NAME, Add())).stream.state.count == 22
            assert stats(shell) == {"written": 1, "used": 2, "folded": 1}, "one event more is no new page"
        again = shell_of(store, kept)
        async with again.journal as j:
            assert (await j.ask(NAME, Add())).stream.state.count == 23
            assert stats(again) == {"used": 1, "folded": 2}


@in_virtual_time
async def test_a_short_stream_leaves_no_page() -> None:
    kept = MemoryPages()
    shell = shell_of(CountingStore(), kept)
    async with shell.journal:
        await left(shell)
        assert stats(shell) == {}
        assert not await kept.tenants()


@in_virtual_time
async def test_of_a_stream_that_has_ended_no_page_stays() -> None:
    store, kept = CountingStore(), MemoryPages()
    shell = shell_of(store, kept)
    with small():
        async with shell.journal as j:
            await left(shell)
            assert await kept.tenants()
            await j.ask(NAME, End())
            await passes(0.5)
            assert not await kept.tenants()


@in_virtual_time
async def test_a_page_that_was_being_written_when_its_stream_ended_goes_too() -> None:
    kept = MemoryPages()
    shell = shell_of(CountingStore(), kept)
    with small():
        async with shell.journal as j:
            await added(shell, 20)
            while NAME in j.streams:
                if j.let_go(-1, 1_000):
                    j._wake.set()
                await passes(0)
            await j.ask(NAME, End())
            await passes(0.5)
            assert not await kept.tenants()


@in_virtual_time
async def test_a_start_removes_pages_of_streams_that_do_not_live() -> None:
    store, kept = CountingStore(), MemoryPages()
    shell = shell_of(store, kept)
    with small():
        async with shell.journal as j:
            await left(shell)
            page = await kept.page(*PAGE)
            await j.ask(NAME, End())
            await passes(0.5)
        owner = await kept.take(0)
        await kept.save(owner, {}, {("default", NAME): b"", PAGE: page})
        async with shell_of(store, kept).journal:
            assert not await kept.tenants()


class Away(MemoryPages):
    """A file that cannot be read, or not be written."""

    def __init__(self, *, reads: bool) -> None:
        super().__init__()
        self.reads, self.fails = reads, False

    async def page(self, tenant: str, name: str) -> bytes | None:
        if self.fails and self.reads:
            raise Unavailable("the page is not what was written", code="page_corrupt")
        return await super().page(tenant, name)

    async def save(self, owner: Any, marks: Any, pages: Any, dropped: Any = ()) -> Any:
        if self.fails:
            raise Unavailable("the disk is full", code="disk_full")
        return await super().save(owner, marks, pages, dropped)


@pytest.mark.parametrize("reads", [True, False])
def test_a_file_of_pages_that_fails_keeps_nobody_from_anything(reads: bool) -> None:
    @in_virtual_time
    async def fails() -> None:
        kept = Away(reads=reads)
        shell = shell_of(CountingStore(), kept)
        with small():
            async with shell.journal as j:
                await left(shell)
                kept.fails = True
                assert (await j.ask(NAME, Add())).stream.state.count == 21
                await left(shell)
                assert (await j.ask(NAME, End())).stream.state.over
                await passes(0.5)
                assert stats(shell)["failed"]
            kept.fails = False
            async with shell_of(CountingStore(), kept).journal:
                assert not await kept.tenants()

    fails()


# -- pages that do not count ------------------------------------------------------------------------------------------

Spoils = Callable[[list[Any]], Any]
HEAD: dict[str, tuple[int, Any]] = {
    "another stream": (0, "t_2"), "further than the store": (1, 500), "between decisions": (1, 0),
    "another history": (2, 12345), "another code": (3, "2"), "another hash": (4, b"\0" * 32),
}  # fmt: skip


async def spoilt(kept: MemoryPages, what: str) -> None:
    key: Key = PAGE
    page = await kept.page(*key)
    assert page is not None
    head, state = msgspec.msgpack.decode(page)
    made: bytes | None
    if what == "missing":
        made = None
    elif what == "cut off":
        made = page[:-3]
    elif what == "other state":
        made = msgspec.msgpack.encode((head, b"7"))
    elif what == "no page at all":
        made = b"\xc1oh"
    else:
        at, value = HEAD[what]
        head[at] = value
        made = msgspec.msgpack.encode((head, state))
    await kept.save(await kept.take(0), {}, {key: made})


@pytest.mark.parametrize("what", ["missing", "cut off", "other state", "no page at all", *HEAD])
def test_a_page_that_does_not_count_is_not_used(what: str) -> None:
    @in_virtual_time
    async def folds() -> None:
        store, kept = CountingStore(), MemoryPages()
        shell = shell_of(store, kept)
        with small():
            async with shell.journal:
                await left(shell)
            await spoilt(kept, what)
            again = shell_of(store, kept)
            async with again.journal as j:
                assert (await j.ask(NAME, Add())).stream.state.count == 21
                counted = stats(again)
                assert (counted.pop("folded"), counted.get("used", 0)) == (20, 0)
                assert counted["refused"] == 1
                await rested(again)
                assert (await j.ask(NAME, Add())).stream.state.count == 22
                assert stats(again)["written"] == 1, "a page is written anew"

    folds()


@in_virtual_time
async def test_the_page_of_another_release_is_not_read() -> None:
    store, kept = CountingStore(), MemoryPages()
    shell = shell_of(store, kept)
    with small():
        async with shell.journal:
            await left(shell)
        newer = shell_of(store, kept, version="2")
        async with newer.journal as j:
            assert (await j.ask(NAME, Add())).stream.state.count == 21
            assert stats(newer) == {"refused": 1, "folded": 20}


@in_virtual_time
async def test_a_store_restored_to_a_moment_before_and_gone_another_way_is_not_told_of_what_never_was() -> None:
    kept = MemoryPages()
    first, second = shell_of(CountingStore(), kept), shell_of(other := CountingStore(), kept)
    with small():
        async with first.journal:
            await left(first)
        second.journal.pages = None
        async with second.journal:
            for _ in range(20):
                await second.journal.ask(NAME, Add(2))
            await rested(second)
        third = shell_of(other, kept)
        async with third.journal as j:
            assert (await j.ask(NAME, Add())).stream.state.count == 41
            assert stats(third) == {"refused": 1, "folded": 20}
