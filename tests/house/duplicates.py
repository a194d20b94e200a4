"""Near-duplicate functions of the package: pairs whose statements have the same shape, or nearly, once names and
constants are taken out. `python -m tests.house.duplicates` lists them; the ratchet holds their number.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache
from typing import Final, NamedTuple

from tests.house.tree import modules, parsed

STATEMENTS_MIN: Final = 6
"""Shorter functions are alike by nature."""
LIKENESS_MIN: Final = 0.85
"""From here on two functions are near-duplicates: 85 in 100 of their nodes stand in the same order."""

LEFT_OUT: Final = {"annotation", "returns", "decorator_list", "type_params", "ctx", "type_comment"}

BITS: Final[dict[tuple[str, int], int]] = {}
"""The bit of the n-th node of a kind in a function."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Shape(NamedTuple):
    """A function as the comparison sees it."""

    name: str
    nodes: list[str]
    counted: int
    """A bit for the first `Name`, one for the second, and so on: what two functions have in common is an `and`."""

    def within(self, other: "Shape") -> bool:
        """Whether this function is written inside another: the two are then one text."""
        return self.name.startswith(f"{other.name}.")


class Pair(NamedTuple):
    """Two functions that are alike, and how much: 1 is the same shape."""

    one: str
    other: str
    likeness: float


def statements(function: Function) -> int:
    """The statements of a function, inner ones counted, its docstring and itself not."""
    count = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    return count - (ast.get_docstring(function) is not None)


def add_nodes(node: ast.AST, found: list[str]) -> None:
    """Append the kinds of the nodes below one, in the order of the text: no names, no constants, no annotations;
    `async` is as without."""
    for name in node._fields:
        value = getattr(node, name, None)
        if value is None or name in LEFT_OUT:
            continue
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST):
                if not isinstance(child, ast.Await | ast.expr_context):
                    found.append(type(child).__name__.removeprefix("Async"))
                add_nodes(child, found)


def counted(kinds: list[str]) -> int:
    """The bits of a list of kinds of nodes."""
    whole, seen = 0, Counter[str]()
    for kind in kinds:
        whole |= 1 << BITS.setdefault((kind, seen[kind]), len(BITS))
        seen[kind] += 1
    return whole


def functions(name: str, tree: ast.AST) -> Iterator[tuple[str, Function]]:
    """Every function below a node, by its dotted name."""
    for node in ast.iter_child_nodes(tree):
        inner = f"{name}.{node.name}" if isinstance(node, Function | ast.ClassDef) else name
        if isinstance(node, Function):
            yield inner, node
        if not isinstance(node, ast.expr):
            yield from functions(inner, node)


@cache
def shapes() -> tuple[Shape, ...]:
    """Every function that is long enough to be compared, by the length of its shape."""
    found = []
    for module, path in modules().items():
        for name, node in functions(module, parsed(path)):
            if statements(node) >= STATEMENTS_MIN:
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                kinds: list[str] = []
                add_nodes(ast.Module(body=body, type_ignores=[]), kinds)
                found.append(Shape(name, kinds, counted(kinds)))
    return tuple(sorted(found, key=lambda shape: len(shape.nodes)))


def likeness(one: Shape, other: Shape) -> float:
    """How much of two functions is the same, from 0 to 1; the cheap upper bound first."""
    if 2 * (one.counted & other.counted).bit_count() < LIKENESS_MIN * (len(one.nodes) + len(other.nodes)):
        return 0
    return SequenceMatcher(None, one.nodes, other.nodes, autojunk=False).ratio()


def near_duplicates() -> Iterator[Pair]:
    """Every pair of functions that are alike."""
    found = shapes()
    for index, one in enumerate(found):
        for other in found[index + 1 :]:
            if 2 * len(one.nodes) < LIKENESS_MIN * (len(one.nodes) + len(other.nodes)):
                break
            if not one.within(other) and (ratio := likeness(one, other)) >= LIKENESS_MIN:
                yield Pair(one.name, other.name, ratio)


def main() -> None:
    """List the pairs, the most alike first, and the number of functions in them."""
    pairs = sorted(near_duplicates(), key=lambda pair: (-pair.likeness, pair.one))
    for one, other, ratio in pairs:
        print(f"{ratio:.2f} {one} ~ {other}")
    functions = {name for pair in pairs for name in pair[:2]}
    print(f"{len(functions)} functions in {len(pairs)} pairs, of {len(shapes())} that are long enough")


if __name__ == "__main__":
    main()
