"""Tests for every `VisitLogs` and every `LogChunks`: each line once, in order, read by all, gone with its run."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from aob.core.value import digest_of
from aob.ports.visit_logs import Chunk, KeptChunk, Line, LogChunks, VisitLogs

RUN, OTHER = "run_1", "run_2"


class VisitLogsSuite:
    """The contract of `aob.ports.visit_logs.VisitLogs`."""

    async def make(self) -> VisitLogs:
        """The logs of a process, empty at the first call of a test; of the same home at each."""
        raise NotImplementedError

    @pytest.fixture
    async def logs(self) -> VisitLogs:
        return await self.make()

    async def test_at_first_there_is_none(self, logs: VisitLogs) -> None:
        assert await lines(logs) == []
        assert await logs.having([RUN, OTHER]) == []
        await logs.remove(RUN)

    async def test_what_is_logged_comes_back_in_order_with_its_facts(self, logs: VisitLogs) -> None:
        line = logs.opened(RUN, "each[3]/fetch", "acme")
        line("begun", 1, {})
        await logs.flush()
        line("page", 2, {"number": 7, "visit": "of its own"})
        for _ in range(2):  # before it is stored and after it
            begun, page = await lines(logs)
            assert (begun["visit"], begun["attempt"], begun["message"]) == ("each[3]/fetch", 1, "begun")
            assert (page["attempt"], page["message"], page["number"], page["visit_"]) == (2, "page", 7, "of its own")
            assert begun["at"] <= page["at"]
            await logs.flush()

    async def test_lines_are_picked_by_visit_and_by_node(self, logs: VisitLogs) -> None:
        for number, visit in enumerate(("fetch", "each[1]/fetch", "loop#2/fetch", "prefetch", "send")):
            logs.write(RUN, visit, 1, visit, {}, "acme")
            if number % 2:
                await logs.flush()
        logs.write(OTHER, "fetch", 1, "of another run", {}, "acme")
        assert messages(await lines(logs, visit="fetch")) == ["fetch"]
        assert messages(await lines(logs, node="fetch")) == ["fetch", "each[1]/fetch", "loop#2/fetch"]
        assert messages(await lines(logs, OTHER)) == ["of another run"]

    async def test_what_one_process_stored_the_others_read(self, logs: VisitLogs) -> None:
        logs.write(RUN, "fetch", 1, "one", {}, "acme")
        await logs.flush()
        other = await self.make()
        assert messages(await lines(other)) == ["one"]
        assert await other.having([OTHER, RUN]) == [RUN]
        other.write(RUN, "fetch", 1, "two", {}, "acme")
        await other.flush()
        assert messages(await lines(logs)) == ["one", "two"]

    async def test_a_follower_gets_what_there_is_then_each_line_then_the_end(self, logs: VisitLogs) -> None:
        logs.write(RUN, "fetch", 1, "0", {}, "acme")
        await logs.flush()
        logs.write(RUN, "fetch", 1, "1", {}, "acme")
        following = logs.read(RUN, node="fetch", follow=lambda: True)
        async with asyncio.timeout(30):
            for number in range(6):
                assert (await anext(following))["message"] == f"{number}"
                if number > 0:
                    logs.write(RUN, "send", 1, "not asked for", {}, "acme")
                    logs.write(RUN, "fetch", 1, f"{number + 1}", {}, "acme")
                if number % 2:
                    await logs.flush()
            assert (await anext(following))["message"] == "6"
            logs.write(RUN, "fetch", 1, "last", {}, "acme")
            logs.finish(RUN)
            assert messages([line async for line in following]) == ["last"]

    async def test_following_a_run_that_is_over_ends_at_once(self, logs: VisitLogs) -> None:
        logs.write(RUN, "fetch", 1, "one", {}, "acme")
        logs.finish(RUN)
        async with asyncio.timeout(30):
            assert messages([line async for line in logs.read(RUN, follow=lambda: False)]) == ["one"]

    @pytest.mark.parametrize("seed", range(4))
    async def test_a_reader_at_any_time_gets_each_line_once_and_in_order(self, logs: VisitLogs, seed: int) -> None:
        dice, said = random.Random(seed), 0  # for a test
        following = asyncio.create_task(collected(logs.read(RUN, follow=lambda: True)))
        for _ in range(60):
            for _ in range(dice.randint(0, 3)):
                logs.write(RUN, "fetch", 1, f"{said}", {"text": "x" * dice.randint(0, 400)}, "acme")
                said += 1
            move = dice.random()
            if move < 0.3:
                await logs.flush()
            elif move < 0.6:
                assert messages(await lines(logs)) == [f"{number}" for number in range(said)]
            else:
                await asyncio.sleep(0)
        logs.finish(RUN)
        async with asyncio.timeout(30):
            assert messages(await following) == [f"{number}" for number in range(said)]

    async def test_lines_go_with_their_run_and_with_no_other(self, logs: VisitLogs) -> None:
        for run in (RUN, OTHER):
            logs.write(run, "fetch", 1, "stored", {}, "acme")
        await logs.flush()
        for run in (RUN, OTHER):
            logs.write(run, "fetch", 1, "fresh", {}, "acme")
        for _ in range(2):
            await logs.remove(RUN)
            assert await lines(logs) == []
            assert await logs.having([RUN, OTHER]) == [OTHER]
        await logs.flush()
        assert await lines(await self.make()) == []
        logs.write(RUN, "fetch", 1, "begun again", {}, "acme")
        assert messages(await lines(logs)) == ["begun again"]
        assert messages(await lines(logs, OTHER)) == ["stored", "fresh"]

    async def test_nothing_that_a_handler_logs_does_harm(self, logs: VisitLogs) -> None:
        for message, fields in (("odd", {"thing": object()}), ("half \ud800", {}), ("a\nb", {}), ("x" * 100_000, {})):
            logs.write(RUN, "fetch", 1, message, fields, "acme")
        await logs.flush()
        assert len(await lines(logs)) == 4
        assert logs.dropped == 0


class LogChunksSuite:
    """The contract of `aob.ports.visit_logs.LogChunks`."""

    async def make(self) -> LogChunks:
        """New chunks, empty; of the same home at each call of a test."""
        raise NotImplementedError

    @pytest.fixture
    async def chunks(self) -> LogChunks:
        return await self.make()

    async def test_what_is_added_is_read_in_order_by_all(self, chunks: LogChunks) -> None:
        other = await self.make()
        await chunks.add([chunk("a", 0), chunk("a", 2), chunk("a", 0, run=OTHER)])
        await other.add([chunk("b", 0, dropped=3)])
        found = await every(chunks)
        assert found == await every(other)
        assert [(each.number, each.writer, each.first, each.upto_lines) for each in found] == [
            (1, "a", 0, 2), (2, "a", 2, 4), (3, "b", 0, 6)
        ]  # fmt: skip
        assert [each.dropped for each in found] == [0, 0, 3]
        assert [each.data for each in found] == [chunk("a", 0).data, chunk("a", 2).data, chunk("b", 0).data]
        assert [each.number for each in await chunks.read(RUN, 2)] == [3]
        assert await chunks.read(RUN, 3) == []

    async def test_one_without_bytes_stands_for_lines_that_could_not_be_kept(self, chunks: LogChunks) -> None:
        await chunks.add([chunk("a", 0), Chunk(RUN, "acme", "a", 2, 40_000, b""), chunk("a", 40_002)])
        assert [(each.lines, each.upto_lines, bool(each.data)) for each in await every(chunks)] == [
            (2, 2, True), (40_000, 40_002, False), (2, 40_004, True)
        ]  # fmt: skip

    async def test_a_repeat_adds_nothing(self, chunks: LogChunks) -> None:
        for _ in range(3):
            await chunks.add([chunk("a", 0), chunk("a", 2)])
        await (await self.make()).add([chunk("a", 2), chunk("a", 4)])
        assert [each.first for each in await every(chunks)] == [0, 2, 4]

    async def test_many_writers_at_once_leave_no_gap(self, chunks: LogChunks) -> None:
        ways = [chunks, await self.make()]
        await asyncio.gather(*(
            ways[number % 2].add([chunk(f"w{number}", first, run=run) for first in (0, 2) for run in (RUN, OTHER)])
            for number in range(12)
        ))  # fmt: skip
        for run in (RUN, OTHER):
            found = await every(chunks, run)
            assert [each.number for each in found] == list(range(1, 25))
            assert {each.writer for each in found} == {f"w{number}" for number in range(12)}
            for writer in {each.writer for each in found}:
                assert [each.first for each in found if each.writer == writer] == [0, 2]

    async def test_removed_chunks_are_gone_with_their_bytes(self, chunks: LogChunks) -> None:
        same = chunk("a", 0)
        await chunks.add([same, chunk("a", 0, run=OTHER)])
        assert await chunks.having(["run_3", OTHER, RUN]) == [OTHER, RUN]
        for _ in range(2):
            await chunks.remove(RUN)
            assert await every(chunks) == []
            assert await chunks.having([RUN, OTHER]) == [OTHER]
        assert [each.data for each in await every(chunks, OTHER)] == [same.data]
        await chunks.add([chunk("a", 2)])
        assert [each.number for each in await every(chunks)] == [1]


async def lines(logs: VisitLogs, run: str = RUN, visit: str = "", node: str = "") -> list[Line]:
    """All lines of a run that there are."""
    return [line async for line in logs.read(run, visit=visit, node=node)]


def messages(found: list[Line]) -> list[object]:
    """What they say."""
    return [line["message"] for line in found]


async def collected(reading: AsyncIterator[Line]) -> list[Line]:
    """All lines until the end."""
    return [line async for line in reading]


def chunk(writer: str, first: int, *, run: str = RUN, dropped: int = 0) -> Chunk:
    """Two lines of a writer."""
    texts = (digest_of(b"%d" % (first + each)).hex().encode() for each in (0, 1))
    data = b"".join(b'{"visit":"a","text":"%b"}\n' % text for text in texts)
    return Chunk(run, "acme", writer, first, 2, data, dropped)


async def every(chunks: LogChunks, run: str = RUN) -> list[KeptChunk]:
    """All chunks of a run."""
    found = list[KeptChunk]()
    while page := await chunks.read(run, found[-1].number if found else 0):
        found += page
    return found
