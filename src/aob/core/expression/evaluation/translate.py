"""Translates a checked tree into a Python closure from names to a value. Times, patterns and text conversions are
single operations of the library. The closure raises `EvalError` where the library reports an error. Where the cost
depends on values, it counts straight parts by the meter in its names before they run."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from aob.core.expression.evaluation import counted
from aob.core.expression.evaluation.foreign import OPERANDS, ask
from aob.core.expression.evaluation.functions import METHODS, SEARCHES, TYPES, UNARY, Unary
from aob.core.expression.evaluation.macro import loop_of
from aob.core.expression.evaluation.meter import METER, REFERENCE_BYTES, Meter, spending
from aob.core.expression.evaluation.operators import BINARY, DOUBLE_EXACT_MAX, Binary, kind_of
from aob.core.expression.evaluation.static_cost import straight_units, text_units
from aob.core.expression.fault import EvalError
from aob.core.expression.library import Value
from aob.core.expression.paths import Path, chain_of
from aob.core.expression.tree import Call, Constant, Entries, Expr, Fold, Items, Select

Run = Callable[[Mapping[str, Value]], Value]

_ORDER: Final = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}
"""Each comparison, and the one with its sides exchanged."""

_WRITTEN: Final = {"math.@max": "math.greatest", "math.@min": "math.least"}
"""Functions with another name in the library's tree."""

_READERS: Final = frozenset({"timestamp", "duration"})  # functions that are evaluated at load for a literal argument


class Foreign(Exception):  # noqa: N818  # a refusal at load, which the room turns into a problem
    """A part of CEL that is not supported here, or an invalid literal: `id` is its node."""

    def __init__(self, ident: int, message: str) -> None:
        super().__init__(message)
        self.id = ident
        self.message = message


def translate(expr: Expr, *, counts: bool) -> Run:
    """The function of a tree; with `counts` it takes units from the meter in its names. Raises Foreign."""
    return _Translator(counts).block(expr)


