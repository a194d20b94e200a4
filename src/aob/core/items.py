"""The results of a map or loop as one sequence, loaded page by page on use. A record holds `{"$items": {"$ref": …,
"size": …}, "count": n, "failed": k}`, for a loop with `exhausted` instead of `failed`; the reference lists the pages,
each a JSON list of 1,000, and the failed items. No other inline value begins like this, so they cannot be confused.
Lines of NDJSON are a sequence too."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Final, Self, overload
from zlib import crc32

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import TooLarge
from aob.core.value import ITEMS, Cell, Ref, Written, canonical, decode, digest_of, ref_in

PAGE_ITEMS: Final = 1_000  # results of a map or loop per page in the CAS

CHUNK_BYTES: Final = 128 * 1024  # lines of NDJSON are read in chunks of this size, more than a row of values has

LINE_MAX: Final = 64 * 1024 * 1024  # bytes of one line of NDJSON

Read = Callable[[Ref], bytes]


class Items(Written, Sequence[JsonValue]):
    """All items, with at most one decoded page in memory. `ref` refers to the list of pages. Encoded as a JSON list."""

    __slots__ = ("_at", "_count", "_page", "_read", "pages", "ref")

    def __init__(self, ref: Ref, pages: Sequence[Ref], count: int, read: Read) -> None:
        self.ref, self.pages = ref, pages
        self._count, self._read = count, read
        self._at, self._page = -1, list[JsonValue]()

    def under(self, read: Read) -> None:
        """Sets how pages are read from now on."""
        self._read = read

    def raw(self) -> bytes:
        """The JSON of all items, in one list."""
        return b"[%s]" % b",".join(self._read(page)[1:-1] for page in self.pages)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> JsonValue: ...
    @overload
    def __getitem__(self, index: slice) -> list[JsonValue]: ...
    def __getitem__(self, index: int | slice) -> JsonValue:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._count))]
        at = index + self._count if index < 0 else index
        if not 0 <= at < self._count:
            raise IndexError(f"there is no item {index} of {self._count}")
        return self._paged(at // PAGE_ITEMS)[at % PAGE_ITEMS]

    def __iter__(self) -> Iterator[JsonValue]:
        for number in range(len(self.pages)):
            yield from self._paged(number)

    def _paged(self, number: int) -> list[JsonValue]:
        if number != self._at:
            self._page, self._at = decode(self._read(self.pages[number])), number
        return self._page

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | Items):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it is equal to a list, which has none

    def __repr__(self) -> str:
        return f"<{self._count:,} items>"

    @classmethod
    def behind(cls, ref: Ref, count: int, read: Read) -> Self:
        """The sequence of the pages listed by a value."""
        pages = [each for told in decode(read(ref))["pages"] if (each := ref_in(told)) is not None]
        return cls(ref, pages, count, read)


class Lines(Sequence[msgspec.Raw]):
    """The non-blank lines of a blob of NDJSON, unparsed. `read(start, size)` gives a range of it: one chunk of whole
    lines is in memory at a time. `scan` must count them first, in steps, and verifies the blob against its digest. A
    blob that is not what was put is asked for as a whole, which says so."""

    __slots__ = ("_at", "_crcs", "_firsts", "_hash", "_lines", "_read", "_ref", "_starts", "_whole")

    def __init__(self, ref: Ref, read: Callable[[int, int], bytes]) -> None:
        self._ref, self._read = ref, read
        self._begin()

    def _begin(self) -> None:
        """Nothing is counted, and no chunk is in memory."""
        self._at, self._lines = -1, list[bytes]()
        self._starts, self._firsts, self._crcs = [0], [0], list[int]()
        self._hash, self._whole = sha256(), False

    def scan(self, most: int) -> bool:
        """Counts the lines of the next `most` bytes, or of one longer line; returns whether all are counted. Raises
        TooLarge."""
        until = self._starts[-1] + most
        while not self._whole and (start := self._starts[-1]) < until:
            chunk, last = self._chunk(start)
            self._hash.update(chunk)
            if last and self._hash.digest() != self._ref.digest:
                raise self._damaged()
            self._crcs.append(crc32(chunk))
            self._firsts.append(self._firsts[-1] + len(_split(chunk)))
            self._starts.append(start + len(chunk))
            self._whole = last
        return self._whole

    def _chunk(self, start: int) -> tuple[bytes, bool]:
        """The whole lines that begin here, up to the last end of a line in a chunk, or one longer line; whether it is
        the last chunk."""
        before = start - self._starts[-2] if start else 0
        size = max(CHUNK_BYTES, min(before, 8 * CHUNK_BYTES))  # long lines mostly come together
        while True:
            data = self._read(start, size)
            if len(data) < size:
                return data, True
            if end := data.rfind(b"\n") + 1:
                return data[:end], False
            if size >= LINE_MAX:
                raise TooLarge(f"line {len(self) + 1} has more than {LINE_MAX >> 20} MiB",
                               hint="write one JSON value a line, with large data in blobs of their own")  # fmt: skip
            size = min(2 * size, LINE_MAX)

    def _damaged(self) -> Exception:
        """Forgets what was counted and asks for all of the blob."""
        self._begin()
        self._read(0, -1)
        return AssertionError(f"a part of {self._ref.hex} is not a part of it")

    def __len__(self) -> int:
        return self._firsts[-1]

    @overload
    def __getitem__(self, index: int) -> msgspec.Raw: ...
    @overload
    def __getitem__(self, index: slice) -> list[msgspec.Raw]: ...
    def __getitem__(self, index: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        chunk = bisect_right(self._firsts, index) - 1
        if chunk != self._at:
            start, end = self._starts[chunk : chunk + 2]
            data = self._read(start, end - start)
            if crc32(data) != self._crcs[chunk]:
                raise self._damaged()
            self._lines, self._at = _split(data), chunk
        return msgspec.Raw(self._lines[index - self._firsts[chunk]])


def _split(chunk: bytes) -> list[bytes]:
    return list(filter(bytes.strip, chunk.splitlines()))


def items_cell(ref: Ref, count: int, **facts: int) -> Cell:
    """The record cell of a map or loop with more than a page of items."""
    return Cell(canonical({ITEMS: decode(ref.cell()), "count": count, **facts}))


def items_listed(pages: Sequence[JsonValue], failed: Sequence[int]) -> tuple[Ref, bytes]:
    """The value that lists the pages and the failed items, with its reference."""
    data = canonical({"failed_items": list(failed), "pages": list(pages)})
    return Ref(digest_of(data), len(data)), data


def listed_in(value: JsonValue) -> Ref | None:
    """The reference to the list of pages, if a decoded cell holds paged results; else None."""
    if type(value) is not dict or len(value) != 3 or type(value.get("count")) is not int:
        return None
    ours = type(value.get("failed")) is int or type(value.get("exhausted")) is bool
    return ref_in(value.get(ITEMS)) if ours else None


def facts_of(value: JsonObject, listed: bytes) -> JsonObject:
    """The manifest without its items; `listed` is the value that it refers to."""
    facts = {name: said for name, said in value.items() if name != ITEMS}
    return facts | {"failed_items": decode(listed)["failed_items"]} if "failed" in facts else facts


def manifest_of(value: JsonObject, listed: Ref, read: Read, pages: Read | None = None) -> JsonObject:
    """`{count, failed, failed_items, items}` as users see it, for a loop `{count, exhausted, items}`; `pages` reads
    pages, if different from `read`."""
    items = Items.behind(listed, value["count"], read)
    items.under(pages or read)
    return {**facts_of(value, read(listed)), "items": items}


def items_in(value: JsonValue) -> list[Items]:
    """Every sequence of items in a value."""
    found: list[Items] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if type(each) is Items:
            found.append(each)
        elif type(each) is dict:
            waiting.extend(each.values())
        elif type(each) is list:
            waiting.extend(each)
    return found
