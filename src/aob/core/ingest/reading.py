"""Compiles CEL expressions of a contract into fast functions over its events: plain paths are attributes, common CEL is
a Python function, the rest is evaluated on a JSON view of the event, with `number` as double."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import UNSET

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract
from aob.core.expression import EvalError, Expression, compile_expression
from aob.core.expression.library import Value
from aob.core.expression.paths import chain_of
from aob.core.ingest.enrich import BUILTIN, Enrichment
from aob.core.ingest.envelope import Form, form_of
from aob.core.ingest.inline import Code, NotInline, function_of, inline, path_code

NAMES: Final = frozenset(("data", "enriched", "id", "source", "subject", "time"))
SHAPES: Final = {"time": "timestamp"}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Read = Callable[[Event], Value]


def compiled(expr: str) -> Expression:
    """An expression over an event, checked as far as possible without a contract. Raises ExpressionError."""
    return compile_expression(expr, nodes=frozenset(), names=NAMES, shapes=SHAPES, strict=False)


def reader(expr: str, contract: EventContract, enrichments: Mapping[str, Enrichment] = BUILTIN) -> Read:
    """A function that returns the value of an expression for an event of this contract. It raises EvalError when there
    is none (a missing field, a wrong type, an overflow). Raises ExpressionError for an invalid expression."""
    form, kinds = _form_and_kinds(contract, enrichments)
    expression = compiled(expr)
    try:
        code = inline(expression.tree.root, form, kinds)
    except NotInline:
        return _optional(expression, form, kinds) or _general(expression)
    return _direct(code)


def paths(
    exprs: Sequence[str], contract: EventContract, enrichments: Mapping[str, Enrichment] = BUILTIN
) -> Callable[[Event], tuple[Value, ...]]:
    """A function that returns several values; UNSET for a missing one. Raises ExpressionError."""
    form, kinds = _form_and_kinds(contract, enrichments)
    texts: list[str] = []
    for expr in exprs:
        root = compiled(expr).tree.root
        path = chain_of(root)
        try:
            plain = path is not None and not path.tested
            code = path_code(path, form, kinds, optional=True) if plain and path else inline(root, form, kinds)
        except NotInline:
            break
        if code.kind == "dyn":
            break
        texts.append(code.text)
    else:
        made: Callable[[Event], tuple[Value, ...]] = function_of(f"({''.join(text + ', ' for text in texts)})")
        return made
    readers = [reader(expr, contract, enrichments) for expr in exprs]
    return lambda event: tuple([_told(read, event) for read in readers])


def passes(contract: EventContract, enrichments: Mapping[str, Enrichment] = BUILTIN) -> Callable[[Event], bool] | None:
    """A test whether an event keeps all rules (one that fails to evaluate is broken); None without rules."""
    if not contract.rules:
        return None
    form, kinds = form_of(contract, newest=True), dict[str, str]()
    texts: list[str] = []
    slow: list[Read] = []
    for rule in contract.rules:
        root = compiled(rule.rule).tree.root
        try:
            code = inline(root, form, kinds)
            if code.kind != "bool":
                raise NotInline
            texts.append(code.text)
        except NotInline:
            slow.append(reader(rule.rule, contract, enrichments))
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
            found = event.enriched
            view[name] = {} if found is None else {key: getattr(found, key) for key in found.__struct_fields__}
        elif name == "time":
            view[name] = EPOCH + timedelta(milliseconds=event.at_ms)
        elif name in NAMES:
            view[name] = getattr(event, name)
    return view


def _form_and_kinds(contract: EventContract, enrichments: Mapping[str, Enrichment]) -> tuple[Form, dict[str, str]]:
    kinds = {name: enrichments[name].kind for name in contract.enrich if name in enrichments}
    kinds |= dict.fromkeys(contract.lookup, "string")
    return form_of(contract, newest=True), kinds


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


def _optional(expression: Expression, form: Form, kinds: Mapping[str, str]) -> Read | None:
    """A path to a field that may be missing."""
    path = chain_of(expression.tree.root)
    if path is None or path.tested:
        return None
    try:
        code = path_code(path, form, kinds, optional=True)
    except NotInline:
        return None
    get, whole, text = attrgetter(code.text.removeprefix("e.")), code.kind == "dyn", expression.text

    def read(event: Event) -> Value:
        value = get(event)
        if value is UNSET:
            raise EvalError(f"{text} is missing")
        return msgspec.to_builtins(value) if whole else value

    return read


def _general(expression: Expression) -> Read:
    names = expression.names
    return lambda event: expression.eval(view_of(event, names))
