"""A value inside a record: canonical JSON bytes up to 4 KiB, else a reference by hash.

Canonical means sorted keys, no white space, UTF-8: the same value has the same bytes and so the same hash.
"""

import hashlib
from typing import Any, Final

import msgspec

INLINE_MAX: Final = 4 * 1024
ROW_MAX: Final = 64 * 1024


class Ref(msgspec.Struct, frozen=True, array_like=True):
    """A value kept outside the record: its sha256 (32 bytes) and its size in bytes."""

    digest: bytes
    size: int

    @property
    def hex(self) -> str:
        """The digest as 64 hexadecimal characters."""
        return self.digest.hex()


Cell = bytes | Ref
"""What a record holds for a value: its canonical JSON bytes, or where to find them."""

NULL: Final = b"null"

_encoder = msgspec.json.Encoder(order="deterministic")
canonical = _encoder.encode
"""`canonical(value) -> bytes`: the canonical JSON of a value. Raises TypeError for what JSON cannot hold."""

decode = msgspec.json.Decoder().decode
"""`decode(bytes) -> value`: a fresh Python value of canonical JSON bytes."""


def digest_of(data: bytes) -> bytes:
    """The sha256 of the bytes, 32 bytes long."""
    return hashlib.sha256(data).digest()


def plain(cell: Cell) -> Any:
    """The value of an inline cell; for a reference a small description of it."""
    if isinstance(cell, Ref):
        return {"$ref": f"sha256:{cell.hex}", "size": cell.size}
    return decode(cell)
