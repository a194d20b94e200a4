"""What a thread keeps: values are read back as they were put, and no row stays that nothing names."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aob.backends.memory.store import MemoryStore
from aob.ports.store import Batch, Entry
from aob.threads.command import Encoded, Find, Found, Listing, Put, PutWrites, Written
from aob.threads.index import ThreadIndex
from aob.threads.reading import find, listing, read_into
from aob.threads.rows import manifest_in, write_in

STREAM = "thread/acme/t"
ITEMS = [bytes([65 + n]) * (10 if n % 3 else 60) for n in range(12)]


def items(*numbers: int) -> Encoded:
    """A list of some of the items."""
    return Encoded(Encoded.LIST, [Encoded.item(ITEMS[n % 12]) for n in numbers])


def put(id: str, parent: str = "", *, keep: int = 0, **values: Encoded) -> Put:
    """A checkpoint of the outermost graph."""
    given_ = {name: (id, value) for name, value in values.items()}
    return Put("", id, parent, b"body of " + id.encode(), b"", given_, keep=keep)


class Thread:
    """One thread in memory: an index, and the store that its changes go to."""

    def __init__(self) -> None:
        self.store, self.index = MemoryStore(), ThreadIndex(STREAM)

    async def do(self, entries: list[Entry]) -> None:
        """Commit the rows of a change."""
        await self.store.commit(Batch(0, 1, 1, 0, b"[]", entries=entries))

    async def put(self, command: Put) -> list[str]:
        """Put a checkpoint; returns the channels that are missing."""
        missing, entries = self.index.put(command)
        await self.do(entries)
        return missing

    async def found(self, id: str, ns: str = "") -> Found | None:
        """A checkpoint as it is read."""
        return await find(self.store, STREAM, Find(ns, id))

    async def ids(self) -> list[str]:
        """All checkpoints, the newest first."""
        return [each.id for each in await listing(self.store, STREAM, Listing(None, limit=10_000))]

    async def again(self) -> None:
        """As after a restart: what is known is read."""
        self.index = ThreadIndex(STREAM)
        await read_into(self.index, self.store)

    async def rows(self) -> dict[str, int]:
        """How many rows there are by kind."""
        found: dict[str, int] = {}
        for key, _ in await self.store.entries(STREAM, limit=1 << 30):
            found[chr(key[0])] = found.get(chr(key[0]), 0) + 1
        return found


async def test_an_appended_list_stores_each_item_once_and_a_whole_manifest_every_fifty() -> None:
    thread = Thread()
    whole = [Encoded.item(b"%060d" % n) for n in range(200)]
    for n in range(200):
        await thread.put(put(f"{n:04}", f"{n - 1:04}" if n else "", items=Encoded(Encoded.LIST, whole[: n + 1])))
    assert await thread.rows() == {"c": 200, "v": 200, "p": 200}
    rows = await thread.store.entries(STREAM, b"v", b"w")
    assert sum(not manifest_in(key, row).base for key, row in rows) in (4, 5)
    assert sum(len(row) for _, row in rows) < 200 * 200, "a manifest names all items each time"
    for n in (0, 49, 50, 51, 130, 199):
        found = await thread.found(f"{n:04}")
        assert found is not None
        assert found.values["items"] == (Encoded.LIST, [data for _, data in whole[: n + 1]])


async def test_two_branches_that_give_one_version_to_two_values_keep_both() -> None:
    thread = Thread()
    await thread.put(put("1", x=items(0)))
    for id, number in (("2", 3), ("3", 6)):
        command = put(id, "1")
        command.values["x"] = ("7", items(0, number))
        await thread.put(command)
    for id, number in (("2", 3), ("3", 6)):
        found = await thread.found(id)
        assert found is not None
        assert found.values["x"][1] == [ITEMS[0], ITEMS[number]]


async def test_a_channel_that_the_parent_has_not_is_asked_for() -> None:
    thread = Thread()
    await thread.put(put("1", x=items(0)))
    command = put("2", "1", y=items(1))
    command.kept = {"x": "1", "z": "1"}
    assert await thread.put(command) == ["z"]
    assert await thread.ids() == ["1"]
    command.kept = {"x": "other version"}
    assert await thread.put(command) == ["x"]
    command.kept = {"x": "1"}
    assert await thread.put(command) == []
    found = await thread.found("2")
    assert found is not None
    assert found.values.keys() == {"x", "y"}


async def test_the_limit_drops_the_oldest_with_what_belongs_to_them() -> None:
    thread = Thread()
    for n in range(6):
        await thread.do(thread.index.write(PutWrites("", f"{n}", [Written("task", 0, "x", items(n))])))
        await thread.put(put(f"{n}", f"{n - 1}" if n else "", keep=3, x=items(*range(n))))
        for ns in ("task:1", "kept"):
            inner = Put(ns, f"{n}5", "", b"", b"", {"y": ("1", items(9, n))}, root=f"{n}", keep=3)
            await thread.put(inner)
    assert sorted(thread.index.points) == ["", "kept", "task:1"]
    assert sorted(thread.index.points[""]) == ["3", "4", "5"]
    assert sorted(thread.index.points["task:1"]) == ["35", "45", "55"]
    assert sorted(thread.index.points["kept"]) == ["35", "45", "55"]
    rows = await thread.rows()
    assert (rows["c"], rows["w"]) == (9, 3)


async def test_an_inner_graph_that_keeps_its_state_keeps_its_newest_checkpoint() -> None:
    thread = Thread()
    for n in range(5):
        await thread.put(put(f"{n}", keep=2))
        if n < 2:
            await thread.put(Put("inner", f"{n}5", "", b"", b"", {}, root=f"{n}", keep=2))
    assert sorted(thread.index.points["inner"]) == ["15"]


async def test_ancestors_stay_whose_writes_make_the_value_of_a_delta_channel() -> None:
    thread = Thread()
    for n in range(60):
        snapshot = n in (0, 30)
        command = put(f"{n:02}", f"{n - 1:02}" if n else "", keep=3, **({"d": items(n)} if snapshot else {}))
        command.deltas = [] if snapshot else ["d"]
        await thread.put(command)
        await thread.do(thread.index.write(PutWrites("", f"{n:02}", [Written("t", 0, "d", items(n))])))
    kept = set(await thread.ids())
    assert {f"{n:02}" for n in range(30, 60)} <= kept
    assert "28" not in kept
    await thread.do(thread.index.latest_only())
    assert set(await thread.ids()) == {f"{n:02}" for n in range(30, 60)}


NUMBERS = st.lists(st.integers(0, 11), max_size=6)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 11)),
        st.tuples(st.just("set"), NUMBERS),
        st.tuples(st.just("fork"), st.integers(0, 5)),
        st.tuples(st.just("write"), NUMBERS),
        st.tuples(st.just("again"), st.none()),
        st.tuples(st.just("latest"), st.none()),
        st.tuples(st.just("runs"), st.integers(0, 2)),
    ),
    max_size=30,
)


@given(MOVES, st.sampled_from([0, 3]))
@settings(max_examples=60, deadline=None)
async def test_any_history_reads_as_it_was_put_and_leaves_no_row_behind(moves: list[Any], keep: int) -> None:
    thread, values, state, parent, count = Thread(), dict[str, list[int]](), list[int](), "", 0
    for name, what in moves:
        if name == "again":
            await thread.again()
        elif name == "latest":
            await thread.do(thread.index.latest_only())
        elif name == "runs":
            await thread.do(thread.index.drop_runs({f"run{what}"}))
        elif name == "write" and parent:
            await thread.do(thread.index.write(PutWrites("", parent, [
                Written("t", -3, "x", items(*what)), Written("u", 0, "y", items(*what)),
            ])))  # fmt: skip
        elif name == "fork":
            live = await thread.ids()
            if live:
                parent = live[what % len(live)]
                state = list(values[parent])
        elif name in ("append", "set"):
            state = [*state, what] if name == "append" else list(what)
            count += 1
            command = put(f"{count:03}", parent, keep=keep, x=items(*state), y=items(count))
            command.run = f"run{count % 3}"
            await thread.put(command)
            parent = command.id
            values[parent] = list(state)
        for id in await thread.ids():
            found = await thread.found(id)
            assert found is not None
            assert found.values["x"] == (Encoded.LIST, [ITEMS[n] for n in values[id]])
    await thread.do(thread.index.drop_runs({"run0", "run1", "run2"}))
    assert await thread.ids() == []
    left = await thread.store.entries(STREAM, limit=1 << 30)
    assert [key for key, _ in left if key[:1] in (b"c", b"v")] == []
    named = {
        item for key, row in left if key[:1] == b"w" for write in write_in(key, row).writes for item in write.items
    }
    assert {b"\1" + key[1:] for key, _ in left if key[:1] == b"p"} == {item for item in named if item[0]}
    await thread.again()
    again = ThreadIndex(STREAM)
    await read_into(again, thread.store)
    assert again.weight == thread.index.weight
