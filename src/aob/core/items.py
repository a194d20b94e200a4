"""The results of a map or loop as one sequence, read by page where it is used: a manifest in, a sequence out.

A record holds `{"$items": {"$ref": …, "size": …}, "count": n, "failed": k}`, that of a loop `exhausted` in place of
`failed`; what it refers to lists the pages, each a JSON list of 1,000, and the failed items. No value of others begins
like it inside a record, so the two cannot be mixed up. Lines of NDJSON are a sequence too.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self, overload

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.value import ITEMS, Cell, Ref, Written, canonical, decode, digest_of, ref_in

PAGE_ITEMS: Final = 1_000
"""Results of a map or loop that make one page in the CAS."""

CHUNK_BYTES: Final = 64 * 1024
"""Lines of NDJSON are split in pieces of this size, one of which is held at a time."""

_BLANK: Final = re.compile(rb"(?:\A|\n)[ \t\n\v\f]")

Read = Callable[[Ref], bytes]


class Items(Written, Sequence[JsonValue]):
    """All items, of which at most one page is decoded at a time. `ref` is what lists the pages. Written as JSON it is a
    list like any."""

    __slots__ = ("_at", "_count", "_page", "_read", "pages", "ref")

    def __init__(self, ref: Ref, pages: Sequence[Ref], count: int, read: Read) -> None:
        self.ref, self.pages = ref, pages
        self._count, self._read = count, read
        self._at, self._page = -1, list[JsonValue]()

    def under(self, read: Read) -> None:
        """From now on pages are read like this."""
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
        """The sequence of the pages that a value lists."""
        pages = [each for told in decode(read(ref))["pages"] if (each := ref_in(told)) is not None]
        return cls(ref, pages, count, read)


class Lines(Sequence[msgspec.Raw]):
    """The lines of a blob of NDJSON that are not blank, as they stand there, split where they are read. They are
    counted by `scan`, so many bytes at a time, before any is read."""

    __slots__ = ("_at", "_data", "_firsts", "_lines", "_starts")

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._lines = data, -1, list[bytes]()
        self._starts, self._firsts = [0], [0]

    def scan(self, most: int) -> bool:
        """Counts on over so many bytes, or a line that is longer; whether all is counted."""
        data, until = self._data, self._starts[-1] + most
        while (start := self._starts[-1]) < min(len(data), until):
            end = data.find(b"\n", start + CHUNK_BYTES) + 1 or len(data)
            self._firsts.append(self._firsts[-1] + _lines_in(data[start:end]))
            self._starts.append(end)
        return self._starts[-1] >= len(data)

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
            self._lines = _split(self._data[self._starts[chunk] : self._starts[chunk + 1]])
            self._at = chunk
        return msgspec.Raw(self._lines[index - self._firsts[chunk]])


def _split(chunk: bytes) -> list[bytes]:
    return [line for line in chunk.splitlines() if line.strip()]


def _lines_in(chunk: bytes) -> int:
    """How many lines are not blank."""
    if b"\r" in chunk or _BLANK.search(chunk):
        return len(_split(chunk))
    return chunk.count(b"\n") + (not chunk.endswith(b"\n"))


def items_cell(ref: Ref, count: int, **facts: int) -> Cell:
    """What a record holds of a map or loop with more than a page of items."""
    return Cell(canonical({ITEMS: decode(ref.cell()), "count": count, **facts}))


def items_listed(pages: Sequence[JsonValue], failed: Sequence[int]) -> tuple[Ref, bytes]:
    """The value that lists the pages and the failed items, and the reference to it."""
    data = canonical({"failed_items": list(failed), "pages": list(pages)})
    return Ref(digest_of(data), len(data)), data


def listed_in(value: JsonValue) -> Ref | None:
    """The reference to the list of pages, when a decoded cell holds results by page; else None."""
    if type(value) is not dict or len(value) != 3 or type(value.get("count")) is not int:
        return None
    ours = type(value.get("failed")) is int or type(value.get("exhausted")) is bool
    return ref_in(value.get(ITEMS)) if ours else None


def facts_of(value: JsonObject, listed: bytes) -> JsonObject:
    """All that a manifest says but the items; `listed` is what it refers to."""
    facts = {name: said for name, said in value.items() if name != ITEMS}
    return facts | {"failed_items": decode(listed)["failed_items"]} if "failed" in facts else facts


def manifest_of(value: JsonObject, listed: Ref, read: Read, pages: Read | None = None) -> JsonObject:
    """`{count, failed, failed_items, items}` as everybody sees it, of a loop `{count, exhausted, items}`; `pages` reads
    pages, where that is another way."""
    items = Items.behind(listed, value["count"], read)
    items.under(pages or read)
    return {**facts_of(value, read(listed)), "items": items}


def items_in(value: JsonValue) -> list[Items]:
    """Every sequence of items that stands in a value."""
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
