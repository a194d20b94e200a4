"""What has come before: every id counts once, whatever is in memory, on a disk, forgotten or told again."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aob.backends.sqlite.runs import FileRuns
from aob.core.ingest import Dedup, Gate
from aob.core.ingest import dedup as remembering
from aob.core.ingest.dedup import HORIZON_MS
from aob.core.ingest.producers import SPANS_MAX, Producers
from aob.testing.world.loop import replaced
from tests.core.ingest.sample import CONTRACTS, NOW_MS, line

GATE = Gate(CONTRACTS)


class ListRuns:
    """Runs in memory."""

    def __init__(self) -> None:
        self.held: dict[int, list[bytes]] = {}
        self.filters: dict[int, bytes] = {}

    def add(self, number: int, keys: Sequence[bytes], filters: Mapping[int, bytes]) -> None:
        assert list(keys) == sorted(keys)
        self.held[number] = list(keys)
        self.filters |= filters

    def holds(self, number: int, key: bytes) -> bool:
        return key in self.held.get(number, ())

    def numbers(self) -> list[int]:
        return list(self.held)

    def keep(self, numbers: Iterable[int], filters: Iterable[int]) -> None:
        self.held = {number: self.held[number] for number in numbers}

    def filter(self, epoch: int) -> bytes | None:
        return self.filters.get(epoch)


def events(*ids: str, source: str = "/shop", **more: Any) -> list[Any]:
    return GATE.read(b"\n".join(line(id, source=source, **more) for id in ids), NOW_MS).events


def seal(dedup: Dedup, now_ms: int) -> None:
    dedup.seal(now_ms)
    dedup.write()
    dedup.sealed()


def test_an_id_counts_once_for_each_source() -> None:
    dedup = Dedup()
    assert dedup.claim(events("a", "b", "a"), 1) == [2]
    assert dedup.claim(events("a", source="/other"), 1) == []
    assert dedup.claim(events("a", source="/third"), 1) == []
    assert dedup.claim([*events("b"), *events("a", source="/other"), *events("a", source="/fourth")], 1) == [0, 1]


def test_what_could_not_be_written_is_new_again() -> None:
    dedup = Dedup()
    first, other = events("a", "b"), events("a", source="/other")
    dedup.claim(first, 1)
    dedup.claim(other, 1)
    dedup.forget(first)
    assert dedup.claim(events("a"), 1) == []
    assert dedup.claim(other, 1) == [0]


def test_ids_in_runs_are_known_and_new_ones_are_new(tmp_path: Path) -> None:
    dedup = Dedup(FileRuns(tmp_path / "dedup"), generation_max=3)
    assert not dedup.full
    dedup.claim(events("a", "b", "c"), 1)
    assert dedup.full
    seal(dedup, 10)
    assert (dedup.claim(events("a", "x", "b"), 11), len(dedup)) == ([0, 2], 4)
    assert dedup.claim(events("a", source="/other"), 11) == []
    seal(dedup, 20)
    assert dedup.claim(events("a", "x"), 21) == [0, 1]


def test_ids_are_known_while_a_run_is_written() -> None:
    dedup = Dedup(ListRuns())
    dedup.claim(events("a", "b"), 1)
    dedup.seal(2)
    assert dedup.claim(events("a", "c"), 2) == [0]
    dedup.write()
    dedup.unsealed()
    assert dedup.claim(events("a", "b", "c", "d"), 3) == [0, 1, 2]
    seal(dedup, 5)
    assert dedup.claim(events("a", "b", "c", "d"), 6) == [0, 1, 2, 3]


def test_how_far_back_ids_are_known_is_told_and_older_events_are_marked() -> None:
    dedup = Dedup(ListRuns())
    dedup.claim(events("a"), 1)
    seal(dedup, NOW_MS)
    assert dedup.horizon_ms == 0
    dedup.claim(events("b"), NOW_MS)
    seal(dedup, NOW_MS + HORIZON_MS + 1)
    assert dedup.horizon_ms == NOW_MS
    old, repeated, new = events("a", "b", "n", time=NOW_MS / 1000)
    old.at_ms -= 1
    assert dedup.claim([old, repeated, new], NOW_MS) == [1]
    assert (old.known, repeated.known, new.known) == (False, True, True)


def test_without_a_disk_older_ids_are_forgotten_and_that_is_told() -> None:
    dedup = Dedup()
    dedup.claim(events("a"), 1)
    seal(dedup, NOW_MS)
    (again,) = events("a")
    assert (dedup.claim([again], NOW_MS), again.known) == ([], False)


def test_a_run_that_is_lost_shortens_the_horizon(tmp_path: Path) -> None:
    runs = ListRuns()
    dedup = Dedup(runs)
    dedup.claim(events("a"), 1)
    seal(dedup, NOW_MS)
    pages = {name: data for name, data in dedup.pages(full=True) if data is not None}
    runs.held.clear()
    after = Dedup(runs)
    after.load(pages)
    assert after.horizon_ms == NOW_MS


def test_runs_and_filters_that_nothing_refers_to_are_dropped(tmp_path: Path) -> None:
    runs = FileRuns(tmp_path)
    dedup = Dedup(runs)
    runs.add(7, [b"x"], {9: b"bits"})
    dedup.claim(events("a"), 1)
    seal(dedup, 2)
    dedup.tidy()
    assert (runs.numbers(), runs.filter(9)) == ([1], None)


ids = st.sampled_from("abcdefgh")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.lists(st.tuples(ids, st.sampled_from(["/s", "/t"])), min_size=1, max_size=4)),
        st.tuples(st.just("fail"), st.lists(st.tuples(ids, st.sampled_from(["/s", "/t"])), min_size=1, max_size=4)),
        st.tuples(st.sampled_from(["seal", "half", "undo", "dump", "restart"]), st.none()),
    ),
    max_size=16,
)


@settings(max_examples=300, deadline=None)
@example([("claim", [("a", "/s")]), ("half", None), ("restart", None), ("restart", None)])  # killed in a seal
@given(steps)
def test_every_id_counts_once_over_any_history(history: list[Any]) -> None:
    narrow = ((remembering, "FILTER_BITS", 6), (remembering, "_MASK", 63), (remembering, "_SHIFT", 26))
    with replaced(*narrow):  # filters of 64 bits: ids collide there, and nobody copies 16 MB
        count(history)


def count(history: list[Any]) -> None:
    """Goes through a history and holds each claim against a plain set."""
    runs, kept = ListRuns(), dict[str, bytes]()
    dedup, known = Dedup(runs), set[tuple[str, str]]()
    since: list[Any] = []
    for step, pairs in history:
        if step in ("claim", "fail"):
            sent = [event for id, source in pairs for event in events(id, source=source)]
            seen, want = set(known), list[int]()
            for place, event in enumerate(sent):
                if (event.source, event.id) in seen:
                    want.append(place)
                seen.add((event.source, event.id))
            assert dedup.claim(sent, 1) == want
            fresh = [event for place, event in enumerate(sent) if place not in want]
            if step == "fail":
                dedup.forget(fresh)
            else:
                known, since = seen, [*since, *fresh]
        elif step in ("seal", "half", "undo") and not dedup._sealing:
            dedup.seal(1)
            dedup.write()
            if step == "seal":
                dedup.sealed()
            elif step == "undo":
                dedup.unsealed()
        elif step == "seal" and dedup._sealing:
            dedup.write()
            dedup.sealed()
        elif step in ("dump", "restart"):
            for name, data in dedup.pages():
                kept.pop(name, None) if data is None else kept.__setitem__(name, data)
            since = [] if step == "dump" else since
            if step == "restart":
                since = []
                dedup = Dedup(runs)
                dedup.load(kept)
                dedup.tidy()
    dedup = Dedup(runs)
    dedup.load(kept)
    dedup.remember(since)
    for source, id in known:
        assert dedup.claim(events(id, source=source), 1) == [0], (source, id)


# -- producers ------------------------------------------------------------------------------------------------------


def test_a_producers_numbers_count_once_for_ever_and_in_any_order() -> None:
    dedup = Dedup()

    def send(id: str, sequence: int) -> list[int]:
        return dedup.claim(events(id, producer="p", sequence=sequence), 1)

    assert send("a", 5) == []
    assert send("b", 5) == [0], "the number, whatever the id"
    assert send("c", 9) == []
    assert send("d", 7) == [], "a gap is filled"
    assert send("e", 7) == [0]
    assert send("c", 10) == [0], "the id, whatever the number"
    dedup.forget(events("d", producer="p", sequence=7))
    assert send("f", 7) == []


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(["claim", "claim", "forget", "reload"]), st.integers(0, 12)), max_size=40))
def test_spans_are_a_set(history: list[tuple[str, int]]) -> None:
    producers, held = Producers(), set[int]()
    for step, number in history:
        if step == "claim":
            assert producers.claim("p", number) == (number not in held)
            held.add(number)
        elif step == "forget":
            producers.forget("p", number)
            held.discard(number)
        else:
            data = producers.dump()
            producers = Producers()
            producers.load(data)


@pytest.mark.parametrize("gap", [2, 3])
def test_what_a_producer_takes_is_bounded(gap: int) -> None:
    producers = Producers()
    for number in range(SPANS_MAX * 2):
        assert producers.claim("p", number * gap)
    assert len(producers.dump()) < SPANS_MAX * 20
    assert not producers.claim("p", (SPANS_MAX * 2 - 1) * gap)
    assert producers.claim("p", 1), "its oldest gaps are forgotten: ids decide there"


def test_as_many_spans_as_are_kept_forget_no_gap() -> None:
    producers = Producers()
    for number in range(0, 2 * SPANS_MAX, 2):
        assert producers.claim("p", number)
    assert producers.claim("p", 1)
    assert not producers.claim("p", 1)


def test_only_what_lies_in_a_forgotten_gap_is_left_to_the_ids() -> None:
    producers = Producers()
    for number in range(0, 2 * SPANS_MAX + 1, 2):  # one span too many: 1, the first gap, is forgotten
        assert producers.claim("p", number)
    assert producers.claim("p", 1), "in the gap: it may be new"
    assert producers.claim("p", 0), "below its end: ids decide"
    assert not producers.claim("p", 2), "the number at its end was sent"
    assert not producers.claim("p", 4)
    assert producers.claim("p", 3), "a gap that is not forgotten is filled"
    assert not producers.claim("p", 3)


def test_a_repeated_number_at_the_end_of_a_forgotten_gap_is_a_repeat_whatever_its_id() -> None:
    dedup = Dedup()
    for number in range(0, 2 * SPANS_MAX + 1, 2):
        assert dedup.claim(events(f"e{number}", producer="p", sequence=number), 1) == []
    assert dedup.claim(events("new", producer="p", sequence=2), 1) == [0]
    assert dedup.claim(events("late", producer="p", sequence=1), 1) == []
    assert dedup.claim(events("late", producer="p", sequence=1), 1) == [0], "ids decide"
    assert dedup.claim(events("e0", producer="p", sequence=0), 1) == [0]


def test_an_event_at_the_horizon_is_known_and_one_before_it_is_not() -> None:
    dedup = Dedup()
    dedup.claim(events("a"), 1)
    seal(dedup, NOW_MS)
    at, before = events("b", "c", time=NOW_MS / 1000)
    before.at_ms -= 1
    assert dedup.claim([at, before], NOW_MS) == []
    assert (at.at_ms, at.known, before.known) == (dedup.horizon_ms, True, False)


def test_a_run_is_kept_for_as_long_as_ids_are_remembered() -> None:
    dedup = Dedup(ListRuns())
    dedup.claim(events("a"), 1)
    seal(dedup, NOW_MS)
    dedup.claim(events("b"), NOW_MS)
    seal(dedup, NOW_MS + HORIZON_MS)
    assert (dedup.horizon_ms, len(dedup.runs)) == (0, 2)
    assert dedup.claim(events("a"), NOW_MS + HORIZON_MS) == [0]


def test_the_numbers_of_so_many_producers_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.core.ingest.producers.PRODUCERS_MAX", 2)
    producers = Producers()
    for name in ("first", "second"):
        assert producers.claim(name, 1)
    assert [producers.claim(name, 1) for name in ("first", "second")] == [False, False]
    assert producers.claim("third", 1)
    assert list(producers) == ["second", "third"]
    assert not producers.claim("second", 1)


def test_a_generation_with_too_many_sources_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.core.ingest.dedup.SOURCES_MAX", 2)
    dedup = Dedup(ListRuns())
    for number, full in ((1, False), (2, False), (3, True)):
        dedup.claim(events("a", source=f"/{number}"), 1)
        assert dedup.full is full


def test_the_oldest_run_goes_only_beyond_the_ids_that_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.core.ingest.dedup.KEYS_MAX", 4)
    dedup = Dedup(ListRuns())
    dedup.claim(events("a", "b"), 1)
    seal(dedup, 10)
    dedup.claim(events("c", "d"), 11)
    seal(dedup, 20)
    assert (len(dedup), dedup.horizon_ms) == (4, 0), "as many as are remembered"
    dedup.claim(events("e"), 21)
    seal(dedup, 30)
    assert (len(dedup), dedup.horizon_ms) == (3, 10)


def test_a_filter_is_followed_by_another_only_when_it_is_over_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.core.ingest.dedup.EPOCH_KEYS", 4)
    dedup = Dedup(ListRuns())
    for at, ids in enumerate((("a", "b"), ("c", "d"), ("e",)), 1):
        dedup.claim(events(*ids), at)
        seal(dedup, at)
    assert [run.epoch for run in dedup.runs] == [1, 1, 2]
    assert dedup.claim(events("a", "c", "e"), 9) == [0, 1, 2]