class _Translator:
    def __init__(self, counts: bool) -> None:
        self._counts = counts

    def block(self, expr: Expr, more: int = 0) -> Run:
        """The function of a part that is evaluated as a whole or not at all, counting `more` additional units."""
        run = self.run(expr)
        units = more + straight_units(expr)
        return spending(units, run) if self._counts and units else run

    def run(self, expr: Expr) -> Run:
        """The function of a node, whose straight part is counted by its block."""
        path = chain_of(expr)
        if path is not None:
            if path.tested:
                return _has(_path(Path(path.root, path.id, path.steps[:-1])), path.steps[-1].field)
            return _path(path)
        match expr:
            case Constant():
                if expr.unsigned:
                    raise Foreign(expr.id, "unsigned numbers are no part of expressions here")
                value = expr.value
                return lambda names: value
            case Select():
                return (_has if expr.test else _field)(self.run(expr.operand), expr.field)
            case Call():
                return self._call(expr)
            case Items(optional=False):
                return self._items(expr)
            case Entries(message="", optional=False):
                return self._entries(expr)
            case Fold():
                return self._loop(expr)
            case _:
                raise Foreign(expr.id, "messages are no part of expressions here")

    def _items(self, expr: Items) -> Run:
        parts = tuple(map(self.run, expr.items))
        if not self._counts and all(isinstance(item, Constant) for item in expr.items):
            fixed = [part({}) for part in parts]
            return lambda names: list(fixed)
        return self._making(lambda names: [part(names) for part in parts], len(parts))

    def _entries(self, expr: Entries) -> Run:
        for key, _ in expr.entries:
            if isinstance(key, Constant) and not isinstance(key.value, str):
                raise Foreign(key.id, "the keys of a map are text")
        make = _map_of(tuple((self.run(key), self.run(value)) for key, value in expr.entries))
        return self._making(make, 2 * len(expr.entries))

    def _making(self, make: Run, references: int) -> Run:
        """A function that makes a list or a map, counted by its references."""
        if not self._counts:
            return make
        size = REFERENCE_BYTES * references

        def counting(names: Mapping[str, Value]) -> Value:
            meter: Meter = names[METER]
            meter.make(size)
            return meter.made(make(names))

        return counting

    def _call(self, expr: Call) -> Run:
        function, args = expr.function, expr.args if expr.target is None else (expr.target, *expr.args)
        if len(args) == 3 and function == "_?_:_":
            return _choice(self.run(args[0]), self.block(args[1]), self.block(args[2]))
        if len(args) == 2:
            if function in ("_&&_", "_||_"):
                left, right = self.run(args[0]), self.block(args[1])
                return _logic(left, right, ends=function == "_||_", name=function.strip("_"))
            method = expr.target is not None and function in METHODS
            if method or function in BINARY:
                return self._two(function, METHODS[function] if method else BINARY[function], *args)
        if len(args) == 1 and function in UNARY:
            return self._one(function, UNARY[function], self.run(args[0]))
        if expr.target is not None and function in SEARCHES and len(args) in (2, 3):
            return self._search(SEARCHES[function], tuple(map(self.run, args)))
        if function == "uint":
            raise Foreign(expr.id, "unsigned numbers are no part of expressions here")
        return self._asked(expr, args)

    def _one(self, function: str, unary: Unary, operand: Run) -> Run:
        if not self._counts or function not in ("string", "int", "double", "size"):
            return lambda names: unary(operand(names))

        def counting(names: Mapping[str, Value]) -> Value:
            value = operand(names)
            if type(value) is bytes or (type(value) is str and function in ("int", "double")):
                _count_asking(names[METER], function, (value,))
            return unary(value)

        return counting

    def _two(self, function: str, operate: Binary, left: Expr, right: Expr) -> Run:
        compared = _comparison(function, left, right, self.run)
        if compared is not None:
            return compared
        first, second = self.run(left), self.run(right)
        count = counted.BINARY.get(function) if self._counts else None
        if count is None:
            return lambda names: operate(first(names), second(names))
        return lambda names: count(names[METER], first(names), second(names))

    def _search(self, search: Callable[..., Value], runs: tuple[Run, ...]) -> Run:
        if not self._counts:
            return lambda names: search(*(run(names) for run in runs))

        def counting(names: Mapping[str, Value]) -> Value:
            values = tuple(run(names) for run in runs)
            names[METER].spend(2 * sum(map(text_units, values)))
            return search(*values)

        return counting

    def _asked(self, expr: Call, args: tuple[Expr, ...]) -> Run:
        """A function of the library. An invalid literal is reported at load."""
        forms, given = list(OPERANDS[: len(args)]), list(args)
        if len(forms) < len(args):
            raise Foreign(expr.id, f"{expr.function} takes at most {len(OPERANDS)} values")
        last = args[-1] if args else None
        literal = (
            isinstance(last, Constant) and isinstance(last.value, str) and json.dumps(last.value, ensure_ascii=False)
        )
        if expr.function == "matches" and literal:
            # a pattern in the form is compiled once, not per evaluation
            forms[-1] = literal
            given.pop()
            _try(expr, f'"".matches({literal})', literal)
        name = _WRITTEN.get(expr.function, expr.function)
        first, rest = forms[0] if forms else "", ", ".join(forms[1:])
        form = f"{name}({', '.join(forms)})" if expr.target is None else f"{first}.{name}({rest})"
        if expr.function in _READERS and literal:
            value = _try(expr, f"{expr.function}({literal})", literal)
            return lambda names: value
        runs = tuple(map(self.run, given))
        if not self._counts:
            return lambda names: ask(form, *(run(names) for run in runs))

        def counting(names: Mapping[str, Value]) -> Value:
            values = tuple(run(names) for run in runs)
            meter: Meter = names[METER]
            _count_asking(meter, name, values)
            found = ask(form, *values)
            return meter.made(found) if type(found) is list or type(found) is dict else found

        return counting

    def _loop(self, expr: Fold) -> Run:
        loop = loop_of(expr)
        if loop is None:
            raise Foreign(expr.id, "this macro is no part of expressions here")
        test = None if loop.test is None else self.block(loop.test, 1)
        value = None if loop.value is None else self.block(loop.value, 1 if test is None else 0)
        return loop.build(loop.item, self.run(loop.source), test, value)


def _count_asking(meter: Meter, function: str, values: tuple[Value, ...]) -> None:
    meter.spend(counted.ask_units(values))
    made = counted.made_bytes(function, values)
    if made:
        meter.make(made)


