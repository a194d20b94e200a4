"""Compiles the common part of CEL into the source of one Python function over an event: only what cannot fail, with
types that the schema guarantees, where Python and CEL agree. Everything else raises `NotInline`."""

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import UNSET

from aob.core.expression.library import Value
from aob.core.expression.paths import Path, chain_of, facts_of
from aob.core.expression.tree import Call, Constant, Expr, Items
from aob.core.ingest.envelope import Form
from aob.core.ingest.shape import INT_MAX, INT_MIN, INT_SAFE, Field

SIZE_MAX: Final = 2**31
ENVELOPE: Final = frozenset(("id", "source", "subject"))
Place = tuple[str, ...]


class NotInline(Exception):  # noqa: N818  # a way out of the recursion, never seen outside
    """This expression may fail, or its types are not known."""


class Code(NamedTuple):
    """Source text, its CEL kind, and for an int its bounds."""

    text: str
    kind: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def safe(self) -> bool:
        """Whether a double represents each of its values exactly."""
        return self.kind == "int" and self.low > -INT_SAFE and self.high < INT_SAFE


def function_of(text: str) -> Callable[[Value], Value]:
    """The function of an event `e` that returns this source text; only this module writes such text."""
    known = {"__builtins__": {"len": len, "float": float}, "UNSET": UNSET}
    made: Callable[[Value], Value] = eval(f"lambda e: {text}", known)  # noqa: S307  # attributes and literals only
    return made


class Writer:
    """Writes the source of trees for events of a form. `kinds` are those of enrichments."""

    def __init__(self, form: Form, kinds: Mapping[str, str]) -> None:
        self._form, self._kinds = form, kinds

    def write(self, expr: Expr, there: frozenset[Place] = frozenset()) -> Code:
        """The source of a tree; `there` are paths known to exist. Raises NotInline."""
        path = chain_of(expr)
        if path is not None:
            return self.path(path, there)
        if isinstance(expr, Constant):
            return _constant(expr)
        if isinstance(expr, Call):
            return self._call(expr, there)
        raise NotInline

    def path(self, path: Path, there: frozenset[Place] = frozenset(), *, optional: bool = False) -> Code:
        """The source of a path; with `optional` its last field may be missing and is then UNSET. Raises NotInline."""
        if path.root in ENVELOPE and not path.steps:
            return Code(f"e.{path.root}", "string")
        if path.root == "enriched" and len(path.steps) == 1 and path.fields[0] in self._kinds and not path.tested:
            return Code(f"e.enriched.{path.fields[0]}", self._kinds[path.fields[0]])
        if path.root != "data" or not path.steps:
            raise NotInline
        return self._field(path, there, optional)

    def _field(self, path: Path, there: frozenset[Place], optional: bool) -> Code:
        fields, text, last = self._form.shape.fields, "e.data", len(path.steps) - 1
        field: Field | None = None
        for at, name in enumerate(path.fields):
            if fields is None or name not in fields:
                raise NotInline
            field = fields[name]
            text, fields = f"{text}.{field.attribute}", field.fields
            if at == last and path.tested:
                return Code("True" if field.required else f"({text} is not UNSET)", "bool")
            if field.required or ("data", *path.fields[: at + 1]) in there or (at == last and optional):
                continue
            raise NotInline
        assert field is not None
        return Code(text, field.kind, field.low, field.high)

    def _call(self, expr: Call, there: frozenset[Place]) -> Code:
        name = expr.function
        if name in ("_&&_", "_||_"):
            return self._both(expr, there)
        if name == "_?_:_":
            return self._choice(expr, there)
        if name == "@in":
            return self._within(expr, there)
        args = [self.write(each, there) for each in ((expr.target,) if expr.target else ()) + expr.args]
        if name in _ORDER and len(args) == 2:
            return _compared(_ORDER[name], _ORDERED, *args)
        if name in ("_==_", "_!=_"):
            return _compared("==" if name == "_==_" else "!=", (*_ORDERED, "bool"), *args)
        if name in ("_+_", "_-_", "_*_"):
            return _arithmetic(name[1], *args)
        if name in _TEXT and len(args) == 2 and args[0].kind == args[1].kind == "string":
            return Code(_TEXT[name].format(args[0].text, args[1].text), "bool")
        return _simple(name, args, expr)

    def _both(self, expr: Call, there: frozenset[Place]) -> Code:
        left, facts = self.write(expr.args[0], there), facts_of(expr.args[0])
        conjunction = expr.function == "_&&_"
        right = self.write(expr.args[1], there | (facts.true if conjunction else facts.false))
        if left.kind != "bool" or right.kind != "bool":
            raise NotInline
        return Code(f"({left.text} {'and' if conjunction else 'or'} {right.text})", "bool")

    def _choice(self, expr: Call, there: frozenset[Place]) -> Code:
        facts = facts_of(expr.args[0])
        condition = self.write(expr.args[0], there)
        then, other = self.write(expr.args[1], there | facts.true), self.write(expr.args[2], there | facts.false)
        if condition.kind != "bool" or then.kind != other.kind or then.kind == "dyn":
            raise NotInline
        low, high = min(then.low, other.low), max(then.high, other.high)
        return Code(f"({then.text} if {condition.text} else {other.text})", then.kind, low, high)

    def _within(self, expr: Call, there: frozenset[Place]) -> Code:
        item, listed = self.write(expr.args[0], there), expr.args[1]
        if item.kind != "string" or not isinstance(listed, Items) or listed.optional:
            raise NotInline
        values = [each.value if isinstance(each, Constant) else None for each in listed.items]
        if not values or not all(type(value) is str for value in values):
            raise NotInline
        return Code(f"({item.text} in {tuple(values)!r})", "bool")


