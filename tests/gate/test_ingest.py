"""The gate's loop: answers come after the commit, everything adds up, what fails counts nowhere and may come again."""

import asyncio
import json
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from aob.backends.memory.event_log import MemoryEventLog
from aob.backends.memory.log import MemoryLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.contract_model import ContractSet, MetricContract, Move
from aob.core.errors import Busy, CallerError, Conflict, Invalid, NotFound, Refused, TooLarge, Unavailable
from aob.core.event import Positions
from aob.core.policy import Caller
from aob.gate import Commit, GatedLog, Ingest, Memory, grouping
from aob.gate import ingest as ingest_room
from aob.gate.ingest import CALL_BYTES_MAX, GROUP_EVENTS
from aob.gate.pending_call import FOLDS_MAX, PART_LINES, parts
from aob.gate.pressure import FREE_BYTES, WAITING_BYTES_MAX, Pressure
from aob.ports.dead_letters import DeadQuery, Letters, Numbers
from aob.ports.event_log import NUMBERS, Row, rows_between
from aob.ports.log import Appended, Record
from aob.testing.world.loop import replaced
from tests.core.ingest.sample import CONTRACTS, DATA, NOW_MS, apart, line

WHO = Caller("acme", "test", frozenset({"run", "view"}))
OTHER = Caller("umbra", "test", frozenset({"run", "view"}))


