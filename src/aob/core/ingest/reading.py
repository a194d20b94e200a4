"""Compiles CEL expressions of a contract into fast functions over its events: plain paths are attributes, common CEL is
a Python function, the rest is evaluated on a JSON view of the event, with `number` as double."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import UNSET

from aob.core.accepted_event import Event, found
from aob.core.contract_model import EventContract
from aob.core.expression import EvalError, Expression, compile_expression
from aob.core.expression.library import Value
from aob.core.expression.paths import chain_of
from aob.core.ingest.enrich import BUILTIN
from aob.core.ingest.envelope import form_of
from aob.core.ingest.inline import Code, NotInline, Writer, function_of
from aob.core.instant import EPOCH

NAMES: Final = frozenset(("data", "enriched", "id", "source", "subject", "time"))
SHAPES: Final = {"time": "timestamp"}
Read = Callable[[Event], Value]


def compiled(expr: str) -> Expression:
    """An expression over an event, checked as far as possible without a contract. Raises ExpressionError."""
    return compile_expression(expr, nodes=frozenset(), names=NAMES, shapes=SHAPES, strict=False)


def reader(expr: str, contract: EventContract) -> Read:
    """A function that returns the value of an expression for an event of this contract. It raises EvalError when there
    is none (a missing field, a wrong type, an overflow). Raises ExpressionError for an invalid expression."""
    writer, expression = _writer(contract), compiled(expr)
    root, names = expression.tree.root, expression.names
    with suppress(NotInline):
        return _direct(writer.write(root))
    path = chain_of(root)
    if path is not None and not path.tested:
        with suppress(NotInline):
            return _optional(writer.path(path, optional=True), expr)
    return lambda event: expression.eval(view_of(event, names))


def paths(exprs: Sequence[str], contract: EventContract) -> Callable[[Event], tuple[Value, ...]]:
    """A function that returns several values; UNSET for a missing one. Raises ExpressionError."""
    writer = _writer(contract)
    texts: list[str] = []
    for expr in exprs:
        root = compiled(expr).tree.root
        path = chain_of(root)
        try:
            plain = path is not None and not path.tested
            code = writer.path(path, optional=True) if plain and path else writer.write(root)
        except NotInline:
            break
        if code.kind == "dyn":
            break
        texts.append(code.text)
    else:
        made: Callable[[Event], tuple[Value, ...]] = function_of(f"({''.join(text + ', ' for text in texts)})")
        return made
    readers = [reader(expr, contract) for expr in exprs]
    return lambda event: tuple([_told(read, event) for read in readers])


def passes(contract: EventContract) -> Callable[[Event], bool] | None:
    """A test whether an event keeps all rules (one that fails to evaluate is broken); None without rules."""
    if not contract.rules:
        return None
    writer = Writer(form_of(contract, newest=True), {})  # rules are judged before enrichment
    texts: list[str] = []
    slow: list[Read] = []
    for rule in contract.rules:
        root = compiled(rule.rule).tree.root
        try:
            code = writer.write(root)
            if code.kind != "bool":
                raise NotInline
            texts.append(code.text)
        except NotInline:
            slow.append(reader(rule.rule, contract))
    fast = function_of(" and ".join(texts) or "True")
    if not slow:
        return fast
    return lambda event: fast(event) and all(_told(read, event) is True for read in slow)


def view_of(event: Event, names: frozenset[str] = NAMES) -> dict[str, Value]:
    """An event as the CEL library reads it: plain JSON values by name, `time` a datetime."""
    view: dict[str, Value] = {}
    for name in names:
        if name == "data":
            view[name] = msgspec.to_builtins(event.data)
        elif name == "enriched":
            view[name] = found(event) or {}
        elif name == "time":
            view[name] = EPOCH + timedelta(milliseconds=event.at_ms)
        elif name in NAMES:
            view[name] = getattr(event, name)
    return view


def _writer(contract: EventContract) -> Writer:
    kinds = {name: BUILTIN[name].kind for name in contract.enrich if name in BUILTIN}
    return Writer(form_of(contract, newest=True), kinds | dict.fromkeys(contract.lookup, "string"))


def _told(read: Read, event: Event) -> Value:
    try:
        return read(event)
    except EvalError:
        return UNSET


def _direct(code: Code) -> Read:
    if code.kind == "dyn":  # a struct or a list of structs
        get = attrgetter(code.text.removeprefix("e."))
        return lambda event: msgspec.to_builtins(get(event))
    if code.text.startswith("e.") and code.text.replace(".", "").replace("_", "").isalnum():
        return attrgetter(code.text.removeprefix("e."))
    return function_of(code.text)


def _optional(code: Code, text: str) -> Read:
    """A path to a field that may be missing."""
    get, whole = attrgetter(code.text.removeprefix("e.")), code.kind == "dyn"

    def read(event: Event) -> Value:
        value = get(event)
        if value is UNSET:
            raise EvalError(f"{text} is missing")
        return msgspec.to_builtins(value) if whole else value

    return read
