"""A value in a record: canonical JSON up to 4 KiB inline, else a reference by hash. Canonical means sorted keys, no
white space, UTF-8: the same value has the same bytes and so the same hash. A cell is raw JSON, so that a journal row is
one JSON text that SQL can read. A reference is the object `{"$ref": "sha256:HEX", "size": N}`; a value that begins like
one is never inline, so they cannot be confused."""

import hashlib
import re
from typing import Final

import msgspec

INLINE_MAX: Final = 4 * 1024
ROW_MAX: Final = 64 * 1024
DIGEST_BYTES: Final = 32

Cell = msgspec.Raw  # the record form of a value: its canonical JSON, or a reference

NULL: Final = msgspec.Raw(b"null")
_REF: Final = re.compile(r"sha256:([0-9a-f]{64})")
REF_PREFIX: Final = b'{"$ref":"sha256:'

ITEMS: Final = "$items"
_OURS: Final = (b'{"$ref":', b'{"$items":')  # the beginnings of cells that are not plain values


class Written:
    """A value that encodes its own JSON."""

    __slots__ = ()

    def raw(self) -> bytes:
        """Its canonical JSON."""
        raise NotImplementedError


def _written(value: object) -> msgspec.Raw:
    if isinstance(value, Written):
        return msgspec.Raw(value.raw())
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


_encoder = msgspec.json.Encoder(order="deterministic", enc_hook=_written)
canonical = _encoder.encode
"""`canonical(value) -> bytes`: the canonical JSON of a value. Raises TypeError for values that JSON cannot hold."""

decode = msgspec.json.Decoder().decode  # `decode(bytes or cell) -> value`: a new Python value of JSON bytes


class Ref(msgspec.Struct, frozen=True):
    """A value stored outside the record: its sha256 (32 bytes, followed by the range if it is a part) and its size in
    bytes."""

    digest: bytes
    size: int

    @property
    def hex(self) -> str:
        """The digest as 64 hexadecimal characters."""
        return self.digest[:DIGEST_BYTES].hex()

    def part(self, start: int, size: int) -> "Ref":
        """A reference to a range of the bytes, for reading only: it never stands in a record."""
        return Ref(self.digest + start.to_bytes(8) + size.to_bytes(8), size)

    def cell(self) -> Cell:
        """The reference as a record cell."""
        return msgspec.Raw(b'%s%s","size":%d}' % (REF_PREFIX, self.digest.hex().encode(), self.size))


def part_in(digest: bytes) -> tuple[bytes, int, int | None]:
    """The digest of the whole value, the first byte and the size of the part; None for the whole value."""
    start, size = digest[DIGEST_BYTES:][:8], digest[DIGEST_BYTES + 8 :]
    return digest[:DIGEST_BYTES], int.from_bytes(start), int.from_bytes(size) if size else None


def inline(data: bytes) -> bool:
    """Whether canonical bytes stay inside the record."""
    return len(data) <= INLINE_MAX and not data.startswith(_OURS)


def digest_of(data: bytes | msgspec.Raw) -> bytes:
    """The sha256 of the bytes, 32 bytes long."""
    return hashlib.sha256(data).digest()


def ref_in(value: object) -> Ref | None:
    """The reference in a decoded cell, or None if it is a value itself. Matches exactly what `Ref.cell` writes: similar
    objects of callers may be inline."""
    if type(value) is dict and len(value) == 2 and type(value.get("$ref")) is str and type(value.get("size")) is int:
        found = _REF.fullmatch(value["$ref"])
        return Ref(bytes.fromhex(found[1]), value["size"]) if found else None
    return None


def digest_of_cell(cell: Cell) -> bytes:
    """The sha256 of the value that a cell holds or refers to."""
    if bytes(cell).startswith(REF_PREFIX):
        return bytes.fromhex(bytes(cell)[len(REF_PREFIX) : len(REF_PREFIX) + 64].decode())
    return digest_of(cell)
