"""Whether bytes are data of an Avro schema, in its binary form. Work is bounded by the bytes: blocks of items that take
no bytes are refused beyond a limit."""

from typing import Final

from aob.core.schema.avro import Node
from aob.core.schema.model import Fault

EMPTY_ITEMS_MAX: Final = 10_000
DEPTH_MAX: Final = 200
_FIXED: Final = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def avro_data_faults(node: Node, data: bytes) -> list[Fault]:
    """Why bytes are not data of a type; none when they are."""
    reading = _Reading(data)
    try:
        reading.read(node, "", 0)
    except _BadError as error:
        return [Fault(error.path, error.words)]
    left = len(data) - reading.at
    return [Fault("", f"{left:,} bytes are left over")] if left else []


class _BadError(Exception):
    def __init__(self, path: str, words: str) -> None:
        super().__init__(words)
        self.path, self.words = path, words


class _Reading:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self._empty = 0

    def read(self, node: Node, path: str, depth: int) -> None:
        """Pass over a value of a type. Raises _BadError."""
        kind = node.kind
        if depth > DEPTH_MAX:
            raise _BadError(path, f"it is nested deeper than {DEPTH_MAX} levels")
        if kind in _FIXED:
            taken = self._take(_FIXED[kind], path)
            if kind == "boolean" and taken not in (b"\0", b"\1"):
                raise _BadError(path, "a boolean is 0 or 1")
        elif kind in ("int", "long"):
            limit = 31 if kind == "int" else 63
            if not -(1 << limit) <= self._long(path) < 1 << limit:
                raise _BadError(path, f"the number is no {kind}")
        elif kind in ("bytes", "string"):
            taken = self._take(self._long(path), path)
            if kind == "string":
                _check_text(taken, path)
        elif kind == "fixed":
            self._take(node.size, path)
        elif kind == "enum":
            self._index(len(node.symbols), path)
        elif kind == "union":
            at = self._index(len(node.inner), path)
            self.read(node.inner[at], path, depth + 1)
        elif kind == "record":
            for field in node.fields:
                self.read(field.type, f"{path}/{field.name}", depth + 1)
        else:
            self._blocks(node, path, depth)

    def _blocks(self, node: Node, path: str, depth: int) -> None:
        while (count := self._long(path)) != 0:
            if count < 0:
                self._long(path)  # the bytes of the block
                count = -count
            for number in range(count):
                before = self.at
                if node.kind == "map":
                    _check_text(self._take(self._long(path), path), path)
                self.read(node.inner[0], f"{path}/{number}", depth + 1)
                self._empty += self.at == before
                if self._empty > EMPTY_ITEMS_MAX:
                    raise _BadError(path, f"more than {EMPTY_ITEMS_MAX:,} items take no bytes")

    def _index(self, count: int, path: str) -> int:
        found = self._long(path)
        if not 0 <= found < count:
            raise _BadError(path, f"there is no number {found} of {count}")
        return found

    def _take(self, size: int, path: str) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise _BadError(path, "the bytes end too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def _long(self, path: str) -> int:
        value = 0
        for number, byte in enumerate(self.data[self.at : self.at + 10]):
            value |= (byte & 0x7F) << (7 * number)
            if byte < 0x80:
                self.at += number + 1
                return (value >> 1) ^ -(value & 1)
        raise _BadError(path, "the bytes end in a number, or it is too long")


def _check_text(data: bytes, path: str) -> None:
    try:
        data.decode()
    except UnicodeError as error:
        raise _BadError(path, f"a text is not UTF-8: {error}") from error
