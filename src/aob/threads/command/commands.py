"""What may be asked about one thread, and the answers; both travel between processes as MessagePack."""

import hashlib
from typing import ClassVar, Final, TypeAlias

import msgspec

INLINE_MAX: Final = 48
"""Bytes of an item that stands in the manifest of its value; a longer one is a row, stored once in its thread."""


class Encoded(msgspec.Struct, array_like=True):
    """A value of a channel: of one item, or a list or dict by its items, each with its name."""

    WHOLE: ClassVar[int] = 0
    LIST: ClassVar[int] = 1
    DICT: ClassVar[int] = 2

    kind: int
    items: list[tuple[bytes, bytes]]

    @staticmethod
    def item(data: bytes) -> tuple[bytes, bytes]:
        """The bytes of an item with their name: 16 bytes of their sha256, or nothing for few."""
        return (hashlib.sha256(data).digest()[:16] if len(data) > INLINE_MAX else b""), data


class Put(msgspec.Struct, array_like=True, tag=1):
    """Write a checkpoint. `values` are the channels that are new or changed, by name, each with its version; `kept` the
    versions of those that its parent has too. `run` and `root` (the checkpoint of the outermost graph that it belongs
    to) say what it is removed with; `deltas` are channels whose value is in the writes of its ancestors. The answer is
    a list of the `kept` channels that are not there: then nothing was written."""

    ns: str
    id: str
    parent: str
    body: bytes
    metadata: bytes
    values: dict[str, tuple[str, Encoded]]
    kept: dict[str, str] = {}
    run: str = ""
    root: str = ""
    deltas: list[str] = []
    keep: int = 0
    """How many checkpoints of the outermost graph stay; 0: all."""


class Written(msgspec.Struct, array_like=True):
    """A write of a task. One with a negative `place` is written over."""

    task: str
    place: int
    channel: str
    value: Encoded
    path: str = ""


class PutWrites(msgspec.Struct, array_like=True, tag=2):
    """Write what tasks have written after a checkpoint. The answer is nothing."""

    ns: str
    id: str
    writes: list[Written]


class Find(msgspec.Struct, array_like=True, tag=3):
    """Read a checkpoint, or the newest of a namespace where no id is given. The answer is Found, or nothing."""

    ns: str
    id: str = ""


class Listing(msgspec.Struct, array_like=True, tag=4):
    """Read which checkpoints there are, the newest first, in one namespace or in all (None), with an id less than
    `before`, behind (id, namespace). The answer is a list of Listed; one with less than `limit` is the
    last."""

    ns: str | None
    before: str = ""
    after: tuple[str, str] | None = None
    limit: int = 100


class Delete(msgspec.Struct, array_like=True, tag=5):
    """Remove all of the thread, or only what these runs wrote. The answer is nothing."""

    runs: list[str] | None = None


class Prune(msgspec.Struct, array_like=True, tag=6):
    """Keep the newest checkpoint of each namespace, and what its channels need of its ancestors. The answer is
    nothing."""


class Rows(msgspec.Struct, array_like=True, tag=7):
    """Read everything, to copy it. The answer is Copied."""


class Copied(msgspec.Struct, array_like=True, tag=8):
    """Write rows of another thread. The answer is nothing."""

    rows: list[tuple[bytes, bytes]]


class FoundWrite(msgspec.Struct, array_like=True):
    """A write of a task: its value as a kind and the bytes of its items."""

    task: str
    channel: str
    kind: int
    items: list[bytes]


class Found(msgspec.Struct, array_like=True):
    """A checkpoint: its values by channel, each a kind and the bytes of its items, and its writes in order."""

    id: str
    parent: str
    body: bytes
    metadata: bytes
    values: dict[str, tuple[int, list[bytes]]]
    writes: list[FoundWrite]


class Listed(msgspec.Struct, array_like=True):
    """A checkpoint in a list."""

    ns: str
    id: str
    metadata: bytes


class Remember(msgspec.Struct, array_like=True, tag=11):
    """Write items of a memory by their keys, or remove those without data. The answer is nothing."""

    items: list[tuple[bytes, bytes | None]]


class Recall(msgspec.Struct, array_like=True, tag=12):
    """Read items of a memory. The answer has those that exist."""

    keys: list[bytes]


class Browse(msgspec.Struct, array_like=True, tag=13):
    """Read the items of a memory whose keys begin so, those greater than `after`, by key. The answer is a list; one
    with less than `limit` is the last."""

    start: bytes
    after: bytes = b""
    limit: int = 500


MemoryCommand: TypeAlias = Remember | Recall | Browse
ThreadCommand: TypeAlias = Put | PutWrites | Find | Listing | Delete | Prune | Rows | Copied | MemoryCommand
