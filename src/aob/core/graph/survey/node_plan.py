"""Reads one node of a document, with the declarations of its handlers.

Ignores edges and other nodes."""

from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.document.shape import Tree, Value, escape
from aob.core.errors import Problem
from aob.core.expression import Expression
from aob.core.graph.compiled.spec import Effect, NodeSpec, strongest
from aob.core.graph.handlers import Accepted, HandlerFacts, Handlers
from aob.core.graph.survey.reading import Reading, read_clean, read_definition
from aob.core.hint import meant
from aob.core.node import KINDS, Kind
from aob.core.rules import FIRST_RULES
from aob.core.value import canonical

_CACHE_HINT: Final = "only a node with effect: none and deterministic: true gives the same output again"


class NodePlan:
    """A readable node. The survey of its body sets `exprs`, `input` and `body`; `canonical` is the canonical JSON of
    its definition, without its body."""

    __slots__ = (
        "body", "canonical", "config", "definition", "exprs", "handlers", "id", "input", "kind", "path", "raw", "spec",
    )  # fmt: skip

    def __init__(self, id: str, path: str, raw: Tree, bytes_: bytes, reading: Reading, spec: NodeSpec) -> None:
        self.id, self.path, self.raw, self.canonical = id, path, raw, bytes_
        self.kind, self.definition, self.config = reading.kind, reading.definition, reading.config
        self.handlers = reading.handlers
        self.spec = spec
        self.exprs: dict[str, Expression] = {}
        self.input: dict[str, Expression] | None = None
        self.body: object = None


def kind_of(raw: object) -> Kind | None:
    """The kind of a node, if it exists."""
    name = raw.get("kind") if isinstance(raw, dict) else None
    return KINDS.get(name) if isinstance(name, str) else None


def read_node(
    id: str, raw: Value, path: str, handlers: Handlers | None, problems: list[Problem], rules: int
) -> NodePlan | None:
    """The plan of a node, or None if too little of it is readable. Adds every problem of the node itself."""
    plain = {key: value for key, value in raw.items() if key != "body"} if kind_of(raw) and "body" in raw else raw
    bytes_ = canonical(plain)
    reading = read_clean(bytes_, rules) or read_definition(plain, path, problems, rules)
    if reading is None:
        return None
    facts = _facts_of(reading, handlers)
    spec = reading.spec if facts is None else _resolved(reading, facts, rules)
    plan = NodePlan(id, path, raw, bytes_, reading, spec)
    if handlers is not None and (plan.handlers or plan.definition.verify):
        problems.extend(_wrong_handlers(plan, handlers, facts))
    if spec.cache != "off" and not isinstance(handlers, Accepted):
        problems.extend(_wrong_cache(plan, handlers, facts))
    return plan


def _facts_of(reading: Reading, handlers: Handlers | None) -> HandlerFacts | None:
    """The facts of the handler that does the node's work; not of an agent's tools."""
    if handlers is None or reading.kind.name != "function":
        return None
    return handlers.get(reading.config.handler)


def _resolved(reading: Reading, facts: HandlerFacts, rules: int) -> NodeSpec:
    """The common fields of a node, with defaults from its handler. The stronger of both effects counts; under the first
    rules the node's own."""
    spec, own = reading.spec, reading.definition
    effect: Effect = facts.effect if own.effect is None else own.effect
    if rules != FIRST_RULES and strongest((effect, facts.effect)) != effect:
        effect = facts.effect
    deterministic = facts.deterministic if own.deterministic is None else own.deterministic
    if effect == spec.effect and deterministic == spec.deterministic:
        return spec
    return msgspec.structs.replace(spec, effect=effect, deterministic=deterministic)


def _wrong_handlers(plan: NodePlan, handlers: Handlers, facts: HandlerFacts | None) -> Iterator[Problem]:
    called = [("/config" + path, name) for path, name in plan.handlers]
    if plan.definition.verify:
        called.append(("/verify", plan.definition.verify))
    for path, name in called:
        if name not in handlers:
            hint = (
                meant(name, handlers, "handlers")
                or "no handlers are loaded: mark them @aob.node, name their module by --app"
            )
            yield Problem(plan.path + path, f"there is no handler `{name}`", "unknown_handler", hint=hint)
    schema = getattr(facts, "input", None)
    if isinstance(schema, dict) and plan.definition.input is not None:
        yield from _wrong_arguments(plan, schema)


def _wrong_arguments(plan: NodePlan, schema: Tree) -> Iterator[Problem]:
    """Input names that the handler does not accept, and missing ones."""
    given, known = plan.definition.input or {}, schema.get("properties", {})
    if schema.get("additionalProperties") is False:
        for name in given:
            if name not in known:
                message = f"handler `{plan.config.handler}` takes no `{name}`"
                yield Problem(f"{plan.path}/input/{escape(name)}", message, "unknown_input", hint=meant(name, known))
    for name in schema.get("required", ()):
        if name not in given:
            message = f"handler `{plan.config.handler}` needs `{name}`"
            yield Problem(f"{plan.path}/input", message, "missing", hint=f"add `{name}:` to the input")


def _wrong_cache(plan: NodePlan, handlers: Handlers | None, facts: HandlerFacts | None) -> Iterator[Problem]:
    path, spec, kind = f"{plan.path}/cache", plan.spec, plan.kind
    if kind.inner or kind.waits:
        yield Problem(path, f"a {kind.name} has nothing to keep", "bad_cache", hint="leave `cache` out")
        return
    known = plan.definition.effect is not None or kind.name != "function" or facts is not None
    if known and spec.effect != "none":
        message = f"`{plan.id}` has effect: {spec.effect}, so its output cannot be kept"
        talked_down = facts is not None and plan.definition.effect not in (None, spec.effect)
        hint = f"handler `{plan.config.handler}` declares it, and the stronger counts" if talked_down else _CACHE_HINT
        yield Problem(path, message, "bad_cache", hint=hint)
    elif not spec.deterministic and (handlers is not None or plan.definition.deterministic is False or known):
        message = f"`{plan.id}` is not declared deterministic, so its output cannot be kept"
        yield Problem(path, message, "bad_cache", hint=_CACHE_HINT)
