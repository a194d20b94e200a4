"""Items of a store as rows: their keys, which begin with their namespace, and what is kept of each."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from langgraph.store.base import SearchItem

MINUTE_MS: Final = 60_000


class Kept(msgspec.Struct, array_like=True):
    """An item: its value as JSON, when it was made and last changed, after how many minutes without use it expires (0:
    never) and when, and the vectors of its texts (32-bit floats)."""

    value: bytes
    created_ms: int
    updated_ms: int
    ttl: float = 0.0
    expires_ms: int = 0
    vectors: list[bytes] = []


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Kept).decode


def start_of(namespace: tuple[str, ...]) -> bytes:
    """The beginning of the keys of all items in a namespace and below."""
    return b"".join(label.encode() + b"\1" for label in namespace)


def key_of(namespace: tuple[str, ...], key: str) -> bytes:
    """The key of an item."""
    return start_of(namespace) + b"\0" + key.encode()


def named(key: bytes) -> tuple[tuple[str, ...], str]:
    """The namespace and key of an item."""
    start, _, name = key.partition(b"\0")
    return tuple(start.decode().split("\1")[:-1]), name.decode()


def packed(kept: Kept) -> bytes:
    """An item as bytes."""
    return _encode(kept)


def unpacked(data: bytes) -> Kept:
    """The item that `packed` wrote."""
    return _decode(data)


def item_of(key: bytes, kept: Kept, score: float | None = None) -> SearchItem:
    """An item as LangGraph has it."""
    namespace, name = named(key)
    return SearchItem(
        namespace, name, msgspec.json.decode(kept.value), _at(kept.created_ms), _at(kept.updated_ms), score
    )


def matches(value: Any, wanted: Any) -> bool:
    """Whether a value is as a filter says: equal; an object member by member; or by operators (`$eq $ne $gt $gte $lt
    $lte`). Raises ValueError for another operator."""
    if isinstance(wanted, dict):
        if any(key.startswith("$") for key in wanted):
            return all(_compares(value, key, other) for key, other in wanted.items())
        return isinstance(value, dict) and all(matches(value.get(key), other) for key, other in wanted.items())
    if isinstance(wanted, list | tuple):
        same = isinstance(value, list) and len(value) == len(wanted)
        return same and all(matches(one, other) for one, other in zip(value, wanted, strict=True))
    return bool(value == wanted)


def _compares(value: Any, operator: str, other: Any) -> bool:
    if operator in ("$eq", "$ne"):
        return (value == other) is (operator == "$eq")
    if operator not in ("$gt", "$gte", "$lt", "$lte"):
        raise ValueError(f"unsupported operator {operator!r}: $eq $ne $gt $gte $lt $lte")
    try:
        below, same = value < other, value == other
    except TypeError:
        return False  # a number is not less than a text, nor is it greater
    if operator in ("$gte", "$lte") and same:
        return True
    return bool(not same and below is (operator in ("$lt", "$lte")))


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)
