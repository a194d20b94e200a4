"""How many shards a home has: said once, remembered, and never changed by accident."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aob
from aob.backends.sqlite.store import SqliteStore
from aob.compose.layout import Layout, ShardIds, layout_of
from aob.core.errors import CallerError, Conflict, Invalid
from aob.core.event import Position, partition_of
from aob.journal import Journal
from aob.runs import Ambient


def shards_of(home: Path, shards: int) -> int:
    """How many shards it has."""
    return len(layout_of(home, shards).active)


def test_a_new_home_has_one_shard_unless_told_otherwise(tmp_path: Path) -> None:
    assert shards_of(tmp_path / "one", 0) == 1
    assert shards_of(tmp_path / "four", 4) == 4


@pytest.mark.parametrize("shards", [1, 2, 64])
def test_a_home_keeps_its_number(tmp_path: Path, shards: int) -> None:
    assert shards_of(tmp_path, shards) == shards
    assert [shards_of(tmp_path, 0), shards_of(tmp_path, shards)] == [shards, shards]
    with pytest.raises(Conflict) as refused:
        shards_of(tmp_path, 3)
    assert (refused.value.code, refused.value.fields["shards"]) == ("other_shards", shards)
    assert shards_of(tmp_path, 0) == shards


def test_a_home_of_before_there_were_shards_has_one(tmp_path: Path) -> None:
    (tmp_path / "shard-0.db").touch()
    assert shards_of(tmp_path, 0) == 1
    with pytest.raises(Conflict):
        shards_of(tmp_path, 2)


@pytest.mark.parametrize("shards", [-1, 65])
def test_a_number_that_no_home_can_have_is_refused(tmp_path: Path, shards: int) -> None:
    with pytest.raises(Invalid):
        shards_of(tmp_path, shards)
    assert not (tmp_path / "home.json").exists()


def test_a_file_that_says_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text("{}")
    with pytest.raises(Invalid, match=r"home\.json"):
        shards_of(tmp_path, 0)


async def test_a_home_with_several_shards_is_not_opened_in_one_process(tmp_path: Path) -> None:
    shards_of(tmp_path, 2)
    with pytest.raises(Conflict) as refused:
        async with aob.open(tmp_path):
            pass
    assert refused.value.code == "many_shards"
    assert "aob up" in refused.value.hint


async def test_nor_is_a_new_one_made_by_a_process_that_could_not_run_it(tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        async with aob.open(tmp_path, shards=2):
            pass
    async with aob.open(tmp_path):
        pass
    assert shards_of(tmp_path, 0) == 1


async def test_the_number_of_partitions_is_said_once(tmp_path: Path) -> None:
    for store in ("", "memory:"):
        home = tmp_path / (store or "kept")
        async with aob.open(home, partitions=128, store=store) as app:
            assert app.views.core.journal.partitions == 128
            assert (await app.views.core.store.holding()).partitions == 128
        with pytest.raises(Conflict) as refused:
            async with aob.open(home, partitions=64, store=store):
                pass
        assert (refused.value.code, refused.value.fields["partitions"]) == ("other_partitions", 128)
        async with aob.open(home, store=store) as app:
            assert app.views.core.journal.partitions == 128


@pytest.mark.parametrize("partitions", [-1, 1, 63, 65, 512])
def test_a_number_of_partitions_that_no_home_can_have_is_refused(tmp_path: Path, partitions: int) -> None:
    with pytest.raises(Invalid) as refused:
        layout_of(tmp_path, 0, partitions)
    assert refused.value.problems[0].code == "bad_partitions"
    assert not (tmp_path / "home.json").exists()


async def test_the_files_say_who_owns_what_and_home_json_is_a_hint(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, 3, 128)
    held = {shard: layout.first(shard) for shard in range(3)}
    for shard in range(3):
        store = await SqliteStore.open(tmp_path / f"shard-{shard}.db", first=held[shard])
        assert await store.holding() == held[shard]
        assert [each.partition for each in held[shard].extents] == [p for p in range(128) if p % 3 == shard]
        assert {(each.epoch, each.first_row, each.last_row) for each in held[shard].extents} == {(0, 1, 0)}
        await store.close()
    (tmp_path / "home.json").unlink()
    assert layout_of(tmp_path) == layout
    (tmp_path / "home.json").write_bytes(b'{"format": 6, "id": "00", "shards": {"count": 9}, "partitions": 64}')
    assert layout_of(tmp_path) == layout
    assert layout.owners == [p % 3 for p in range(128)]


@pytest.mark.parametrize("shards", [1, 3])
def test_a_home_of_before_extents_is_where_it_was(tmp_path: Path, shards: int) -> None:
    (tmp_path / "home.json").write_text(json.dumps({"format": 5, "id": "00", "shards": {"count": shards}}))
    for number in range(shards):
        with closing(sqlite3.connect(tmp_path / f"shard-{number}.db")) as file:
            file.execute("create table shard (id integer primary key)")
    found = layout_of(tmp_path)
    assert (found.files, found.partitions, found.owners) == (shards, 64, [p % shards for p in range(64)])


@given(st.integers(1, 64), st.data())
def test_an_owner_makes_ids_of_its_own_shard_each_greater_than_the_last(shards: int, data: st.DataObject) -> None:
    shard = data.draw(st.integers(0, shards - 1))
    layout = Layout.of(shards)
    journal = SimpleNamespace(partitions=64, foreign={p for p in range(64) if layout.owners[p] != shard})
    drawn: list[int] = []
    bits = data.draw(st.sampled_from([0, 1, (1 << 26) - 1]))
    ids = ShardIds(
        Ambient(lambda: 1_700_000_000_000, lambda count: drawn.append(count) or bits), cast(Journal, journal)
    )
    made = [ids.next() for _ in range(20)]
    assert len(drawn) < 30, "one of many shards takes no more dice than one of few"
    assert {layout.shard_of(each) for each in made} == {shard}
    assert made == sorted(set(made))


def test_the_shard_of_a_run_follows_from_its_partition() -> None:
    for number in range(200):
        assert Layout.of(4).shard_of(f"run_{number}") == partition_of(f"run_{number}", 64) % 4


ROW = st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 62))


@given(st.lists(ROW, min_size=1, max_size=5))
def test_a_position_is_split_into_those_of_the_shards_and_joined_again(rows: list[tuple[int, int]]) -> None:
    tokens = Position.split(Position.joined(rows), len(rows))
    assert [Position.row_of(token) for token in tokens] == rows
    for shard, token in enumerate(tokens):
        wide = Position.split(Position.widened(token, shard, len(rows)), len(rows))
        assert [Position.row_of(each) for each in wide] == [
            row if n == shard else Position.BEGIN for n, row in enumerate(rows)
        ]


def test_a_position_of_fewer_shards_stands_at_the_begin_of_the_others_and_one_of_more_is_refused() -> None:
    token = Position.joined([(1, 2), (3, 4)])
    assert [Position.row_of(each) for each in Position.split(token, 3)] == [(1, 2), (3, 4), Position.BEGIN]
    with pytest.raises(CallerError) as refused:
        Position.split(token, 1)
    assert refused.value.code == "position_expired"
