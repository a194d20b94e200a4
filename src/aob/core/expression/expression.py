"""Compiles one CEL expression, which has no side effect and always ends, or reports every problem with its place."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from aob.core.expression import library
from aob.core.expression.check import Declared, Schema, Scope, Shape, check_paths, declarations, declared_of
from aob.core.expression.evaluation import METER, UNITS_MAX, Exhausted, Foreign, Meter, Run, is_bounded, translate
from aob.core.expression.evaluation.operators import kind_of
from aob.core.expression.fault import Complaint, EvalError, ExpressionError, problem_of
from aob.core.expression.library import Value
from aob.core.expression.paths import Reading, read_paths
from aob.core.expression.reserved import leading_dot
from aob.core.expression.tree import Tree, read_tree
from aob.core.expression.words import complaint_of, is_mixed_numbers, is_syntax, offset_of, without_bound

EXPRESSION_MAX: Final = 8 * 1024  # characters of one expression
EXPRESSION_CACHE_MAX: Final = 4 * 1024

Want = Literal["bool", "any"]

_NUMBERS: Final = frozenset({"int", "double", "number"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Expression:
    """A checked expression. Immutable; one object may serve any number of runs. `text`, `nodes` (ids it refers to),
    `names` (top-level names it uses), `kind` (`bool int double string list map timestamp duration bytes null dyn`: the
    known kind of its value), `tree` (its parts as parsed)."""

    __slots__ = ("_run", "_units", "_want", "kind", "names", "nodes", "text", "tree")

    def __init__(
        self, read: "_Read", *, kind: str, want: Want, names: frozenset[str], nodes: frozenset[str], units: int
    ) -> None:
        assert read.run is not None
        self.text = read.text
        self.kind = kind
        self.names = names
        self.nodes = nodes
        assert read.tree is not None
        self.tree: Tree = read.tree
        self._run = read.counting if units and read.counting is not None else read.run
        self._units = units
        self._want = want

    @property
    def counted(self) -> bool:
        """Whether the cost depends on values, so that an evaluation needs a meter."""
        return self._units > 0

    def eval(self, names: Mapping[str, Value], meter: Meter | None = None) -> Value:
        """The value for these names: `nodes` is {id: {"output": value}}, `now` a datetime or milliseconds since 1970.
        Values are plain JSON values; the result may also be a datetime, a timedelta or bytes. It may share parts of the
        given values: do not change it. Raises EvalError for a missing field, a wrong type, an overflow, and for more
        than a million operations or 1 MiB of new text, lists and maps; with a meter, for more than it has left."""
        if "now" in self.names:
            names = {**names, "now": _instant(names)}
        try:
            if self._units:
                meter = meter or Meter(self._units)
                value = self._run({**names, METER: meter})
                meter.settle(value)
            else:
                value = self._run(names)
        except Exhausted as exhausted:
            raise EvalError(str(exhausted)) from None
        except RecursionError:
            raise EvalError("the values are nested too deeply") from None
        if self._want == "bool" and type(value) is not bool:
            raise EvalError(f"this must be true or false, and it is {kind_of(value)}")
        return value

    def __repr__(self) -> str:
        return f"Expression({self.text!r}, kind={self.kind!r})"


class _Read(msgspec.Struct, frozen=True):
    """The part of a text's compilation that does not depend on its document: shared by all places."""

    text: str
    findings: tuple[library.Finding, ...]
    tree: Tree | None = None
    reading: Reading = Reading((), frozenset())
    program: library.Program | None = None
    run: Run | None = None
    counting: Run | None = None
    foreign: tuple[Complaint, ...] = ()


def compile_expression(
    text: str,
    *,
    nodes: frozenset[str],
    names: frozenset[str],
    node_types: Mapping[str, Schema] | None = None,
    input_schema: Schema | None = None,
    shapes: Mapping[str, Shape] | None = None,
    line: int = 0,
    column: int = 0,
    want: Want = "any",
    strict: bool = True,
    units_max: int = UNITS_MAX,
) -> Expression:
    """Compile a text. Raises ExpressionError with every problem found. `nodes` are the ids it may refer to, `names` the
    top-level names; `node_types` and `input_schema` are JSON Schemas of nodes' outputs and of the inputs; `shapes` are
    JSON Schemas or CEL types of other names, which are then checked strictly (an optional field needs `has`, a number
    is a double). `line` and `column` (from 1) locate the text's first character in its document; `want="bool"` refuses
    what cannot be true or false, at load and at evaluation. Without `strict` a text that an earlier release accepted is
    taken unchanged. `units_max` limits evaluations whose cost has no bound."""
    scope = Scope(nodes, names, node_types or {}, input_schema or {}, shapes or {})
    complaints, kind, read, numbers = _examine(text, scope, want, strict)
    if complaints:
        ordered = sorted(complaints.values(), key=lambda complaint: complaint.offset)
        raise ExpressionError(text, tuple(problem_of(text, each, line, column) for each in ordered))
    used = [path for path in read.reading.paths if path.root in names]
    referred = frozenset(path.fields[0] for path in used if path.root == "nodes")
    assert read.tree is not None
    bounded = read.counting is None or is_bounded(read.tree.root, numbers)
    roots = frozenset(path.root for path in used)
    return Expression(read, kind=kind, want=want, names=roots, nodes=referred, units=0 if bounded else units_max)


