"""The rows of a thread and their keys: `c` a checkpoint, `v` a value of a channel, `p` an item, `w` a write. Each
carries a checksum of its key and data."""

import zlib
from typing import Final
from zlib import crc32

import msgspec

from aob.core.errors import Unavailable

POINT: Final = b"c"
CHANNEL: Final = b"v"
PIECE: Final = b"p"
WRITE: Final = b"w"
PLACE_BASE: Final = 1 << 31
THREAD_CORRUPT: Final = "thread_corrupt"


class Point(msgspec.Struct, array_like=True):
    """A checkpoint. `channels` are the ends of the keys of its values."""

    parent: str
    run: str
    root: str
    body: bytes
    metadata: bytes
    channels: dict[str, bytes]
    deltas: list[str]


class Manifest(msgspec.Struct, array_like=True):
    """A value of a channel: its items, each `0` and its bytes or `1` and the hash of a `p` row. With a `base`, the end
    of the key of another value of that channel, its first `head` items are the first of that, its last `tail` the last
    of that, and `items` are between them."""

    kind: int
    items: list[bytes]
    base: bytes = b""
    head: int = 0
    tail: int = 0


class OneWrite(msgspec.Struct, array_like=True):
    """A write of a task: its place among them, and its value as the items of a manifest."""

    place: int
    channel: str
    kind: int
    items: list[bytes]


class WriteRow(msgspec.Struct, array_like=True):
    """What a task has written at once; the task is in the key, and the place of the first."""

    path: str
    writes: list[OneWrite]


TYPICAL: Final = (
    b"\x96\xa0\xa0\xa0\xc4\x00\xa7msgpack\x85\xa6source\xa5input\xa6update\xa4fork\xa4step\xa7parents\x80\xa6run_id\xa9thread_id"
    b"\xad__interrupt__\xa8messages\xa9branch:to:\xa9__start__\xa9__input__\xaa__resume__\xb0__pregel_tasks"
    b"\xa7msgpack\xc4\x83\xa6source\xa4loop\xa4step\x01\xa7parents\x80\xa7msgpack\xc5\x01\x87\xa1v\x04\xa2ts\xd9 2026-"
    b"01-01T00:00:00.000000+00:00\xa2id\xd9$1f000000-0000-6000-8000-000000000000\xb0channel_versions\x84\xa9__start__\x02"
    b"\xadversions_seen\x83\xa9__input__\x80\xa9__start__\x81\xa9__start__\x01\xb0updated_channels\x93"
)
"""What most checkpoints say, for the compression of their rows. Never changed: rows that are there need it."""

_encode: Final = msgspec.msgpack.Encoder().encode
_point: Final = msgspec.msgpack.Decoder(Point)
_manifest: Final = msgspec.msgpack.Decoder(Manifest)
_write: Final = msgspec.msgpack.Decoder(WriteRow)


def point_key(ns: str, id: str = "") -> bytes:
    """The key of a checkpoint; without an id, the beginning of all of a namespace."""
    return b"c%b\0%b" % (ns.encode(), id.encode())


def named(key: bytes) -> tuple[str, str]:
    """The namespace and id in the key of a checkpoint."""
    ns, _, id = key[1:].decode().partition("\0")
    return ns, id


def channel_key(ns: str, channel: str, end: bytes) -> bytes:
    """The key of a value of a channel."""
    return b"v%b\0%b\0%b" % (ns.encode(), channel.encode(), end)


def channel_named(key: bytes) -> tuple[str, str, bytes]:
    """The namespace, channel and end in such a key."""
    ns, channel, end = key[1:].split(b"\0", 2)
    return ns.decode(), channel.decode(), end


def write_key(ns: str, id: str, task: str, place: int) -> bytes:
    """The key of a write."""
    return b"w%b\0%b\0%b\0%b" % (ns.encode(), id.encode(), task.encode(), (place + PLACE_BASE).to_bytes(4))


def writes_key(ns: str, id: str) -> bytes:
    """The beginning of the keys of all writes after a checkpoint."""
    return b"w%b\0%b\0" % (ns.encode(), id.encode())


def write_named(key: bytes) -> tuple[str, str, str, int]:
    """The namespace, checkpoint, task and place in the key of a write."""
    ns, id, task = key[1:-5].decode().split("\0", 2)
    return ns, id, task, int.from_bytes(key[-4:]) - PLACE_BASE


def beyond(start: bytes) -> bytes:
    """The least key that is greater than all that begin so; empty: there is none."""
    cut = start.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else b""


def sealed(key: bytes, data: bytes) -> bytes:
    """The data of a row with its checksum."""
    return crc32(data, crc32(key)).to_bytes(4) + data


def opened(key: bytes, row: bytes) -> bytes:
    """The data of a row. Raises Unavailable `thread_corrupt` where it is not what was written."""
    data = row[4:]
    if crc32(data, crc32(key)).to_bytes(4) != row[:4]:
        raise Unavailable(f"a row of a thread is not what was written ({key[:80]!r})", code=THREAD_CORRUPT,
                          hint="restore the file of its shard, or its database, from a backup")  # fmt: skip
    return data


def row_of(key: bytes, value: Manifest | WriteRow) -> bytes:
    """The row of a struct."""
    return sealed(key, _encode(value))


def point_row(key: bytes, point: Point) -> bytes:
    """The row of a checkpoint, compressed: what every one says takes no space."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=TYPICAL)
    return sealed(key, packer.compress(_encode(point)) + packer.flush())


def point_in(key: bytes, row: bytes) -> Point:
    """The checkpoint in a row. Raises Unavailable `thread_corrupt`."""
    opener = zlib.decompressobj(-15, zdict=TYPICAL)
    return _point.decode(opener.decompress(opened(key, row)))


def manifest_in(key: bytes, row: bytes) -> Manifest:
    """The value of a channel in a row."""
    return _manifest.decode(opened(key, row))


def write_in(key: bytes, row: bytes) -> WriteRow:
    """The write in a row."""
    return _write.decode(opened(key, row))
