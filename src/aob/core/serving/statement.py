"""Parses a user's SQL and writes it anew as one safe statement, or raises Invalid. Every node and function must be on
the allow list, every table a view of the tenant. Calls whose work has no bound are refused, because DuckDB stops a
statement between rows, never inside a function: sizes of produced texts and lists must be small literals. The result is
checked again, so that parser and writer agree."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from aob.core.errors import Invalid, Problem
from aob.core.hint import nearest
from aob.core.serving.allowed import FUNCTIONS, NODES, RELATIONS

if TYPE_CHECKING:
    from sqlglot.expressions import Expr, Table

SQL_CHARS_MAX: Final = 20_000  # characters of one statement
SQL_NODES_MAX: Final = 5_000  # nodes of one statement
SQL_DEPTH_MAX: Final = 250  # maximum nesting of nodes

SIZE_MAX: Final = 100_000  # characters or items that one call may produce
LAMBDAS_DEEP_MAX: Final = 3  # maximum nesting of functions that take a lambda

_SIZES: Final[Mapping[str, int]] = {
    "repeat": 1, "lpad": 1, "rpad": 1, "bar": 3, "list_resize": 1, "array_resize": 1, "equi_width_bins": 2,
    "approx_top_k": 1, "reservoir_quantile": 2,
}  # fmt: skip
"""Functions whose result size is an argument, and its index."""
_SERIES: Final = frozenset({"range", "generate_series"})
_SHAPED: Final = frozenset({"format", "printf"})
_WIDE: Final = re.compile(r"\d{4,}|\*|\{[^{}]*\{")
_LOOPS: Final = frozenset(
    {
        "list_transform", "array_transform", "list_apply", "array_apply", "apply", "list_filter", "array_filter",
        "filter", "list_reduce", "array_reduce", "reduce", "comprehension",
    }
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_CALL: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\(")
_SYSTEM: Final = ("duckdb_", "pg_", "pragma_", "sqlite_", "information_schema")
_VIEWS: Final = "only SELECT over the views of GET /v1/catalog"


class Guarded(msgspec.Struct, frozen=True):
    """A checked statement: its rewritten text and the views that it reads."""

    sql: str
    views: frozenset[str]


class Bounds:
    """Checks the calls of one statement, outer calls first."""

    def __init__(self) -> None:
        self._loops: dict[int, int] = {}

    def check(self, name: str, node: "Expr") -> None:
        """Raises Invalid `sql_refused`. `name` is in lower case."""
        from sqlglot import exp

        if name in _LOOPS:
            self._nest(node)
        elif name in _SIZES:
            arguments = _arguments(node)
            if len(arguments) > _SIZES[name]:
                size = _number(arguments[_SIZES[name]])
                if size is None or size > SIZE_MAX:
                    raise refused(f"{name} makes what cannot be broken off", f"write its size out, up to {SIZE_MAX}")
        elif name in _SHAPED:
            first = next(iter(_arguments(node)), None)
            if not isinstance(first, exp.Literal) or not first.is_string or _WIDE.search(first.name):
                raise refused(f"{name} may make a text of any width", "write its form out, with widths below 1,000")
        elif name in _SERIES and not isinstance(node.parent, exp.Table):
            numbers = [_number(each) for each in _arguments(node)]
            if not _short(numbers):
                why = f"{name} as a value makes a list that cannot be broken off"
                raise refused(why, f"write its ends out, for up to {SIZE_MAX} items, or ask FROM {name}(…)")

    def _nest(self, node: "Expr") -> None:
        above, deep = node.parent, 1
        while above is not None:
            if id(above) in self._loops:
                deep += self._loops[id(above)]
                break
            above = above.parent
        self._loops[id(node)] = deep
        if deep > LAMBDAS_DEEP_MAX:
            raise refused("lambdas are nested too deeply", f"at most {LAMBDAS_DEEP_MAX} deep; take it apart")


def _arguments(node: "Expr") -> list["Expr"]:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    given: list[Expr] = []
    for value in node.args.values():
        given += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, exp.Expression)]
    return given


def _number(node: "Expr") -> int | None:
    from sqlglot import exp

    sign = 1
    while isinstance(node, exp.Neg | exp.Paren):
        sign, node = -sign if isinstance(node, exp.Neg) else sign, node.this
    if isinstance(node, exp.Literal) and not node.is_string and re.fullmatch(r"\d{1,18}", node.name):
        return sign * int(node.name)
    return None


def _short(numbers: list[int | None]) -> bool:
    if not numbers or len(numbers) > 3:
        return False
    start = numbers[0] if len(numbers) > 1 else 0
    end = numbers[1] if len(numbers) > 1 else numbers[0]
    step = numbers[2] if len(numbers) == 3 else 1
    if start is None or end is None or step is None:
        return False
    return step != 0 and (end - start) // step <= SIZE_MAX


def refused(what: str, hint: str) -> Invalid:
    """The error of a statement that is not allowed."""
    problem = Problem("/sql", what, code="sql_refused", hint=hint)
    return Invalid("this SQL is not allowed", [problem], code="sql_refused", hint=hint)


def guard(sql: str, views: frozenset[str]) -> Guarded:
    """Check a statement against the views (lower case) that it may read. Raises Invalid `sql_wrong` when it cannot be
    parsed, `sql_refused` when it is not allowed."""
    first = _read(sql, views)
    again = _read(first.sql, views)
    if again.views != first.views:
        raise refused("the statement reads differently the second time", "write it more plainly")
    return again


def _read(sql: str, views: frozenset[str]) -> Guarded:
    if len(sql) > SQL_CHARS_MAX:
        raise refused(f"the statement has {len(sql)} characters", f"at most {SQL_CHARS_MAX} are read")
    if any(ord(char) < 32 and char not in "\t\r\n" for char in sql):
        raise refused("the statement holds a control character", "leave it out")
    tree = _parsed(sql)
    seen: set[str] = set()
    bounds = Bounds()
    for count, (node, depth) in enumerate(_walk(tree)):
        if count >= SQL_NODES_MAX or depth > SQL_DEPTH_MAX:
            raise refused("the statement is too large", f"at most {SQL_NODES_MAX} parts, nested {SQL_DEPTH_MAX} deep")
        _check(node, views, seen, bounds)
    try:
        return Guarded(tree.sql(dialect="duckdb", identify=True, comments=False), frozenset(seen))
    except RecursionError:
        raise refused("the statement is nested too deeply", "take it apart with WITH") from None


def _parsed(sql: str) -> "Expr":
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except SqlglotError as error:
        raise _wrong(error) from None
    except (RecursionError, ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
        # The parser is a library that gets hostile text: any error of it means that the text is not a statement.
        raise refused(f"the statement cannot be read ({type(error).__name__})", "write it more plainly") from None
    if len(trees) != 1:
        raise refused(f"there are {len(trees)} statements", "send exactly one SELECT")
    tree = trees[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise refused(f"{_kind(tree)} is not allowed", _VIEWS)
    return tree


def _walk(tree: "Expr") -> Iterator[tuple["Expr", int]]:
    """Every node with its depth; iterative, because hostile nesting would exhaust recursion."""
    todo: list[tuple[Expr, int]] = [(tree, 0)]
    while todo:
        node, depth = todo.pop()
        yield node, depth
        todo.extend((child, depth + 1) for child in node.iter_expressions())


def _check(node: "Expr", views: frozenset[str], seen: set[str], bounds: Bounds) -> None:
    from sqlglot import exp

    kind = type(node).__name__
    if isinstance(node, exp.Table):
        _check_table(node, views, seen)
    elif isinstance(node, exp.CTE):
        name = node.alias.lower()
        if not _NAME.match(name) or name.startswith(_SYSTEM):
            raise refused(f"a part of WITH may not be called {node.alias!r}", "use a plain name")
    elif isinstance(node, exp.Anonymous):
        _check_function(node.name, node, bounds)
    elif isinstance(node, exp.Comprehension):
        bounds.check("comprehension", node)
    elif isinstance(node, exp.Var):
        if not re.fullmatch(r"[A-Za-z0-9_ ]{1,40}", node.name):
            raise refused(f"{node.name[:40]!r} is not allowed here", _VIEWS)
    elif isinstance(node, exp.DataType):
        if node.this == exp.DataType.Type.USERDEFINED:
            raise refused("types of your own are not allowed", "use a type that SQL has")
    elif isinstance(node, exp.Column) and (node.args.get("catalog") or node.args.get("db")):
        pass  # `data.customer.name` looks like one; the tables it may come from are checked anyway
    elif kind not in NODES:
        if not isinstance(node, exp.Func):
            raise refused(f"{_kind(node)} is not allowed", _VIEWS)
        written = _CALL.match(_text(node))
        _check_function(written.group(1) if written else kind, node, bounds)


def _check_function(name: str, node: "Expr", bounds: Bounds) -> None:
    if name.lower() not in FUNCTIONS:
        raise refused(f"the function {name.lower()[:60]!r} is not allowed", "the docs list the functions that are")
    bounds.check(name.lower(), node)


def _check_table(table: "Table", views: frozenset[str], seen: set[str]) -> None:
    from sqlglot import exp

    if any(table.args.get(key) for key in ("version", "when", "pivots", "changes", "rows_from", "partition")):
        raise refused("a table may be named, joined and given an alias, nothing else", _VIEWS)
    if not isinstance(table.this, exp.Identifier):
        written = _CALL.match(_text(table.this))
        name = (written.group(1) if written else type(table.this).__name__).lower()
        if name not in RELATIONS or table.args.get("db") or table.args.get("catalog"):
            raise refused(f"the table function {name[:60]!r} is not allowed", _VIEWS)
        return
    name = table.name.lower()
    schema = table.args.get("db")
    if table.args.get("catalog") or (schema is not None and (schema.name.lower() != "main" or name not in views)):
        raise refused(f"there is no view {_text(table)[:80]!r}", _VIEWS)
    if schema is None and name in _with_names(table):
        return
    if name not in views:
        close = nearest(name, views)
        hint = f"do you mean {close!r}?" if close else "GET /v1/catalog lists the views"
        raise refused(f"there is no view {table.name[:80]!r}", hint)
    seen.add(name)
    table.set("db", exp.to_identifier("main"))
    table.set("this", exp.to_identifier(name))
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))


def _with_names(node: "Expr") -> set[str]:
    """The names that WITH defines at a node, as DuckDB resolves them. A part sees the parts before it. Its own name
    refers to itself only in the later half of a UNION of WITH RECURSIVE; elsewhere DuckDB would look it up in its
    catalogue."""
    from sqlglot import exp

    names: set[str] = set()
    below: list[Expr] = [node]
    while (above := below[-1].parent) is not None:
        if isinstance(above, exp.With):
            part = below[-1]
            for each in above.expressions:
                if each is part:
                    break
                names.add(each.alias.lower())
            whole = part.this
            recursive = above.args.get("recursive") and isinstance(whole, exp.Union)
            if recursive and any(each is whole.expression for each in below):
                names.add(part.alias.lower())
        else:
            given = above.args.get("with_") or above.args.get("with")
            if isinstance(given, exp.With) and given is not below[-1]:
                names.update(each.alias.lower() for each in given.expressions)
        below.append(above)
    return names


def _kind(node: "Expr") -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()


def _text(node: "Expr") -> str:
    try:
        return node.sql(dialect="duckdb", identify=True, comments=False)
    except (RecursionError, ValueError) as error:
        raise refused("the statement cannot be written anew", "write it more plainly") from error


def _wrong(error: Exception) -> Invalid:
    places = getattr(error, "errors", None) or [{}]
    first = places[0]
    what = str(first.get("description") or error).split("\n")[0][:300]
    problem = Problem(
        "/sql", what, code="sql_wrong", line=int(first.get("line") or 0), column=int(first.get("col") or 0)
    )
    return Invalid("this SQL cannot be read", [problem], code="sql_wrong", hint="it is read as DuckDB's SQL")
