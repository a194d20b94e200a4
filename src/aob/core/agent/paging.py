"""A key as one page of bytes, and back: exactly the key that its events make. Of a key that left memory only its newest
page is needed; whoever reads a page makes sure first that this same code has written it."""

from typing import Final

import msgspec

from aob.core.agent.key import Key, Open
from aob.core.intents import WrittenIntent, read_intents, write_intents
from aob.core.value import Cell


class _Page(msgspec.Struct, array_like=True, gc=False):
    """`key` and `record` are without the fields that stand beside them: cells that may be missing, and intents."""

    key: Key
    record: Open | None
    intents: list[WrittenIntent] | None
    left: list[Cell]
    stuck: list[Cell]
    resume: list[Cell]
    error: list[Cell]


_pages: Final = msgspec.json.Decoder(_Page)
_encode: Final = msgspec.json.Encoder().encode


def encode_key(key: Key) -> bytes:
    """The page of a key."""
    bare, record = msgspec.structs.replace(key, open=None, left=None, stuck=None), key.open
    if record is None:
        return _encode(_Page(bare, None, None, _maybe(key.left), _maybe(key.stuck), [], []))
    plain = msgspec.structs.replace(record, intents=None, resume=None, error=None)
    return _encode(
        _Page(bare, plain, write_intents(record.intents), _maybe(key.left), _maybe(key.stuck), _maybe(record.resume),
              _maybe(record.error))
    )  # fmt: skip


def decode_key(data: bytes) -> Key:
    """The key of a page. Raises msgspec.DecodeError."""
    page = _pages.decode(data)
    key, record = page.key, page.record
    key.left, key.stuck, key.open = _one(page.left), _one(page.stuck), record
    if record is not None:
        record.intents = read_intents(page.intents)
        record.resume, record.error = _one(page.resume), _one(page.error)
    return key


def _maybe(cell: Cell | None) -> list[Cell]:
    return [] if cell is None else [cell]


def _one(cells: list[Cell]) -> Cell | None:
    return cells[0] if cells else None