class _Examined(NamedTuple):
    """Every complaint by its offset (the first one there), the kind of the value, the parsed text, and the paths with
    the schema type number."""

    complaints: dict[int, Complaint]
    kind: str
    read: "_Read"
    numbers: frozenset[str] = frozenset()


def _examine(text: str, scope: Scope, want: Want, strict: bool) -> _Examined:
    if len(text) > EXPRESSION_MAX:
        too_long = Complaint(0, f"an expression has at most {EXPRESSION_MAX} characters, and this has {len(text)}")
        return _Examined({0: too_long}, "dyn", _Read("", ()))
    declared = declared_of(scope.names)
    read = _read(text, declared)
    dot = leading_dot(text) if strict and not any(map(is_syntax, read.findings)) else None
    if dot is not None:
        leading = Complaint(dot, "a leading dot is no part of expressions here", "write the name alone")
        return _Examined({dot: leading}, "dyn", read)
    if read.tree is None:
        first = complaint_of(text, read.findings[0], scope.names)
        return _Examined({first.offset: first}, "dyn", read)
    verdict = check_paths(text, read.tree, read.reading.paths, scope)
    hidden = {path.partition(".")[0] for path in verdict.types} & read.reading.bound
    kind, findings = _typed(read, () if hidden else declarations(verdict.types, declared))
    complaints: dict[int, Complaint] = {}
    for each in (
        *verdict.complaints,
        *read.foreign,
        *(complaint_of(text, finding, scope.names) for finding in findings),
    ):
        complaints.setdefault(each.offset, each)
    if kind == "type" and not complaints:
        complaints[0] = Complaint(0, "a type is not a value", "compare it, as in type(x) == int")
    if want == "bool" and not complaints and kind not in ("bool", "dyn"):
        complaints[0] = Complaint(0, f"this must be true or false, and it is {kind}", "compare it with something")
    numbers = frozenset(path for path, type in verdict.types.items() if type in _NUMBERS)
    return _Examined(complaints, kind, read, numbers)


@lru_cache(maxsize=EXPRESSION_CACHE_MAX)
def _read(text: str, declared: Declared) -> _Read:
    """Compile, or at least parse, so that the names can be checked as well."""
    try:
        text.encode()
        program = library.compile_text(text, declared)
    except UnicodeEncodeError as error:
        return _Read(text, (library.Finding(1, error.start + 1, "half a character (a lone surrogate)"),))
    except library.Rejected as rejected:
        if any(map(is_syntax, rejected.findings)):
            return _Read(text, tuple(filter(is_syntax, rejected.findings)))
        try:
            tree = read_tree(library.compile_text(text, declared, check=False).serialize())
        except library.Rejected:
            return _Read(text, rejected.findings)
        return _Read(text, without_bound(text, rejected.findings), tree, read_paths(tree.root))
    tree = read_tree(program.serialize())
    reading = read_paths(tree.root)
    try:
        run = translate(tree.root, counts=False)
        counting = None if is_bounded(tree.root, frozenset()) else translate(tree.root, counts=True)
        return _Read(text, (), tree, reading, program, run, counting)
    except Foreign as foreign:
        complaint = Complaint(tree.offsets().get(foreign.id, 0), foreign.message)
        return _Read(text, (), tree, reading, program, foreign=(complaint,))


@lru_cache(maxsize=EXPRESSION_CACHE_MAX)
def _check(text: str, declared: Declared) -> tuple[str, tuple[library.Finding, ...] | None]:
    """The kind of a text under a declaration and None; or its problems, mixed numbers in comparisons ignored."""
    try:
        return _kind(library.compile_text(text, declared)), None
    except library.Rejected as rejected:
        return "dyn", tuple(each for each in without_bound(text, rejected.findings) if not is_mixed_numbers(each))


def _typed(read: _Read, declared: tuple[Declared, ...]) -> tuple[str, tuple[library.Finding, ...]]:
    """The kind of the value and its problems: under each declaration, because a number may be an int or a double."""
    untyped = "dyn" if read.program is None else _kind(read.program)
    if not declared:
        return untyped, read.findings
    checks = [_check(read.text, each) for each in declared]
    kinds = {kind for kind, wrong in checks if wrong is None}
    if len(kinds) == 1 and all(wrong is None for _, wrong in checks):
        return kinds.pop(), read.findings
    if kinds:
        return untyped, read.findings
    everywhere = set.intersection(*({offset_of(read.text, each) for each in wrong or ()} for _, wrong in checks))
    common = tuple(each for each in checks[0][1] or () if offset_of(read.text, each) in everywhere)
    return untyped, (*read.findings, *common)


def _kind(program: library.Program) -> str:
    """`LIST<DYN>` is a list: its items are unknown."""
    name: str = program.return_type().name()
    return name.partition("<")[0].lower()


def _instant(names: Mapping[str, Value]) -> Value:
    """`now` as a datetime with a zone, from one or from milliseconds."""
    value = names.get("now")
    if type(value) is int:
        return _EPOCH + timedelta(milliseconds=value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    raise EvalError(f"now is {kind_of(value)}, not a time")
