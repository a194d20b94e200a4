"""Reads Avro schemas into nodes: names made full, defaults checked, nesting bounded. Without a library."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from aob.core.document.shape import Tree, Value
from aob.core.schema.model import DEPTH_MAX, Named, unreadable
from aob.core.value import canonical, decode

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INT: Final = 2**31
_LONG: Final = 2**63
BRANCHES_MAX: Final = 200
MISSING: Final = msgspec.UNSET


class Field(msgspec.Struct):
    """A field of a record; `default` is UNSET without one."""

    name: str
    type: "Node"
    default: Value = MISSING
    aliases: tuple[str, ...] = ()


class Node(msgspec.Struct):
    """A type. `name` is full; `inner` are the branches of a union, or the items or values; `logical` is what a reader
    must agree on (decimals)."""

    kind: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    fields: list[Field] = []
    symbols: tuple[str, ...] = ()
    default: Value = MISSING
    size: int = 0
    inner: list["Node"] = []
    logical: tuple[str, int, int] | None = None


class Avro(msgspec.Struct):
    """A schema that was read: its type, and the same in a normal form with full names; `held` are the normal forms of
    what it refers to."""

    node: Node
    normal: Value
    held: list[Value] = []


def read_avro(text: str, sources: Sequence[Named] = ()) -> Avro:
    """The schema of a text, after those that it refers to. Raises Unreadable with the place."""
    reading = _Reading()
    held = [reading.read(_json(source.text), "", f"reference {source.name}: ", 0)[1] for source in sources]
    node, normal = reading.read(_json(text), "", "", 0)
    return Avro(node, normal, held)


def _json(text: str) -> Value:
    try:
        return decode(text.encode())
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        if _NAME.fullmatch(text.strip()):
            return text.strip()  # a bare primitive, as some clients write it
        raise unreadable("AVRO", f"it is not JSON: {error}") from error


class _Reading:
    """Names that are known so far."""

    def __init__(self) -> None:
        self.names: dict[str, Node] = {}

    def read(self, given: Value, space: str, path: str, depth: int) -> tuple[Node, Value]:
        """A type within a namespace, and its normal form."""
        if depth > DEPTH_MAX:
            raise unreadable("AVRO", f"it is nested deeper than {DEPTH_MAX} levels", path)
        if isinstance(given, str):
            return self._named(given, space, path)
        if isinstance(given, list):
            return self._union(given, space, path, depth)
        if not isinstance(given, dict):
            raise unreadable("AVRO", f"a type is a name, a list or an object, not {_shown(given)}", path)
        kind = given.get("type")
        if isinstance(kind, dict | list):
            return self.read(kind, space, f"{path}/type", depth + 1)
        if kind in PRIMITIVES:
            return self._primitive(given, kind)
        if kind in ("array", "map"):
            key = "items" if kind == "array" else "values"
            if key not in given:
                raise unreadable("AVRO", f"{kind} without `{key}`", path)
            node, normal = self.read(given[key], space, f"{path}/{key}", depth + 1)
            return Node(kind, inner=[node]), {"type": kind, key: normal}
        if kind in ("record", "error", "enum", "fixed"):
            return self._declared(given, kind, space, path, depth)
        if isinstance(kind, str):
            return self._named(kind, space, f"{path}/type")
        raise unreadable("AVRO", "an object needs a `type`", path)

    def _named(self, name: str, space: str, path: str) -> tuple[Node, Value]:
        if name in PRIMITIVES:
            return Node(name), name
        full = name if "." in name or not space else f"{space}.{name}"
        node = self.names.get(full) or self.names.get(name)
        if node is None:
            known = ", ".join(sorted(self.names)[:8])
            raise unreadable("AVRO", f"{name[:100]!r} is not defined", path, f"defined: {known}" if known else "")
        return node, node.name

    def _primitive(self, given: Tree, kind: str) -> tuple[Node, Value]:
        said: Tree = {key: given[key] for key in ("logicalType", "precision", "scale") if key in given}
        node = Node(kind, logical=_decimal(said) if kind == "bytes" else None)
        return node, {"type": kind, **said} if said else kind

    def _union(self, given: list[Value], space: str, path: str, depth: int) -> tuple[Node, Value]:
        if len(given) > BRANCHES_MAX:
            raise unreadable("AVRO", f"a union has at most {BRANCHES_MAX} branches", path)
        read = [self.read(each, space, f"{path}/{at}", depth + 1) for at, each in enumerate(given)]
        seen: set[str] = set()
        for at, (node, _) in enumerate(read):
            if node.kind == "union":
                raise unreadable("AVRO", "a union holds no union", f"{path}/{at}")
            if (label := node.name or node.kind) in seen:
                raise unreadable("AVRO", f"{label} stands twice in a union", f"{path}/{at}")
            seen.add(label)
        return Node("union", inner=[node for node, _ in read]), [normal for _, normal in read]

    def _declared(self, given: Tree, kind: str, space: str, path: str, depth: int) -> tuple[Node, Value]:
        full = _full(given.get("name"), given.get("namespace", space), path)
        if full in self.names:
            raise unreadable("AVRO", f"{full} is defined twice", path)
        inside = full.rpartition(".")[0]
        aliases = tuple(_full(each, inside, f"{path}/aliases") for each in _texts(given, "aliases", path))
        node = self.names[full] = Node(kind if kind != "error" else "record", full, aliases)
        normal: Tree = {"type": node.kind, "name": full}
        normal |= {"aliases": list(aliases)} if aliases else {}
        normal |= {"doc": given["doc"]} if given.get("doc") else {}
        if kind == "enum":
            self._enum(node, given, normal, path)
        elif kind == "fixed":
            self._fixed(node, given, normal, path)
        else:
            self._record(node, given, normal, inside, path, depth)
        return node, normal

    def _enum(self, node: Node, given: Tree, normal: Tree, path: str) -> None:
        node.symbols = tuple(_texts(given, "symbols", path))
        for at, symbol in enumerate(node.symbols):
            if not _NAME.fullmatch(symbol) or symbol in node.symbols[:at]:
                raise unreadable("AVRO", f"{symbol[:100]!r} is no symbol, or stands twice", f"{path}/symbols/{at}")
        normal["symbols"] = list(node.symbols)
        if "default" in given:
            node.default = normal["default"] = given["default"]
            if node.default not in node.symbols:
                raise unreadable("AVRO", f"{_shown(node.default)} is none of the symbols", f"{path}/default")

    def _fixed(self, node: Node, given: Tree, normal: Tree, path: str) -> None:
        size = given.get("size")
        if type(size) is not int or not 0 <= size < _INT:
            raise unreadable("AVRO", "fixed needs a `size` in bytes", f"{path}/size")
        said: Tree = {key: given[key] for key in ("logicalType", "precision", "scale") if key in given}
        node.size, node.logical = size, _decimal(said)
        normal.update(size=size, **said)

    def _record(self, node: Node, given: Tree, normal: Tree, inside: str, path: str, depth: int) -> None:
        listed = given.get("fields")
        if not isinstance(listed, list):
            raise unreadable("AVRO", "a record needs a list of `fields`", f"{path}/fields")
        normal["fields"] = []
        taken: set[str] = set()
        for at, each in enumerate(listed):
            here = f"{path}/fields/{at}"
            if not isinstance(each, dict) or "type" not in each:
                raise unreadable("AVRO", "a field is an object with `name` and `type`", here)
            name = _full(each.get("name"), "", here)
            if "." in name or name in taken:
                raise unreadable("AVRO", f"{name[:100]!r} stands twice, or has a dot", f"{here}/name")
            taken.add(name)
            type_, form = self.read(each["type"], inside, f"{here}/type", depth + 1)
            field = Field(name, type_, aliases=tuple(_texts(each, "aliases", here)))
            said: Tree = {"name": name, "type": form}
            if "default" in each:
                field.default = said["default"] = each["default"]
                first = type_.inner[0] if type_.kind == "union" and type_.inner else type_
                if wrong := default_fault(first, field.default, 0):
                    words = "the default of a union is of its first branch: " if type_.kind == "union" else ""
                    raise unreadable("AVRO", words + wrong, f"{here}/default")
            said |= {key: each[key] for key in ("aliases", "doc") if each.get(key)}
            said |= {"order": each["order"]} if each.get("order", "ascending") != "ascending" else {}
            node.fields.append(field)
            normal["fields"].append(said)


def default_fault(node: Node, value: Value, depth: int) -> str:
    """Why a value is no default of a type; empty when it is one."""
    if depth > DEPTH_MAX:
        return "the value is nested too deeply"
    if node.kind == "record" and isinstance(value, dict):
        return next(filter(None, (_member_fault(each, value, depth) for each in node.fields)), "")
    if node.kind == "array" and isinstance(value, list):
        return _first_fault(node.inner[0], value, depth)
    if node.kind == "map" and isinstance(value, dict):
        return _first_fault(node.inner[0], list(value.values()), depth)
    if node.kind == "union":
        fits = any(not default_fault(each, value, depth + 1) for each in node.inner)
    else:
        fits = node.kind not in ("record", "array", "map") and _is_plain(node, value)
    return "" if fits else f"{_shown(value)} is no {node.name or node.kind}"


def _member_fault(field: Field, value: Tree, depth: int) -> str:
    if field.name not in value:
        return "" if field.default is not MISSING else f"{field.name} is missing"
    return default_fault(field.type, value[field.name], depth + 1)


def _first_fault(node: Node, values: Sequence[Value], depth: int) -> str:
    return next(filter(None, (default_fault(node, each, depth + 1) for each in values)), "")


def _is_plain(node: Node, value: Value) -> bool:
    kind = node.kind
    if kind in ("null", "boolean"):
        return value is None if kind == "null" else type(value) is bool
    if kind in ("int", "long"):
        limit = _INT if kind == "int" else _LONG
        return type(value) is int and -limit <= value < limit
    if kind in ("float", "double"):
        return type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity", "INF", "-INF")
    if kind == "enum":
        return value in node.symbols
    if not isinstance(value, str):
        return False
    if kind == "string":
        return True
    return all(ord(char) < 256 for char in value) and (kind == "bytes" or len(value) == node.size)


def _full(name: Value, space: Value, path: str) -> str:
    if not isinstance(name, str) or not isinstance(space, str):
        raise unreadable("AVRO", "a `name` is a text", f"{path}/name")
    full = name if "." in name or not space else f"{space}.{name}"
    if len(full) > 500 or not all(_NAME.fullmatch(part) for part in full.split(".")):
        raise unreadable("AVRO", f"{full[:100]!r} is no name", f"{path}/name", "letters, digits and _, dots between")
    if full in PRIMITIVES:
        raise unreadable("AVRO", f"{full} is the name of a type of Avro", f"{path}/name")
    return full


def _texts(given: Tree, key: str, path: str) -> list[str]:
    found = given.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise unreadable("AVRO", f"`{key}` is a list of texts", f"{path}/{key}")
    return found


def _decimal(said: Tree) -> tuple[str, int, int] | None:
    precision, scale = said.get("precision"), said.get("scale", 0)
    if said.get("logicalType") != "decimal" or type(precision) is not int or type(scale) is not int:
        return None  # what is no valid logical type is none: so says the specification
    return ("decimal", precision, scale) if 0 <= scale <= precision and precision > 0 else None


def _shown(value: Value) -> str:
    text = canonical(value).decode()
    return text if len(text) <= 60 else text[:59] + "…"
