"""Which items of a value are stored anew: against a manifest that has all of them, only those between the first and the
last that are the same. Pure."""

import hashlib
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import msgspec

from aob.threads.command import Encoded
from aob.threads.rows import Manifest

BETWEEN_MAX: Final = (50, 8)
"""Items that a manifest names beside its base: beside one with all items, and beside one that has itself a base. One
with more names all, so that a list that grows is written whole once in 50 times, and read in three steps."""


_encode: Final = msgspec.msgpack.Encoder().encode


def items_of(value: Encoded) -> list[bytes]:
    """The items of a value as a manifest has them."""
    return [b"\1" + digest if digest else b"\0" + data for digest, data in value.items]


def piece_of(item: bytes) -> bytes:
    """The hash of an item that is a row; empty for one that stands in the manifest."""
    return item[1:] if item[0] else b""


def end_of(version: str, kind: int, items: Sequence[bytes]) -> bytes:
    """The end of a key: two bytes of the version, and a hash of the value, because two branches may give one version to
    two values."""
    return mark_of(version) + hashlib.sha256(_encode((kind, items))).digest()[:10]


def mark_of(version: str) -> bytes:
    """Two bytes of a version."""
    return (crc32(version.encode()) & 0xFFFF).to_bytes(2)


def manifest_of(kind: int, items: list[bytes], bases: Sequence[tuple[bytes, list[bytes]]]) -> Manifest:
    """The manifest of a value. `bases` are ends of keys of values of the same kind with their items: of one that names
    all of them, then of one that has that as its base."""
    for level in reversed(range(len(bases))):
        end, known = bases[level]
        most = min(len(items), len(known))
        whole = items[:most] == known[:most]
        head = most if whole else next(at for at in range(most) if items[at] != known[at])
        most -= head
        tail = next((at for at in range(most) if items[-1 - at] != known[-1 - at]), most)
        between = items[head : len(items) - tail]
        if head + tail and len(between) <= BETWEEN_MAX[level]:
            return Manifest(kind, between, end, head, tail)
    return Manifest(kind, items)


def joined(manifest: Manifest, known: Sequence[bytes]) -> list[bytes]:
    """All items of a value; `known` are those of its base."""
    if not manifest.base:
        return manifest.items
    return [*known[: manifest.head], *manifest.items, *known[len(known) - manifest.tail :]]
