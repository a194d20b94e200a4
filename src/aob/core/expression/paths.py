"""Finds the paths that an expression reads, and optional fields that it reads before a `has`. A name bound by a macro
hides the top-level name within it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

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


Place = tuple[str, ...]  # a root and its fields


class _Facts(NamedTuple):
    """The fields present when a condition is true, and when it is false."""

    true: frozenset[Place] = frozenset()
    false: frozenset[Place] = frozenset()


def _walk(expr: Expr, there: frozenset[Place], bound: frozenset[str]) -> Iterator[tuple[Path, frozenset[Place]]]:
    """Each path in text order, with the fields that are known to be present there: `has(a.b) && a.b > 1`,
    `!has(a.b) || a.b > 1` and `has(a.b) ? a.b : 0` are safe."""
    path = chain_of(expr)
    if path is not None:
        if path.root not in bound:
            yield path, there
        return
    match expr:
        case Call(function="_&&_" | "_||_" as function, args=(left, right)):
            facts = facts_of(left)
            yield from _walk(left, there, bound)
            yield from _walk(right, there | (facts.true if function == "_&&_" else facts.false), bound)
        case Call(function="_?_:_", args=(condition, then, otherwise)):
            facts = facts_of(condition)
            yield from _walk(condition, there, bound)
            yield from _walk(then, there | facts.true, bound)
            yield from _walk(otherwise, there | facts.false, bound)
        case Fold():
            inside = bound | {expr.item, expr.second, expr.total}
            yield from _walk(expr.source, there, bound)
            for part in (expr.first, expr.condition, expr.step, expr.result):
                yield from _walk(part, there, inside)
        case _:
            for part in children(expr):
                yield from _walk(part, there, bound)


def _bound(expr: Expr) -> Iterator[str]:
    if isinstance(expr, Fold):
        yield from (expr.item, expr.second, expr.total)
    for part in children(expr):
        yield from _bound(part)


def read_paths(root: Expr) -> Reading:
    """Every path that an expression reads."""
    paths = tuple(path for path, _ in _walk(root, frozenset(), frozenset()))
    return Reading(paths, frozenset(_bound(root)))


def unguarded(root: Expr, optional: Callable[[Path], Sequence[int]]) -> Iterator[tuple[Path, int]]:
    """Each path that may fail, with the index of its first step (of the `optional` ones) that may be missing there: no
    `has` is on the way from left to right."""
    for path, there in _walk(root, frozenset(), frozenset()):
        last = len(path.steps) - 1
        for at in optional(path):
            if (path.root, *path.fields[: at + 1]) not in there and not (path.tested and at == last):
                yield path, at
                break


def facts_of(expr: Expr) -> _Facts:
    """The fields whose presence a condition implies."""
    match expr:
        case Select(test=True):
            path = chain_of(expr)
            return _Facts(frozenset({(path.root, *path.fields)}) if path is not None else frozenset())
        case Call(function="_&&_", args=(left, right)):
            first, second = facts_of(left), facts_of(right)
            return _Facts(first.true | second.true, first.false & second.false)
        case Call(function="_||_", args=(left, right)):
            first, second = facts_of(left), facts_of(right)
            return _Facts(first.true & second.true, first.false | second.false)
        case Call(function="!_", args=(inner,)):
            facts = facts_of(inner)
            return _Facts(facts.false, facts.true)
        case _:
            return _Facts()
