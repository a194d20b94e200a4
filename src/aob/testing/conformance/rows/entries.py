"""Tests of the rows beside events, for every `Store`."""

from pathlib import Path

from aob.ports.store import Batch, Entry, StaleEpoch, Store

A, B = "thread/acme/a", "thread/acme/b"


def entered(epoch: int, *entries: Entry) -> Batch:
    """A commit of rows beside events, and of no event."""
    return Batch(epoch, 1, 1_000, 0, b"[]", entries=entries)


async def every_row(store: Store) -> dict[str, list[tuple[bytes, bytes]]]:
    """All rows by stream."""
    return {stream: await store.entries(stream) for stream in await store.entry_streams()}


class EntriesSuite:
    """Rows beside events are written with their batch, in order, and read by key."""

    async def make(self, folder: Path) -> Store:
        raise NotImplementedError

    async def again(self, store: Store, folder: Path) -> Store:
        raise NotImplementedError

    async def test_rows_are_read_by_key_from_both_ends(self, store: Store, epoch: int) -> None:
        keys = [b"", b"\0", b"a", b"a\0", b"ab", b"b", b"\xff\xff"]
        assert await store.commit(entered(epoch, *(Entry(A, key, b"of " + key) for key in reversed(keys)))) == 1
        assert await store.entries(A) == [(key, b"of " + key) for key in keys]
        assert [key for key, _ in await store.entries(A, b"a", b"b")] == [b"a", b"a\0", b"ab"]
        assert [key for key, _ in await store.entries(A, b"a", b"b", limit=2, newest=True)] == [b"ab", b"a\0"]
        assert [key for key, _ in await store.entries(A, b"ab", limit=2)] == [b"ab", b"b"]
        assert [key for key, _ in await store.entries(A, newest=True, limit=1)] == [b"\xff\xff"]
        assert await store.entries_at(A, [b"a", b"none", b""]) == {b"a": b"of a", b"": b"of "}
        assert await store.entries(B) == []
        assert await store.entries_at(B, [b"a"]) == {}
        assert await store.last() == (0, 1_000, 0), "it is no row of the journal"

    async def test_a_batch_writes_and_removes_in_order(self, store: Store, epoch: int) -> None:
        await store.commit(entered(
            epoch, Entry(A, b"1", b"first"), Entry(A, b"1", b"second"), Entry(A, b"2", b"two"), Entry(A, b"3", b""),
            Entry(A, b"2", None, b"3"), Entry(B, b"1", b"gone"), Entry(B, b""), Entry(B, b"2", b"after"),
        ))  # fmt: skip
        assert await every_row(store) == {A: [(b"1", b"second"), (b"3", b"")], B: [(b"2", b"after")]}
        await store.commit(entered(epoch, Entry(A, b"1", b"third"), Entry(A, b"2"), Entry(B, b"")))
        assert await every_row(store) == {A: [(b"1", b"third")]}
        await store.commit(entered(epoch, Entry(A, b"1", None, b"2"), Entry(B, b"x", None, b"y")))
        assert await store.entry_streams() == []
        await store.commit(entered(epoch, Entry(A, b"1", b"anew"), Entry(A, b""), Entry(A, b"")))
        assert await store.entry_streams() == []
        assert await store.entries(A) == []

    async def test_streams_with_rows_are_listed_page_by_page(self, store: Store, epoch: int) -> None:
        names = sorted(f"thread/acme/{n}\0" for n in range(5))
        await store.commit(entered(epoch, *(Entry(name, b"k", bytes(200_000)) for name in names)))
        assert await store.entry_streams(limit=2) == names[:2]
        assert await store.entry_streams(names[1]) == names[2:]
        assert await store.entries(names[0]) == [(b"k", bytes(200_000))]

    async def test_a_replaced_owner_writes_no_row(self, store: Store, epoch: int, tmp_path: Path) -> None:
        await store.commit(entered(epoch, Entry(A, b"1", b"mine")))
        other = await self.again(store, tmp_path)
        theirs = await other.take()
        assert await store.commit(entered(epoch, Entry(A, b"1", b"late"), Entry(A, b""))) == StaleEpoch(theirs)
        assert await other.entries(A) == [(b"1", b"mine")]
        await other.close()
