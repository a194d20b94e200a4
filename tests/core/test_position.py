"""Positions: every feed reads back its own tokens, and refuses those of all others and of all other lives."""

from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import CallerError, Conflict
from aob.core.event import WHOLE, Position, Positions

ROWS = st.integers(0, WHOLE - 1)
INDEXES = st.integers(0, WHOLE)
FEEDS = [
    Positions(feed, life) for feed, life in product((Positions.RUNS, Positions.TOPICS, Positions.EVENTS), (1, 2, 7))
]


@given(ROWS, INDEXES, st.sampled_from(FEEDS))
def test_a_place_comes_back_from_its_token(row: int, index: int, feed: Positions) -> None:
    assert feed.place(feed.token(row, index)) == (row, index)
    assert feed.token(row, index).isascii()


@pytest.mark.parametrize("mine", FEEDS)
def test_a_token_of_another_feed_or_life_is_refused(mine: Positions) -> None:
    for other in FEEDS:
        if other.generation != mine.generation:
            with pytest.raises(Conflict) as caught:
                mine.place(other.token(1, 1))
            assert caught.value.code == "position_expired"


@given(st.lists(st.tuples(ROWS, INDEXES), min_size=2, max_size=9), st.integers(0, 8))
def test_places_of_several_shards_travel_as_one(rows: list[tuple[int, int]], at: int) -> None:
    at %= len(rows)
    runs = Positions(Positions.RUNS, 3)
    whole = Position.joined(rows, runs.token(0))
    assert [runs.place(token) for token in Position.split(whole, len(rows))] == rows
    wide = Position.split(Position.widened(runs.token(*rows[at]), at, len(rows)), len(rows))
    assert [Position.row_of(token) for token in wide] == [row if n == at else (0, 0) for n, row in enumerate(rows)]
    more = Position.split(whole, len(rows) + 1)
    assert [runs.place(token) for token in more] == [*rows, (0, 0)], "of before a shard was added: it is read whole"
    with pytest.raises(Conflict):
        Position.split(whole, len(rows) - 1)
    with pytest.raises(Conflict):
        runs.place(whole)


@given(st.text(max_size=40))
def test_what_nobody_gave_out_is_refused_and_nothing_breaks(text: str) -> None:
    for read in (Positions(Positions.RUNS).place, Position.row_of, lambda token: Position.split(token, 2)):
        with suppress(CallerError):  # also Conflict: nothing else comes out
            read(text)


@pytest.mark.parametrize("row", [(-1, 0), (0, -1), (WHOLE, 0), (0, WHOLE + 1)])
def test_a_place_that_cannot_be_is_no_position(row: tuple[int, int]) -> None:
    with pytest.raises(CallerError) as caught:
        Positions(Positions.RUNS).place(Position(Positions.RUNS, (row,)).token())
    assert caught.value.code == "bad_position"


@pytest.mark.parametrize(("token", "feed", "life", "place"), [
    ("ks0D6ZGSB89AAAAAAAAAAA", Positions.EVENTS, 1, (7, WHOLE)), ("ks0D6ZGSBwM", Positions.EVENTS, 1, (7, 3)),
    ("ks0LuZGSCc9AAAAAAAAAAA", Positions.EVENTS, 2, (9, WHOLE)), ("kgGRkgUC", Positions.RUNS, 1, (5, 2)),
    ("ks0B9ZGSBQI", Positions.TOPICS, 1, (5, 2)),
])  # fmt: skip
def test_tokens_of_earlier_releases_are_read_as_they_were_given(
    token: str, feed: int, life: int, place: tuple[int, int]
) -> None:
    positions = Positions(feed, life)
    assert positions.place(token) == place
    assert positions.token(*place) == token
    assert positions.rows(token) == (place[0],)


@given(st.integers(2, 64), st.data())
def test_a_position_of_what_was_written_names_only_that_and_waits_for_nothing_else(
    partitions: int, data: st.DataObject
) -> None:
    rows = data.draw(st.dictionaries(st.integers(0, partitions - 1), st.integers(1, 1 << 40)))
    positions = Positions(Positions.EVENTS, 1, partitions)
    token = positions.written(rows)
    assert positions.rows(token) == tuple(rows.get(each, 0) for each in range(partitions))
    assert positions.places(token) == tuple((rows[n], WHOLE) if n in rows else (0, 0) for n in range(partitions))
    for other in (Positions(Positions.EVENTS, 2, partitions), Positions(Positions.EVENTS, 1, partitions + 1),
                  Positions(Positions.RUNS, 1, partitions)):  # fmt: skip
        with pytest.raises(Conflict):
            other.places(token)
