"""Finds the paths that an expression reads. A name bound by a macro hides the top-level name within it."""

from collections.abc import Iterator

import msgspec

from aob.core.expression.tree import Call, Constant, Expr, Fold, Name, Select, children


class Step(msgspec.Struct, frozen=True):
    """One field of a path: its name, the id of its node in the tree, and whether it is a valid name after a dot."""

    field: str
    id: int
    dotted: bool


class Path(msgspec.Struct, frozen=True):
    """`root.step.step`; `tested` when it is inside `has(...)`, so that its last field may be missing."""

    root: str
    id: int
    steps: tuple[Step, ...] = ()
    tested: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(step.field for step in self.steps)


class Reading(msgspec.Struct, frozen=True):
    """All paths of an expression in text order, and the names that its macros bind."""

    paths: tuple[Path, ...]
    bound: frozenset[str]


def chain_of(expr: Expr) -> Path | None:
    """The path of this node, or None: fields with a dot, or with a text literal in brackets."""
    match expr:
        case Name():
            return Path(expr.name, expr.id)
        case Select():
            base, step, tested = chain_of(expr.operand), Step(expr.field, expr.id, expr.field.isidentifier()), expr.test
        case Call(function="_[_]", args=(operand, Constant(value=str() as field))):
            base, step, tested = chain_of(operand), Step(field, expr.id, False), False
        case _:
            return None
    return Path(base.root, base.id, (*base.steps, step), tested) if base else None


def _walk(expr: Expr, bound: frozenset[str]) -> Iterator[Path]:
    path = chain_of(expr)
    if path is not None:
        if path.root not in bound:
            yield path
        return
    if isinstance(expr, Fold):
        inside = bound | {expr.item, expr.second, expr.total}
        yield from _walk(expr.source, bound)
        for part in (expr.first, expr.condition, expr.step, expr.result):
            yield from _walk(part, inside)
        return
    for part in children(expr):
        yield from _walk(part, bound)


def _bound(expr: Expr) -> Iterator[str]:
    if isinstance(expr, Fold):
        yield from (expr.item, expr.second, expr.total)
    for part in children(expr):
        yield from _bound(part)


def read_paths(root: Expr) -> Reading:
    """Every path that an expression reads."""
    return Reading(tuple(_walk(root, frozenset())), frozenset(_bound(root)))
