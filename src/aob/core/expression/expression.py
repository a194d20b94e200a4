"""One CEL expression: text and what it may use in, a checked `Expression` out, or every problem with its place.

An expression has no side effect, reads only the names it is given, and always ends.
"""

from collections.abc import Mapping
from typing import Literal

from aob.core.expression import library
from aob.core.expression.fault import ExpressionError, Place, problem_at
from aob.core.expression.tree import Call, Constant, Expr, Name, Select, children, read_tree

Want = Literal["bool", "any"]


class Expression:
    """A checked expression. Immutable; one object may serve any number of runs."""

    __slots__ = ("_program", "kind", "names", "nodes", "text")

    def __init__(
        self, text: str, program: library.Program, kind: str, names: frozenset[str], nodes: frozenset[str]
    ) -> None:
        self.text = text
        self.kind = kind
        self.names = names
        self.nodes = nodes
        self._program = program

    def eval(self, names: Mapping[str, library.Value]) -> library.Value:
        """The value for these names (`nodes` is {id: {"output": value}}). Raises EvalError."""
        return library.evaluate(self._program, names)

    def __repr__(self) -> str:
        return f"Expression({self.text!r}, kind={self.kind!r})"


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return sum(len(part) + 1 for part in lines[: max(line - 1, 0)]) + max(column - 1, 0)


def compile_expression(
    text: str,
    *,
    nodes: frozenset[str],
    names: frozenset[str],
    node_types: Mapping[str, library.Value] | None = None,
    input_schema: Mapping[str, library.Value] | None = None,
    line: int = 0,
    column: int = 0,
    want: Want = "any",
) -> Expression:
    """Check a text once and make it ready to run. Raises ExpressionError with every problem found."""
    place = Place(line, column)
    declared = {name: "timestamp" if name == "now" else "dyn" for name in names | library.NAMES}
    try:
        program = library.compile_text(text, declared)
    except library.Rejected as rejected:
        problems = tuple(
            problem_at(text, _offset(text, found.line, found.column), found.message, place=place)
            for found in rejected.findings
        )
        raise ExpressionError(text, problems) from None
    tree = read_tree(program.serialize())
    used, referred = _references(tree.root)
    problems = tuple(
        problem_at(text, 0, f"there is no node {ident!r} here", place=place) for ident in sorted(referred - nodes)
    ) + tuple(problem_at(text, 0, f"{name} is not available here", place=place) for name in sorted(used - names))
    kind = program.return_type().name().lower()
    if want == "bool" and kind not in ("bool", "dyn"):
        problems += (problem_at(text, 0, f"this must be true or false, and it is {kind}", place=place),)
    if problems:
        raise ExpressionError(text, problems)
    return Expression(text, program, kind, used & names, referred)


def _references(root: Expr) -> tuple[frozenset[str], frozenset[str]]:
    names: set[str] = set()
    nodes: set[str] = set()
    stack: list[Expr] = [root]
    while stack:
        expr = stack.pop()
        match expr:
            case Name() if not expr.name.startswith("@"):
                names.add(expr.name)
            case Select(operand=Name(name="nodes")):
                nodes.add(expr.field)
            case Call(function="_[_]", args=(Name(name="nodes"), Constant(value=str() as ident))):
                nodes.add(ident)
        stack.extend(children(expr))
    return frozenset(names), frozenset(nodes)