_ORDER: Final = {"_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
_ORDERED: Final = ("int", "double", "string")
_TEXT: Final = {"startsWith": "{}.startswith({})", "endsWith": "{}.endswith({})", "contains": "({1} in {0})"}


def _constant(expr: Constant) -> Code:
    value = expr.value
    if type(value) is bool:
        return Code(repr(value), "bool")
    if type(value) is int and not expr.unsigned:
        return Code(f"({value!r})", "int", value, value)
    if type(value) is float and math.isfinite(value):
        return Code(f"({value!r})", "double")
    if type(value) is str:
        return Code(repr(value), "string")
    raise NotInline


def _compared(operator: str, kinds: tuple[str, ...], left: Code, right: Code) -> Code:
    same = left.kind == right.kind and left.kind in kinds
    mixed = {left.kind, right.kind} == {"int", "double"} and (left.safe or right.safe)
    if not (same or mixed):
        raise NotInline
    return Code(f"({left.text} {operator} {right.text})", "bool")


def _arithmetic(operator: str, left: Code, right: Code) -> Code:
    text = f"({left.text} {operator} {right.text})"
    if left.kind == right.kind == "double" or (left.kind == right.kind == "string" and operator == "+"):
        return Code(text, left.kind)
    if not (left.kind == right.kind == "int" and all(map(math.isfinite, (*left[2:], *right[2:])))):
        raise NotInline
    pairs = [(int(a), int(b)) for a in left[2:] for b in right[2:]]
    ends = [a + b if operator == "+" else a - b if operator == "-" else a * b for a, b in pairs]
    if min(ends) < INT_MIN or max(ends) > INT_MAX:
        raise NotInline
    return Code(text, "int", min(ends), max(ends))


def _simple(name: str, args: list[Code], expr: Call) -> Code:
    kinds = [each.kind for each in args]
    if name == "!_" and kinds == ["bool"]:
        return Code(f"(not {args[0].text})", "bool")
    if name == "-_" and kinds == ["double"]:
        return Code(f"(-{args[0].text})", "double")
    if name == "size" and kinds == ["string"]:
        return Code(f"len({args[0].text})", "int", 0, SIZE_MAX)
    if name == "double" and (kinds == ["double"] or args[0].safe):
        return Code(f"float({args[0].text})", "double")
    if name == "_/_" and kinds == ["double", "double"]:
        divisor = expr.args[1]
        if isinstance(divisor, Constant) and divisor.value:
            return Code(f"({args[0].text} / {args[1].text})", "double")
    raise NotInline