class Gated(MemoryEventLog):
    """A log whose appends wait for a turn, and fail when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = asyncio.Event()
        self.turn.set()
        self.asked = asyncio.Event()
        self.fails = False
        self.groups: list[list[Row]] = []

    async def append(self, rows: Sequence[Row]) -> None:
        self.asked.set()
        await self.turn.wait()
        if self.fails:
            raise Unavailable("the disk is full", code="disk_full")
        self.groups.append(list(rows))
        await super().append(rows)


def made(
    log: Any, written: Callable[[Sequence[Commit]], None] = lambda commits: None, contracts: ContractSet = CONTRACTS
) -> Ingest:
    return Ingest(log, Memory(lambda tenant: contracts), lambda: NOW_MS, lambda: 0.0, written)


async def sent(ingest: Ingest, *lines: bytes, who: Caller = WHO) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await ingest.ingest(who, b"\n".join(lines)))
    return answer


async def test_every_event_gets_a_verdict_in_its_place() -> None:
    async with made(MemoryEventLog()) as ingest:
        await sent(ingest, line("a"))
        told = await sent(ingest, line("b"), b"{", line("a"), line("c", {**DATA, "items": 0}), line("d"))
        assert [each["verdict"] for each in told["verdicts"]] == [
            "accepted", "rejected", "duplicate", "rejected", "accepted",
        ]  # fmt: skip
        assert (told["received"], told["accepted"], told["duplicate"], told["rejected"]) == (5, 2, 1, 2)
        assert [each.get("deadletter") for each in told["verdicts"]] == [None, 1, None, 2, None]
        assert told["verdicts"][3]["reasons"][0]["pointer"] == "/data/items"


async def test_the_position_is_one_of_the_feed_of_events() -> None:
    async with made(MemoryEventLog()) as ingest:
        await sent(ingest, line("a"))
        assert (await sent(ingest, line("b")))["position"] == Positions(Positions.EVENTS).token(2)
        assert (await sent(ingest))["position"] == Positions(Positions.EVENTS).token(2), "nothing sent"


async def test_nothing_is_answered_or_folded_before_its_commit() -> None:
    log, heard = Gated(), list[Commit]()
    async with made(log, heard.extend) as ingest:
        log.turn.clear()
        first = asyncio.create_task(sent(ingest, line("a"), line("b")))
        await log.asked.wait()
        again = asyncio.create_task(sent(ingest, line("a")))
        third = asyncio.create_task(sent(ingest, line("c"), who=OTHER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not heard
        assert not any(each.done() for each in (first, again, third))
        log.turn.set()
        assert [(await each)["accepted"] for each in (first, again, third)] == [2, 0, 1]
        assert [len(groups) for groups in log.groups] == [1, 2], "what came meanwhile is one commit, a group a tenant"
        assert [(c.row, c.tenant, c.first, [e.offset for e in c.events], c.duplicate) for c in heard] == [
            (1, "acme", 0, [0, 1], 0), (2, "acme", 2, [], 1), (3, "umbra", 0, [0], 0),
        ]  # fmt: skip


@pytest.mark.parametrize("partitions", [1, 3])
async def test_what_is_folded_is_the_row_of_the_log_even_when_the_clock_goes_back(partitions: int) -> None:
    log, heard, times = MemoryEventLog(partitions), list[Commit](), iter(range(NOW_MS + 100, NOW_MS - 100, -1))
    ingest = made(log, heard.extend)
    ingest.now_ms = lambda: next(times)
    async with ingest:
        for turn in range(4):
            calls = [sent(ingest, line(f"{turn}-{n}"), line("again"), b"{", who=(WHO, OTHER)[n % 2]) for n in range(4)]
            await asyncio.gather(*calls)
    rows = [row async for row in rows_between(log, (0,) * partitions, await log.last_rows())]
    told = [Row(*(getattr(commit, name) for name in Row.__struct_fields__)) for commit in heard]
    key = attrgetter("partition", "row")
    assert sorted(told, key=key) == sorted(rows, key=key)
    assert all(len(commit.events) == commit.count for commit in heard)


async def test_a_failed_commit_counts_nowhere_and_its_events_may_come_again() -> None:
    log = Gated()
    async with made(log) as ingest:
        log.turn.clear()
        first = asyncio.create_task(sent(ingest, line("a")))
        await log.asked.wait()
        behind = asyncio.create_task(sent(ingest, line("a"), line("b")))
        mark = asyncio.create_task(ingest.settled())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.fails = True
        log.turn.set()
        for each in (first, behind):
            with pytest.raises(Unavailable):
                await each
        assert not await mark
        log.fails = False
        assert (await sent(ingest, line("a"), line("b")))["accepted"] == 2
        assert await log.totals("acme") == (2, 0, 0)
        assert await ingest.settled()
        assert ingest.health()["waiting_bytes"] == 0


async def test_a_caller_that_goes_away_leaves_the_others_alone() -> None:
    log = Gated()
    async with made(log) as ingest:
        log.turn.clear()
        gone, there = asyncio.create_task(sent(ingest, line("a"))), asyncio.create_task(sent(ingest, line("b")))
        await log.asked.wait()
        gone.cancel()
        log.turn.set()
        assert (await there)["accepted"] == 1
        assert (await sent(ingest, line("a")))["duplicate"] == 1, "it was written all the same"


async def test_tenants_do_not_see_each_others_ids() -> None:
    async with made(MemoryEventLog()) as ingest:
        assert (await sent(ingest, line("a")))["accepted"] == 1
        assert (await sent(ingest, line("a"), who=OTHER))["accepted"] == 1


async def test_only_those_who_may_send() -> None:
    async with made(MemoryEventLog()) as ingest:
        with pytest.raises(Refused):
            await ingest.ingest(Caller("acme", "x", frozenset({"view"})), line())
        with pytest.raises(TooLarge):
            await ingest.ingest(WHO, b" " * (CALL_BYTES_MAX + 1))


async def test_a_closed_gate_says_so() -> None:
    ingest = made(MemoryEventLog())
    async with ingest:
        pass
    with pytest.raises(Unavailable):
        await sent(ingest, line("a"))


async def test_what_was_remembered_is_known_after_a_restart() -> None:
    log = MemoryEventLog()
    async with made(log) as ingest:
        await sent(ingest, line("a"), line("p", producer="p", sequence=3))
        pages = {name: data for (_, name), data in ingest.pages(full=True) if data is not None}
        await sent(ingest, line("b"))
    async with made(log) as after:
        after.load("acme", pages)
        for row in await log.rows(1):
            after.remember("acme", after.gate("acme").reread(row.lines, row.notes, row.first))
        told = await sent(after, line("a"), line("b"), line("q", producer="p", sequence=3), line("c"))
        assert (told["duplicate"], told["accepted"]) == (3, 1)


calls = st.lists(st.lists(st.one_of(
    st.builds(apart, st.sampled_from("abcdef")),
    st.builds(apart, st.sampled_from("abcdef"), st.just({**DATA, "items": 0})),
    st.builds(lambda p, s: apart(f"{p}{s}x", producer=p, sequence=s), st.sampled_from("pq"), st.integers(0, 4)),
    st.sampled_from([b"{", b"", b"null"]),
), max_size=5), max_size=6)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(calls, st.lists(st.booleans(), min_size=6, max_size=6))
async def test_received_is_accepted_and_duplicate_and_rejected_over_any_run(
    history: list[list[bytes]], failing: list[bool]
) -> None:
    log, heard = Gated(), list[Commit]()
    async with made(log, heard.extend) as ingest:
        sums, known = [0, 0, 0, 0], set[str]()
        for lines, fails in zip(history, failing, strict=False):
            log.fails = fails
            both = await asyncio.gather(sent(ingest, *lines), sent(ingest, *lines[:1]), return_exceptions=True)
            for told, given in zip(both, (lines, lines[:1]), strict=True):
                if isinstance(told, BaseException):
                    assert isinstance(told, Unavailable)
                    continue
                assert told["received"] == len([each for each in given if each.strip()])
                for index, name in enumerate(("received", "accepted", "duplicate", "rejected")):
                    sums[index] += told[name]
        assert sums[0] == sums[1] + sums[2] + sums[3]
        assert await log.totals("acme") == tuple(sums[1:])
        counts = [ingest.counts[name] for name in ("received", "accepted", "duplicate", "rejected")]
        assert counts == sums
        for commit in heard:
            fresh = [event.id for event in commit.events]
            assert not known & set(fresh)
            assert len(set(fresh)) == len(fresh)
            known |= set(fresh)
        assert sum(len(commit.events) for commit in heard) == sums[1]
        assert len(await log.letters.page(DeadQuery("acme", limit=10_000))) == sums[3]


class Lossy(MemoryEventLog):
    """A log whose commits and reads fail as they are told: before anything is written, or only the answer is lost."""

    def __init__(self, ends: Sequence[str], partitions: int = 1) -> None:
        super().__init__(partitions)
        self.ends = list(ends)

    async def commit(self, rows: Sequence[Row], letters: Sequence[Letters]) -> list[Numbers]:
        end = self.ends.pop(0) if self.ends else "told"
        if end == "told":
            return await super().commit(rows, letters)
        if end == "lost":
            await super().commit(rows, letters)
        raise Unavailable("the connection was lost", code="store_failed")

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        if self.ends and self.ends[0] == "away":
            self.ends.pop(0)
            raise Unavailable("the connection was lost", code="store_failed")
        return await super().rows(after, 1, tenant, partition)


@settings(max_examples=80, deadline=None)
@given(calls, st.lists(st.sampled_from(["told", "lost", "failed", "away"]), max_size=8), st.sampled_from([1, 3]))
@example([[apart(each) for each in "abcdef"], [apart("g")]], ["told", "lost"], 3)
async def test_what_the_log_holds_is_folded_and_counts_once_when_the_answer_of_a_commit_is_lost(
    history: list[list[bytes]], ends: list[str], partitions: int
) -> None:
    log, heard = Lossy(ends, partitions), list[Commit]()
    with replaced((ingest_room, "AGAIN_S", 0)):
        async with made(log, heard.extend) as ingest:
            for lines in history:
                for _ in range(30):  # as a sender does, until it is told
                    both = await asyncio.gather(sent(ingest, *lines), sent(ingest, *lines), return_exceptions=True)
                    assert not [each for each in both if isinstance(each, BaseException)
                                and not isinstance(each, Unavailable)]  # fmt: skip
                    if not any(isinstance(each, Unavailable) for each in both):
                        break
                    await asyncio.sleep(0)
                else:
                    raise AssertionError("the gate never came back")
    rows = [row for part in range(partitions) for row in await MemoryEventLog.rows(log, 0, 1_000, "", part)]
    heard.sort(key=lambda each: each.partition)  # a stable sort: in each as they were heard
    assert [(each.partition, each.row, each.tenant, each.first, each.lines) for each in heard] == [
        (row.partition, row.row, row.tenant, row.first, row.lines) for row in rows
    ]
    assert [len(each.events) for each in heard] == [row.count for row in rows]
    ids = [event.id for each in heard for event in each.events]
    assert len(ids) == len(set(ids)), "an event counts once, however often it was sent"
    assert ingest.counts["accepted"] == (await log.totals("acme"))[0]


async def test_a_position_of_now_covers_what_was_written_by_a_commit_whose_answer_was_lost() -> None:
    log, heard = Lossy(["told", "lost"]), list[Commit]()
    async with made(log, heard.extend) as ingest:
        await sent(ingest, line("a"))
        with pytest.raises(Unavailable):
            await sent(ingest, line("b"))
        told = await sent(ingest, line("b"), line("c"))
        assert [each["verdict"] for each in told["verdicts"]] == ["duplicate", "accepted"]
        assert [commit.row for commit in heard] == [1, 2, 3]


@settings(max_examples=40, deadline=None)
@given(calls)
async def test_a_log_of_several_partitions_takes_each_event_once_and_a_subject_stays_in_order(
    history: list[list[bytes]],
) -> None:
    one, three = MemoryEventLog(), MemoryEventLog(3)
    heard, positions = list[Commit](), Positions(Positions.EVENTS, 1, 3)
    async with made(one) as plain, made(three, heard.extend) as ingest:
        for lines in history:
            before = await three.last_rows()
            told = await sent(ingest, *lines)
            want = await sent(plain, *lines)
            assert {**told, "position": ""} == {**want, "position": ""}
            wrote = [at if at > was else 0 for at, was in zip(await three.last_rows(), before, strict=True)]
            assert list(positions.rows(told["position"])) == (wrote if any(wrote) else list(before))
    assert await three.totals("acme") == await one.totals("acme")
    rows = [row async for row in rows_between(three, (0, 0, 0), await three.last_rows())]
    reread = {
        (row.partition, event.offset): event.id for row in rows
        for event in ingest.gate("acme").reread(row.lines, row.notes, row.number)
    }  # fmt: skip
    assert reread == {(each.partition, event.offset): event.id for each in heard for event in each.events}
    for partition in range(3):
        offsets = [number - part * NUMBERS for part, number in reread if part == partition]
        assert offsets == list(range(len(offsets)))


class Text(bytes):
    """Lines that count how often they are cut."""

    cuts = 0

    def split(self, *args: Any) -> list[bytes]:
        self.cuts += 1
        return bytes(self).split(*args)


async def test_over_many_partitions_a_call_is_cut_once_and_a_commit_is_folded_once() -> None:
    heard, seen, cut = list[Sequence[Commit]](), list[Text](), grouping.grouped

    def counted(tenant: str, at_ms: int, calls: list[Any], partitions: int) -> Any:
        for call in calls:
            call.text = Text(call.text)
            seen.append(call.text)
        return cut(tenant, at_ms, calls, partitions)

    with replaced((ingest_room, "grouped", counted)):
        async with made(MemoryEventLog(16), heard.append) as ingest:
            await sent(ingest, *[line(f"e{number}", subject=f"s{number}") for number in range(100)])
    assert [text.cuts for text in seen] == [1]
    ((*groups,),) = heard
    assert len({group.partition for group in groups}) == len(groups) > 10
    assert sorted(event.id for group in groups for event in group.events) == sorted(f"e{n}" for n in range(100))


# -- dead letters ---------------------------------------------------------------------------------------------------

BAD = {**DATA, "items": 0}


async def test_dead_letters_are_read_grouped_and_found() -> None:
    async with made(MemoryEventLog()) as ingest:
        await sent(ingest, line("a", BAD), b"{", line("b", BAD), line("c", type="no.such"))
        page = await ingest.deadletters(WHO, limit=3)
        assert ([each["number"] for each in page["deadletters"]], page["next"]) == ([4, 3, 2], 2)
        rest = await ingest.deadletters(WHO, before=2)
        assert ([each["id"] for each in rest["deadletters"]], rest["next"]) == (["a"], None)
        assert ingest.positions.rows(rest["as_of"]) == await ingest.events.last_rows()
        assert "read" not in rest, "there is no replica"
        groups = await ingest.deadletter_groups(WHO)
        most = groups[0]
        assert (most["type"], most["reason"], most["count"]) == ("order.created", "minimum", 2)
        assert groups[0]["sample"]["id"] == "b"
        assert (await ingest.deadletter(WHO, 2))["line"] == "{"
        assert await ingest.deadletter_groups(OTHER) == []
        with pytest.raises(NotFound):
            await ingest.deadletter(OTHER, 1)


async def test_a_dry_run_tells_and_changes_nothing() -> None:
    log = MemoryEventLog()
    async with made(log) as ingest:
        await sent(ingest, line("a", BAD))
        for _ in range(2):
            told = await ingest.replay_deadletters(WHO, numbers=[1], event=json.loads(line("a")), dry_run=True)
            assert (told["matched"], told["accepted"], told["position"]) == (1, 1, None)
        assert await log.totals("acme") == (0, 0, 1)
        assert (await ingest.deadletter(WHO, 1))["state"] == "open"


async def test_a_mended_event_is_accepted_once_and_keeps_its_time() -> None:
    heard: list[Commit] = []
    async with made(MemoryEventLog(), heard.extend) as ingest:
        await sent(ingest, line("a", BAD))
        told = await ingest.replay_deadletters(WHO, numbers=[1], event=json.loads(line("a")))
        assert (told["accepted"], told["position"]) == (1, Positions(Positions.EVENTS).token(2))
        assert heard[-1].events[0].at_ms == 1_700_000_000_123
        assert (await ingest.deadletter(WHO, 1))["state"] == "replayed"
        with pytest.raises(Conflict):
            await ingest.replay_deadletters(WHO, numbers=[1])
        assert (await sent(ingest, line("a")))["duplicate"] == 1


async def test_an_event_that_was_accepted_meanwhile_is_a_duplicate() -> None:
    async with made(MemoryEventLog()) as ingest:
        await sent(ingest, line("a", BAD), line("a"))
        told = await ingest.replay_deadletters(WHO, numbers=[1], event=json.loads(line("a")))
        assert (told["accepted"], told["duplicate"]) == (0, 1)


async def test_what_is_refused_again_stays_open_and_counts_no_second_time() -> None:
    log = MemoryEventLog()
    async with made(log) as ingest:
        await sent(ingest, line("a", BAD), line("b", BAD))
        told = await ingest.replay_deadletters(WHO, reason="minimum")
        assert (told["matched"], told["rejected"]) == (2, 2)
        assert [each["number"] for each in told["verdicts"]] == [1, 2]
        assert await log.totals("acme") == (0, 0, 2)
        with pytest.raises(CallerError):
            await ingest.replay_deadletters(WHO)


async def test_an_event_without_a_time_happened_when_it_first_came() -> None:
    heard: list[Commit] = []
    log = MemoryEventLog()
    async with made(log, heard.extend) as ingest:
        await sent(ingest, line("a", BAD, without="time"))
        ingest.now_ms = lambda: NOW_MS + 5_000
        await ingest.replay_deadletters(WHO, numbers=[1], event=json.loads(line("a", without="time")))
        assert heard[-1].events[0].at_ms == NOW_MS
        (row,) = await log.rows(1)
        assert ingest.gate("acme").reread(row.lines, row.notes, 0)[0].at_ms == NOW_MS


async def test_discarded_letters_stay_readable() -> None:
    async with made(MemoryEventLog()) as ingest:
        await sent(ingest, line("a", BAD))
        assert await ingest.discard_deadletters(WHO, [1], note="a test") == {"discarded": 1}
        assert await ingest.discard_deadletters(WHO, [1]) == {"discarded": 0}
        found = await ingest.deadletters(WHO, state="discarded")
        assert (found["deadletters"][0]["note"], (await ingest.deadletters(WHO))["deadletters"]) == ("a test", [])


# -- back-pressure, topics ------------------------------------------------------------------------------------------


def test_more_than_can_be_written_soon_is_told_to_come_again() -> None:
    clock = [0.0]
    pressure = Pressure(lambda: clock[0])
    pressure.check("a", WAITING_BYTES_MAX * 2)
    pressure.add("a", 10 * FREE_BYTES)
    clock[0] = 1.0
    pressure.done([("a", 10 * FREE_BYTES)], 0.0)
    pressure.add("a", 9 * FREE_BYTES)
    pressure.check("a", FREE_BYTES)
    pressure.add("b", 2 * FREE_BYTES)
    with pytest.raises(Busy) as busy:
        pressure.check("b", 1)
    assert busy.value.retry_after_s == 1.1
    pressure.done([("a", 9 * FREE_BYTES), ("b", 2 * FREE_BYTES)], None)
    assert (pressure.bytes, pressure.wait_s) == (0, 0.0)


def test_one_tenant_leaves_room_for_others() -> None:
    pressure = Pressure(lambda: 0.0)
    pressure.add("a", WAITING_BYTES_MAX // 2)
    pressure.add("b", 1)
    pressure.check("b", 1)
    with pytest.raises(Busy):
        pressure.check("a", 1)


async def test_records_of_a_type_with_a_contract_pass_the_gate() -> None:
    events, topics = MemoryEventLog(), MemoryLog(lambda: NOW_MS)
    async with made(events) as ingest:
        log = GatedLog(topics, ingest)
        good = Record("a", "/run", "order.created", "acme", "o", Raw(json.dumps(DATA).encode()))
        free = Record("b", "/run", "free.text", "acme", "o", Raw(b'"x"'))
        assert await log.append("acme", "t", 0, [good, free], keyed=True) == [Appended(0), Appended(1)]
        assert await log.append("acme", "t", 0, [good], keyed=True) == [Appended(0, True)]
        bad = Record("c", "/run", "order.created", "acme", "o", Raw(b"{}"))
        with pytest.raises(Invalid) as refused:
            await log.append("acme", "t", 0, [free, bad])
        assert (refused.value.code, refused.value.problems[0].path) == ("event_rejected", "/data")
        assert [each.ends for each in await topics.topics("acme")] == [{0: 2}]
        assert await events.totals("acme") == (1, 1, 0)


async def test_it_works_on_a_disk(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    async with made(log) as ingest:
        told = await asyncio.gather(*(sent(ingest, *[line(f"{n}.{m}") for m in range(9)], b"{") for n in range(9)))
        assert sum(each["accepted"] for each in told) == 81
        assert sorted(v["deadletter"] for each in told for v in each["verdicts"] if "deadletter" in v) == list(
            range(1, 10)
        )
        rows = await log.rows(0)
        again = [event for row in rows for event in ingest.gate("acme").reread(row.lines, row.notes, row.first)]
        assert [event.offset for event in again] == list(range(81))
    await log.close()


async def test_a_large_call_goes_part_by_part_and_others_have_their_turn() -> None:
    log, heard = Gated(), list[Commit]()
    async with made(log, heard.extend) as ingest:
        lines = [line(f"e{number}") for number in range(2 * PART_LINES + 500)]
        lines[10], lines[PART_LINES + 7], lines[-1] = b"{", lines[3], b"nothing"
        log.turn.clear()
        large = asyncio.create_task(sent(ingest, *lines, b"", b""))
        await log.asked.wait()
        small = asyncio.create_task(sent(ingest, line("s"), who=OTHER))
        await asyncio.sleep(0)
        log.turn.set()
        told = await large
        assert (await small)["accepted"] == 1
        assert max(len(commit.events) for commit in heard) <= PART_LINES
        assert [commit.tenant for commit in heard].index("umbra") < len(heard) - 1, "before its last part"
        assert (told["received"], told["accepted"], told["duplicate"], told["rejected"]) == (
            len(lines), len(lines) - 3, 1, 2,
        )  # fmt: skip
        verdicts = [each["verdict"] for each in told["verdicts"]]
        assert len(verdicts) == len(lines)
        odd = {10: "rejected", PART_LINES + 7: "duplicate", len(lines) - 1: "rejected"}
        assert {place: told for place, told in enumerate(verdicts) if told != "accepted"} == odd
        assert told["position"] == Positions(Positions.EVENTS).token(heard[-1].row)
        assert (await sent(ingest, *lines))["duplicate"] == len(lines) - 2


@given(
    st.lists(st.integers(0, 3).map(lambda size: b"x" * size), max_size=40),
    st.integers(1, 12),
    st.integers(1, 6),
)
def test_parts_are_whole_lines_and_nothing_is_lost(lines: list[bytes], most_bytes: int, most_lines: int) -> None:
    text = b"\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aob.gate.pending_call.PART_BYTES", most_bytes)
        found = list(parts(text, most_lines))
    assert b"".join(found) == text
    assert all(part.endswith(b"\n") for part in found[:-1])
    assert all(part.count(b"\n") <= most_lines + 1 for part in found)


async def test_the_more_metrics_an_event_moves_the_fewer_go_into_a_commit() -> None:
    log, heard = Gated(), list[Commit]()
    names = [f"m{number}" for number in range(400)]
    many = {name: {1: MetricContract(name, 1, "count", moves=(Move("order.created"),))} for name in names}
    async with made(log, heard.extend, structs.replace(CONTRACTS, metrics=many)) as ingest:
        assert ingest.gate("acme").width == 400
        told = await sent(ingest, *[line(f"e{number}") for number in range(500)])
        assert told["accepted"] == 500
        assert max(len(commit.events) * 400 for commit in heard) <= FOLDS_MAX


async def test_a_commit_takes_no_more_than_is_folded_in_one_go() -> None:
    log, heard = Gated(), list[Commit]()
    async with made(log, heard.extend) as ingest:
        log.turn.clear()
        calls = [
            asyncio.create_task(sent(ingest, *[line(f"{call}/{number}") for number in range(500)]))
            for call in range(3 * GROUP_EVENTS // 500)
        ]
        await log.asked.wait()
        for _ in calls:
            await asyncio.sleep(0)
        log.turn.set()
        assert sum(told["accepted"] for told in await asyncio.gather(*calls)) == 3 * GROUP_EVENTS
        assert max(len(commit.events) for commit in heard) <= GROUP_EVENTS
        assert len(heard) <= 5, "and it takes many calls together"


def test_large_calls_count_as_a_whole_while_their_parts_wait() -> None:
    pressure = Pressure(lambda: 0.0)
    with pressure.held("acme", WAITING_BYTES_MAX - 10):
        with pytest.raises(Busy):
            pressure.check("acme", FREE_BYTES)
        pressure.check("umbra", 5)
        assert not pressure.wait_s, "the log waits for their parts only"
    pressure.check("acme", FREE_BYTES)
