"""Reads a serialized `cel.expr.CheckedExpr` or `ParsedExpr` into a tree of structs, without a protobuf library."""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.expression.reserved import respelled

Scalar = None | bool | int | float | str | bytes


class Constant(msgspec.Struct, frozen=True):
    """A literal. `unsigned` distinguishes `1u` from `1`."""

    id: int
    value: Scalar
    unsigned: bool = False


class Name(msgspec.Struct, frozen=True):
    """A variable: a top-level name, or one that a macro bound."""

    id: int
    name: str


class Select(msgspec.Struct, frozen=True):
    """`operand.field`, or `has(operand.field)` when `test` is true."""

    id: int
    operand: "Expr"
    field: str
    test: bool


class Call(msgspec.Struct, frozen=True):
    """A function, a method (with a target) or an operator such as `_+_`."""

    id: int
    function: str
    target: "Expr | None"
    args: "tuple[Expr, ...]"


class Items(msgspec.Struct, frozen=True):
    """A list literal."""

    id: int
    items: "tuple[Expr, ...]"
    optional: bool


class Entries(msgspec.Struct, frozen=True):
    """A map literal, or a message literal when `message` names one."""

    id: int
    message: str
    entries: "tuple[tuple[Expr, Expr], ...]"
    optional: bool


class Fold(msgspec.Struct, frozen=True):
    """A macro (`all`, `exists`, `map`, `filter`) unfolded: a loop over `source` that carries `total`."""

    id: int
    item: str
    second: str
    source: "Expr"
    total: str
    first: "Expr"
    condition: "Expr"
    step: "Expr"
    result: "Expr"


Expr = Constant | Name | Select | Call | Items | Entries | Fold


class Tree(msgspec.Struct, frozen=True):
    """The root, and the part of the format with node offsets, read only for error messages."""

    root: Expr
    source: bytes

    def offsets(self) -> dict[int, int]:
        """The offset of each node (by its id) in the text, in characters from 0."""
        found: dict[int, int] = {}
        for number, _, body in _fields(self.source):
            if number == 4:
                pair = {part: value for part, value, _ in _fields(body)}
                found[pair.get(1, 0)] = pair.get(2, 0)
        return found


_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_U64: Final = 1 << 64
_I64: Final = 1 << 63


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each field of a message as (number, integer value or 0, bytes or empty)."""
    at = 0
    while at < len(data):
        key = data[at]  # one byte: no field number exceeds 15
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at + 1)
            yield number, value, b""
        elif wire == _BYTES:
            size, at = _varint(data, at + 1)
            yield number, 0, data[at : at + size]
            at += size
        elif wire == _FIXED64:
            yield number, 0, data[at + 1 : at + 9]
            at += 9
        else:
            raise ValueError(f"wire type {wire} is not used by a checked expression")


def _bodies(data: bytes) -> dict[int, bytes]:
    return {number: body for number, _, body in _fields(data)}


def _constant(ident: int, data: bytes) -> Expr:
    for number, value, body in _fields(data):
        if number == 1:
            return Constant(ident, None)
        if number == 2:
            return Constant(ident, bool(value))
        if number == 3:
            return Constant(ident, value - _U64 if value >= _I64 else value)
        if number == 4:
            return Constant(ident, value, unsigned=True)
        if number == 5:
            (double,) = struct.unpack("<d", body)
            return Constant(ident, double)
        if number == 6:
            return Constant(ident, body.decode())
        if number == 7:
            return Constant(ident, body)
    raise ValueError("a constant of an unknown kind")


def _name(ident: int, data: bytes) -> Expr:
    return Name(ident, respelled(_bodies(data)[1].decode()))


def _select(ident: int, data: bytes) -> Expr:
    part, test = _bodies(data), any(number == 3 and value for number, value, _ in _fields(data))
    return Select(ident, _expr(part.get(1, b"")), part.get(2, b"").decode(), test)


def _call(ident: int, data: bytes) -> Expr:
    part = _bodies(data)
    args = tuple(_expr(body) for number, _, body in _fields(data) if number == 3)
    return Call(ident, part.get(2, b"").decode(), _expr(part[1]) if 1 in part else None, args)


def _items(ident: int, data: bytes) -> Expr:
    fields = list(_fields(data))
    items = tuple(_expr(body) for number, _, body in fields if number == 1)
    return Items(ident, items, any(number == 2 for number, _, _ in fields))


def _entries(ident: int, data: bytes) -> Expr:
    message, entries, optional = "", [], False
    for number, _, body in _fields(data):
        if number == 1:
            message = body.decode()
        elif number == 2:
            key: Expr = Constant(0, None)
            value: Expr = Constant(0, None)
            for part, flag, inner in _fields(body):
                if part == 2:
                    key = Constant(0, inner.decode())
                elif part == 3:
                    key = _expr(inner)
                elif part == 4:
                    value = _expr(inner)
                elif part == 5:
                    optional = optional or bool(flag)
            entries.append((key, value))
    return Entries(ident, message, tuple(entries), optional)


def _fold(ident: int, data: bytes) -> Expr:
    part = _bodies(data)
    first, condition, step, result = (_expr(part[number]) for number in (4, 5, 6, 7))
    item, total, second = (part.get(number, b"").decode() for number in (1, 3, 8))
    return Fold(ident, respelled(item), respelled(second), _expr(part[2]), total, first, condition, step, result)


_KINDS: Final = {3: _constant, 4: _name, 5: _select, 6: _call, 7: _items, 8: _entries, 9: _fold}


def _expr(data: bytes) -> Expr:
    ident, kind, body = 0, 0, b""
    for number, value, content in _fields(data):
        if number == 2:
            ident = value
        elif number in _KINDS:
            kind, body = number, content
    if not kind:
        raise ValueError("an expression of an unknown kind")
    return _KINDS[kind](ident, body)


def read_tree(serialized: bytes) -> Tree:
    """The tree of a serialized checked or parsed expression. Raises ValueError for another format."""
    outer = _bodies(serialized)
    parsed = outer.get(1, b"").endswith(b"ParsedExpr")
    at_root, at_source = (2, 3) if parsed else (4, 5)
    inner = _bodies(outer.get(2, b""))
    if at_root not in inner:
        raise ValueError("neither a checked nor a parsed expression")
    return Tree(_expr(inner[at_root]), inner.get(at_source, b""))


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct parts of a node, in the order of the text."""
    match expr:
        case Select():
            return (expr.operand,)
        case Call():
            return (*((expr.target,) if expr.target is not None else ()), *expr.args)
        case Items():
            return expr.items
        case Entries():
            return tuple(part for entry in expr.entries for part in entry)
        case Fold():
            return (expr.source, expr.first, expr.condition, expr.step, expr.result)
        case _:
            return ()