def _map_of(parts: tuple[tuple[Run, Run], ...]) -> Run:
    def run(names: Mapping[str, Value]) -> dict[str, Value]:
        made: dict[str, Value] = {}
        for key_of, value_of in parts:
            key = key_of(names)
            if type(key) is not str:
                raise EvalError(f"the keys of a map are text, and this is {kind_of(key)}")
            if key in made:
                raise EvalError(f"the map has the key {key!r} twice")
            made[key] = value_of(names)
        return made

    return run


def _path(path: Path) -> Run:
    fields = (path.root, *path.fields)
    kind = TYPES.get(".".join(fields))

    def run(names: Mapping[str, Value]) -> Value:
        value: Value = names
        try:
            for field in fields:
                value = value[field]
        except (KeyError, TypeError):
            if kind is not None and path.root not in names:
                return kind
            raise _missing(names, fields) from None
        return value

    return run


def _missing(names: Mapping[str, Value], fields: tuple[str, ...]) -> EvalError:
    """Why a path has no value: the first missing field, and the value without it."""
    value: Value = names
    for at, field in enumerate(fields):
        where = ".".join(fields[:at])
        if at and not isinstance(value, dict):
            return EvalError(f"{where} is {kind_of(value)} and has no field {field!r}")
        if field not in value:
            if at == 2 and fields[0] == "nodes" and "state" in value:
                idiom = f"ask first: has({where}.{field}) && …, or has({where}.{field}) ? … : …"
                return EvalError(f"{where} has no {field}, for it is {value['state']}; {idiom}")
            return EvalError(f"{where} has no field {field!r}" if at else f"{field} has no value here")
        value = value[field]
    return EvalError(f"{'.'.join(fields)} cannot be read")


def _has(operand: Run, field: str) -> Run:
    def run(names: Mapping[str, Value]) -> bool:
        value = operand(names)
        if isinstance(value, dict):
            return field in value
        raise EvalError(f"{kind_of(value)} has no fields, so has() cannot look for {field!r}")

    return run


def _field(operand: Run, field: str) -> Run:
    def run(names: Mapping[str, Value]) -> Value:
        value = operand(names)
        try:
            return value[field]
        except (KeyError, TypeError):
            raise EvalError(f"{kind_of(value)} has no field {field!r}") from None

    return run


def _try(expr: Call, form: str, literal: str) -> Value:
    try:
        return ask(form)
    except EvalError:
        raise Foreign(expr.id, f"{expr.function} cannot read {literal}") from None


def _comparison(function: str, left: Expr, right: Expr, run_of: Callable[[Expr], Run]) -> Run | None:
    """A comparison with a number literal, the usual case, without a type test of the literal each time."""
    if isinstance(left, Constant) and function in _ORDER:
        function, left, right = _ORDER[function], right, left
    if function not in _ORDER or not isinstance(right, Constant) or right.unsigned:
        return None
    limit = right.value
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return None
    return _against(function, run_of(left), limit) if abs(limit) < DOUBLE_EXACT_MAX else None


def _against(function: str, operand: Run, limit: float) -> Run:
    compare = BINARY[function]

    def more(names: Mapping[str, Value]) -> Value:
        value = operand(names)
        return value > limit if type(value) is int or type(value) is float else compare(value, limit)

    def less(names: Mapping[str, Value]) -> Value:
        value = operand(names)
        return value < limit if type(value) is int or type(value) is float else compare(value, limit)

    if function in ("_>_", "_<_"):
        return more if function == "_>_" else less
    return lambda names: compare(operand(names), limit)


def _choice(condition: Run, yes: Run, no: Run) -> Run:
    def run(names: Mapping[str, Value]) -> Value:
        verdict = condition(names)
        if verdict is True:
            return yes(names)
        if verdict is False:
            return no(names)
        raise EvalError(f"the condition of '?:' is {kind_of(verdict)}, not a bool")

    return run


def _logic(left: Run, right: Run, *, ends: bool, name: str) -> Run:
    """`&&` (ended by false) and `||` (ended by true): either side may decide, whatever the other does."""

    def run(names: Mapping[str, Value]) -> Value:
        try:
            first = left(names)
        except EvalError:
            if right(names) is ends:
                return ends
            raise
        if first is ends:
            return ends
        second = right(names)
        if second is ends:
            return ends
        if type(first) is bool and type(second) is bool:
            return not ends
        raise EvalError(f"'{name}' does not take {kind_of(first)} and {kind_of(second)}")

    return run
