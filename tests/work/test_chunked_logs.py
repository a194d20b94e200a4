"""Chunked logs: what the suite of the port cannot ask: a store that is away, that answers too late, that is full; a
process that is killed; a reader that is overtaken."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from aob.backends.memory.log_chunks import MemoryLogChunks
from aob.core.errors import Unavailable
from aob.ports.visit_logs import CHUNK_BYTES, Chunk, Line
from aob.testing.world.loop import VirtualLoop, run_virtual
from aob.work.visit_logs import ChunkedLogs, chunked


class Moody(MemoryLogChunks):
    """Chunks whose store does as it is told: `away` stores nothing, `late` stores and then fails, `never` refuses, and
    `picky` refuses whatever comes with chunks of run_1."""

    def __init__(self) -> None:
        super().__init__()
        self.mood, self.tried = "", asyncio.Event()
        self.added = list[Sequence[Chunk]]()

    async def add(self, chunks: Sequence[Chunk]) -> None:
        mood = self.mood
        self.added.append(chunks)
        if mood != "away":
            if mood == "never" or (mood == "picky" and any(chunk.run == "run_1" and chunk.data for chunk in chunks)):
                self.tried.set()
                raise ValueError("this cannot be stored")
            await super().add(chunks)
        self.tried.set()
        if mood not in ("", "picky"):
            raise Unavailable("no answer", code="store_away")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Moody:
    monkeypatch.setattr(chunked, "AGAIN_S", 0.001)
    monkeypatch.setattr(chunked, "FOLLOWED_S", 0.001)
    monkeypatch.setattr(chunked, "FLUSH_S", 30.0)
    return Moody()


@pytest.fixture
async def logs(store: Moody) -> AsyncIterator[ChunkedLogs]:
    now = itertools.count(1_000)
    made = ChunkedLogs(store, lambda: next(now), chunk_bytes=400, held_bytes=2_000, wait_s=0.001, poll_s=0.01)
    made.begin()
    yield made
    store.mood = ""
    await made.close()


def say(logs: ChunkedLogs, *said: str) -> None:
    for message in said:
        logs.write("run_1", "a", 1, message, {}, "acme")


async def stored(store: Moody) -> list[Line]:
    """What a process that begins now reads."""
    return [line async for line in ChunkedLogs(store, lambda: 0).read("run_1")]


def told(lines: list[Line]) -> list[object]:
    return [line["message"] for line in lines]


@pytest.mark.parametrize("mood", ["away", "late"])
async def test_a_store_that_fails_gets_each_line_once_when_it_is_back(
    logs: ChunkedLogs, store: Moody, mood: str
) -> None:
    store.mood = mood
    say(logs, "one", "two")
    async with asyncio.timeout(30):
        await store.tried.wait()
    say(logs, "three")
    store.mood = ""
    assert told([line async for line in logs.read("run_1")]) == ["one", "two", "three"]
    assert told(await stored(store)) == ["one", "two", "three"]
    again = {each.first: each.data for batch in store.added for each in batch}
    assert all(again[each.first] == each.data for batch in store.added for each in batch)


async def test_what_is_not_stored_is_all_that_a_kill_loses(store: Moody) -> None:
    logs = ChunkedLogs(store, lambda: 0, wait_s=0.001)
    logs.begin()
    say(logs, "one")
    await logs.flush()
    store.mood = "away"
    say(logs, "two")
    async with asyncio.timeout(30):
        store.tried.clear()
        await store.tried.wait()
    assert logs._storing is not None
    logs._storing.cancel()  # killed: nothing more is done
    store.mood = ""
    after = ChunkedLogs(store, lambda: 0, wait_s=0.001)
    after.begin()
    say(after, "three")
    await after.close()
    assert told(await stored(store)) == ["one", "three"]


async def test_a_line_is_stored_without_being_asked(logs: ChunkedLogs, store: Moody) -> None:
    say(logs, "one")
    async with asyncio.timeout(30):
        await store.tried.wait()
    assert told(await stored(store)) == ["one"]


async def test_what_is_too_much_is_dropped_counted_and_told(logs: ChunkedLogs, store: Moody) -> None:
    store.mood = "away"
    said = [f"{number:03}" for number in range(100)]
    say(logs, *said)
    assert 0 < logs.dropped < 100
    store.mood = ""
    await logs.flush()
    say(logs, "after")
    await logs.flush()
    kept = told(await stored(store))
    assert kept[: 100 - logs.dropped] == said[: 100 - logs.dropped]
    lines = await stored(store)
    assert sum(line.get("dropped", 0) for line in lines) == logs.dropped
    assert lines[-1]["message"] == "after"


async def test_that_a_line_is_missing_is_told_where_it_would_be(logs: ChunkedLogs, store: Moody) -> None:
    say(logs, "before", "x" * 5_000, "behind")  # the second one has no room
    await logs.flush()
    say(logs, "after")
    await logs.flush()
    assert told(await stored(store)) == ["before", "1 line is missing here", "behind", "after"]


async def test_chunks_that_can_never_be_stored_hold_up_no_others(logs: ChunkedLogs, store: Moody) -> None:
    store.mood = "never"
    say(logs, "one")
    await logs.flush()
    store.mood = ""
    say(logs, "two")
    await logs.flush()
    assert told(await stored(store)) == ["1 line is missing here", "two"]
    assert logs.dropped == 1


async def test_a_chunk_that_can_never_be_stored_takes_none_along_that_came_with_it(
    logs: ChunkedLogs, store: Moody
) -> None:
    store.mood = "picky"
    for run in ("run_0", "run_1", "run_2"):
        logs.write(run, "a", 1, f"of {run}", {}, "acme")
    await logs.flush()
    store.mood = ""
    assert sorted(store._kept) == ["run_0", "run_2"]
    assert logs.dropped == 1
    say(logs, "next")
    assert told([line async for line in logs.read("run_1")]) == ["1 line is missing here", "next"]


async def test_what_a_chunk_would_have_told_of_missing_lines_the_next_one_tells(
    logs: ChunkedLogs, store: Moody
) -> None:
    store.mood = "never"
    say(logs, "before", "x" * 5_000, "behind")
    await logs.flush()
    store.mood = ""
    say(logs, "after")
    await logs.flush()
    assert (told(await stored(store)), logs.dropped) == (["3 lines are missing here", "after"], 3)


async def test_nothing_of_a_run_that_is_removed_comes_after_its_removal() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(MemoryLogChunks):
        async def add(self, chunks: Sequence[Chunk]) -> None:
            begun.set()
            await go_on.wait()
            await super().add(chunks)

    chunks = Slow()
    logs = ChunkedLogs(chunks, lambda: 0, wait_s=0.001)
    logs.begin()
    say(logs, "on its way")
    await begun.wait()
    say(logs, "and behind it")
    removes = asyncio.create_task(logs.remove("run_1"))
    for _ in range(5):
        await asyncio.sleep(0)
    go_on.set()
    await removes
    await logs.close()
    assert (await chunks.read("run_1", 0), logs._held) == ([], 0)


async def test_what_is_removed_while_the_store_is_away_takes_no_room_any_more(
    logs: ChunkedLogs, store: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked, "FLUSH_S", 0.01)
    store.mood = "away"
    say(logs, "one")
    async with asyncio.timeout(30):
        await store.tried.wait()
    say(logs, "two", "three")
    await logs.remove("run_1")
    store.mood = ""
    monkeypatch.setattr(chunked, "FLUSH_S", 30.0)
    await logs.flush()
    assert (logs._held, logs._waiting, told(await stored(store))) == (0, {}, ["one"])


@pytest.mark.parametrize("ends", ["finished", "read", "closed"])
@pytest.mark.parametrize("mood", ["away", "picky"])
async def test_lines_that_were_dropped_are_told_although_no_other_comes_after_them(
    logs: ChunkedLogs, store: Moody, mood: str, ends: str
) -> None:
    say(logs, "one")
    await logs.flush()
    store.mood = mood
    say(logs, *["x" * 500] * 9)
    store.tried.clear()
    async with asyncio.timeout(30):
        await store.tried.wait()
    if mood == "picky":
        await logs.flush()
    store.mood = ""
    if ends == "finished":
        logs.finish("run_1")
        await logs.flush()
    elif ends == "read":
        assert told([line async for line in logs.read("run_1")]) == told(await stored(store))
    else:
        await logs.close()
    lines = await stored(store)
    assert logs.dropped
    assert lines[-1]["dropped"] == logs.dropped, "it is the last line, and counts all"
    assert sum(line["message"] == "x" * 500 for line in lines) == 9 - logs.dropped
    logs.finish("run_1")
    assert (logs._runs, logs._waiting, logs._held) == ({}, {}, 0)


async def test_a_store_that_takes_not_even_their_count_is_not_asked_for_ever(logs: ChunkedLogs, store: Moody) -> None:
    store.mood = "never"
    say(logs, "one")
    await logs.flush()
    logs.finish("run_1")
    await logs.flush()
    asked = len(store.added)
    await logs.flush()
    assert (logs._runs, logs._waiting, len(store.added)) == ({}, {}, asked)


async def test_a_reader_that_is_overtaken_is_told_how_many_lines_it_missed(
    logs: ChunkedLogs, store: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ChunkedLogs(store, lambda: 0, poll_s=0.001)
    say(logs, "0")
    await logs.flush()
    following = other.read("run_1", follow=lambda: True)
    assert (await anext(following))["message"] == "0"
    monkeypatch.setattr("aob.backends.memory.log_chunks.RUN_CHUNKS", 2)
    for number in range(1, 6):
        say(logs, f"{number}")
        await logs.flush()
    async with asyncio.timeout(30):
        found = [await anext(following) for _ in range(3)]
    assert [(line["message"], line.get("dropped", 0)) for line in found] == [
        ("3 lines are missing here", 3), ("4", 0), ("5", 0),
    ]  # fmt: skip
    await following.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_lines_whose_bytes_are_gone_are_told_in_their_place(logs: ChunkedLogs, store: Moody) -> None:
    for number in range(4):
        say(logs, f"{number}", "more")
        await logs.flush()
    kept = store._kept["run_1"]
    for number in (0, 2):
        kept[number] = msgspec.structs.replace(kept[number], data=b"")
    gone = "2 lines are missing here"
    assert told(await stored(store)) == [gone, "1", "more", gone, "3", "more"]


async def test_nothing_is_kept_of_runs_that_are_over_or_idle(logs: ChunkedLogs, store: Moody) -> None:
    for number in range(50):
        logs.write(f"run_{number}", "a", 1, "line", {}, "acme")
        if number % 2:
            logs.finish(f"run_{number}")
        if number % 10 == 9:
            await logs.flush()
    assert not logs._runs
    assert not logs._waiting
    assert logs._held == 0


async def test_a_run_that_comes_back_is_followed_again(logs: ChunkedLogs) -> None:
    say(logs, "before")
    logs.finish("run_1")  # it left with its partition
    following = logs.read("run_1", follow=lambda: True)
    async with asyncio.timeout(30):
        assert (await anext(following))["message"] == "before"
        say(logs, "after")
        assert (await anext(following))["message"] == "after"
    await following.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_closing_twice_is_fine(store: Moody) -> None:
    logs = ChunkedLogs(store, lambda: 0)
    logs.begin()
    say(logs, "one")
    await logs.close()
    await logs.close()
    assert told(await stored(store)) == ["one"]


async def passed(loop: VirtualLoop, delay_s: float) -> None:
    """So much virtual time."""
    event = asyncio.Event()
    loop.call_later(delay_s, event.set)
    await event.wait()


def test_each_line_is_stored_within_two_seconds_and_sooner_where_it_is_followed() -> None:
    loop = VirtualLoop()
    late = list[float]()

    class Slow(MemoryLogChunks):
        """A store that takes its time."""

        async def add(self, chunks: Sequence[Chunk]) -> None:
            await passed(loop, 0.5)
            await super().add(chunks)
            for chunk in chunks:
                late.extend(loop.time() - float(json.loads(raw)["message"]) for raw in chunk.data.splitlines())

    async def talk() -> None:
        logs = ChunkedLogs(Slow(), lambda: 0)
        logs.begin()
        for _ in range(300):
            say(logs, f"{loop.time()}")
            await passed(loop, 0.05)
        await logs.flush()
        alone, following = late.copy(), logs.read("run_1", follow=lambda: True)
        late.clear()
        await anext(following)
        for _ in range(300):
            say(logs, f"{loop.time()}")
            await passed(loop, 0.05)
        await logs.close()
        assert max(alone) <= 2.0
        assert max(late) <= 1.2
        assert len(alone) == len(late) == 300

    run_virtual(loop, talk())


async def test_a_chunk_has_as_many_bytes_as_it_may_and_one_line_at_least(store: Moody) -> None:
    assert CHUNK_BYTES == 256 * 1024
    logs = ChunkedLogs(store, lambda: 0, chunk_bytes=1_000)
    sizes = [1, 300, 300, 300, 2_000, 10, *[90] * 30]
    for size in sizes:
        say(logs, "x" * size)
    logs.begin()
    await logs.close()
    chunks = [chunk for batch in store.added for chunk in batch]
    assert len(chunks) > 4
    for chunk, after in zip(chunks, [*chunks[1:], None], strict=True):
        assert len(chunk.data) <= 1_000 or chunk.lines == 1
        more = after.data.splitlines()[0] if after is not None else b""
        assert after is None or len(chunk.data) + len(more) + 1 > 1_000, "the next line has no room in it"
    assert sum(chunk.lines for chunk in chunks) == len(sizes)


def test_what_fills_a_chunk_is_stored_at_once_and_other_lines_wait_for_more() -> None:
    loop, store = VirtualLoop(), Moody()

    async def talk() -> None:
        logs = ChunkedLogs(store, lambda: 0, chunk_bytes=1_000)
        logs.begin()
        say(logs, "x")
        await passed(loop, chunked.WAIT_S / 2)
        assert store.added == []
        say(logs, *["x" * 90] * 20)
        await passed(loop, 0.01)
        assert sum(chunk.lines for batch in store.added for chunk in batch) == 21
        await logs.close()

    run_virtual(loop, talk())
