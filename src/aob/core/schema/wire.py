"""The wire format of Confluent's clients: a zero byte, the id of the schema in four bytes, for Protobuf the way to the
message, then the data."""

from typing import Final

import msgspec

MAGIC: Final = 0
HEAD_BYTES: Final = 5
INDEXES_MAX: Final = 100


class Framed(msgspec.Struct, frozen=True):
    """The id of a schema, and what stands behind it."""

    id: int
    data: bytes


def frame(id: int, data: bytes, indexes: tuple[int, ...] | None = None) -> bytes:
    """Data with the id of its schema before it; `indexes` lead to a message of Protobuf."""
    return bytes([MAGIC]) + id.to_bytes(4) + (b"" if indexes is None else indexes_of(indexes)) + data


def framed(raw: bytes) -> Framed | None:
    """The id and the data of a framed value; None when it has no frame."""
    if len(raw) < HEAD_BYTES or raw[0] != MAGIC:
        return None
    return Framed(int.from_bytes(raw[1:HEAD_BYTES]), raw[HEAD_BYTES:])


def indexes_of(indexes: tuple[int, ...]) -> bytes:
    """The way to a message: the count and each index as zigzag varints; the first message is one zero."""
    if indexes == (0,):
        return b"\0"
    return b"".join(_varint(value << 1) for value in (len(indexes), *indexes))


def indexes_in(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """The way to a message, and what stands behind it. Raises ValueError."""
    count, at = _read(data, 0)
    if count == 0:
        return (0,), data[at:]
    if not 0 < count <= INDEXES_MAX:
        raise ValueError(f"{count} is no count of message indexes")
    found: list[int] = []
    for _ in range(count):
        value, at = _read(data, at)
        found.append(value)
    if min(found) < 0:
        raise ValueError("a message index is negative")
    return tuple(found), data[at:]


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _read(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint of at most ten bytes, and where it ends. Raises ValueError."""
    value = 0
    for number, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + number + 1
    raise ValueError("the message indexes end too early")
