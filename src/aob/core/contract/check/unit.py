"""Infers units through an expression: EUR plus USD is a clash, EUR times 2 is EUR. A value without unit that is no
plain number is unknown, and never clashes."""

from collections.abc import Callable, Generator, Mapping
from typing import Final, NamedTuple

from aob.core.contract.check.visible_names import remark
from aob.core.errors import Problem
from aob.core.expression import Expression
from aob.core.expression.paths import Path, chain_of
from aob.core.expression.tree import Call, Constant, Expr, children

PLAIN: Final = ""  # The unit of a plain number: a constant, a count, EUR divided by EUR.
_SUMS: Final[Mapping[str, str]] = {"_+_": "plus", "_-_": "minus"}
_RELATIONS: Final = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
_SAME: Final = frozenset({"double", "int", "uint", "-_", "math.abs", "math.round", "math.floor", "math.ceil"})

Unit = str | None  # A name, PLAIN, or None for unknown.


class Clash(NamedTuple):
    """Two incompatible units, and the id of the node that combines them."""

    id: int
    message: str


class Units:
    """One expression: `unit` of the whole, and its `clashes`."""

    def __init__(self, root: Expr, unit_of: Callable[[Path], Unit]) -> None:
        self.clashes: list[Clash] = []
        self._unit_of = unit_of
        self.unit = self._of(root)

    def _of(self, expr: Expr) -> Unit:
        path = chain_of(expr)
        if path is not None:
            return None if path.tested else self._unit_of(path)
        match expr:
            case Constant(value=int() | float() as value) if not isinstance(value, bool):
                return PLAIN
            case Call(function=function, args=(left, right)) if function in _SUMS:
                return self._meet(expr.id, self._of(left), self._of(right), _SUMS[function])
            case Call(function=function, args=(left, right)) if function in _RELATIONS:
                self._meet(expr.id, self._of(left), self._of(right), "compared with")
                return None
            case Call(function="_*_", args=(left, right)):
                one, other = self._of(left), self._of(right)
                return other if one == PLAIN else one if other == PLAIN else None
            case Call(function="_/_", args=(left, right)):
                one, other = self._of(left), self._of(right)
                return one if other == PLAIN else PLAIN if one and one == other else None
            case Call(function="_?_:_", args=(condition, then, otherwise)):
                self._of(condition)
                return self._meet(expr.id, self._of(then), self._of(otherwise), "or")
            case Call(function=function, args=(inner,)) if function in _SAME:
                return self._of(inner)
            case _:
                for part in children(expr):
                    self._of(part)
                return None

    def _meet(self, id: int, left: Unit, right: Unit, word: str) -> Unit:
        if left and right and left != right:
            self.clashes.append(Clash(id, f"{left} {word} {right}"))
            return None
        if left and right is not None:
            return left
        return right if left is not None else None


def unit_problems(expression: Expression, path: str, unit_of: Callable[[Path], Unit]) -> Generator[Problem, None, Unit]:
    """Incompatible units in an expression. Returns the unit of the whole."""
    found = Units(expression.tree.root, unit_of)
    offsets = expression.tree.offsets() if found.clashes else {}
    for clash in found.clashes:
        yield remark(expression.text, path, clash.message, "units must be the same", offsets.get(clash.id, 0))
    return found.unit


def pinned(when: Expr | None) -> dict[str, str]:
    """Paths that a condition fixes to one text: `data.currency == 'EUR' && …`."""
    match when:
        case Call(function="_&&_", args=(left, right)):
            return {**pinned(left), **pinned(right)}
        case (
            Call(function="_==_", args=(Constant(value=str() as text), other))
            | Call(function="_==_", args=(other, Constant(value=str() as text)))
        ):
            path = chain_of(other)
            return {".".join((path.root, *path.fields)): text} if path is not None else {}
        case _:
            return {}
