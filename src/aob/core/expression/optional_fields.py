"""Finds optional fields that an expression reads before a `has` on the way from left to right: `has(a.b) && a.b > 1`,
`!has(a.b) || a.b > 1` and `has(a.b) ? a.b : 0` are safe."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from aob.core.expression.paths import Path, chain_of
from aob.core.expression.tree import Call, Expr, Fold, Select, children

Place = tuple[str, ...]  # a root and its fields


class _Facts(NamedTuple):
    """The fields present when a condition is true, and when it is false."""

    true: frozenset[Place] = frozenset()
    false: frozenset[Place] = frozenset()


def unguarded(root: Expr, optional: Callable[[Path], Sequence[int]]) -> Iterator[tuple[Path, int]]:
    """Each path that may fail, with the index of its first step that may be missing there."""
    yield from _Walk(optional).walk(root, frozenset(), frozenset())


class _Walk:
    def __init__(self, optional: Callable[[Path], Sequence[int]]) -> None:
        self._optional = optional

    def walk(self, expr: Expr, there: frozenset[Place], bound: frozenset[str]) -> Iterator[tuple[Path, int]]:
        path = chain_of(expr)
        if path is not None:
            if path.root not in bound:
                yield from self._path(path, there)
            return
        match expr:
            case Call(function="_&&_", args=(left, right)):
                yield from self.walk(left, there, bound)
                yield from self.walk(right, there | facts_of(left).true, bound)
            case Call(function="_||_", args=(left, right)):
                yield from self.walk(left, there, bound)
                yield from self.walk(right, there | facts_of(left).false, bound)
            case Call(function="_?_:_", args=(condition, then, otherwise)):
                facts = facts_of(condition)
                yield from self.walk(condition, there, bound)
                yield from self.walk(then, there | facts.true, bound)
                yield from self.walk(otherwise, there | facts.false, bound)
            case Fold():
                inside = bound | {expr.item, expr.second, expr.total}
                yield from self.walk(expr.source, there, bound)
                for part in (expr.first, expr.condition, expr.step, expr.result):
                    yield from self.walk(part, there, inside)
            case _:
                for part in children(expr):
                    yield from self.walk(part, there, bound)

    def _path(self, path: Path, there: frozenset[Place]) -> Iterator[tuple[Path, int]]:
        last = len(path.steps) - 1
        for at in self._optional(path):
            if (path.root, *path.fields[: at + 1]) not in there and not (path.tested and at == last):
                yield path, at
                return


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
