"""Reads one node of a document, with the declarations of its handlers; ignores edges and other nodes. Equal definitions
are read once, because most nodes of a patched document are unchanged."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from aob.core.document.shape import Tree, Value, escape, wrong_shape
from aob.core.errors import Problem
from aob.core.expression import Expression
from aob.core.graph.compiled.ir import UNKNOWN_HANDLER, Accepted, Effect, HandlerFacts, Handlers, NodeSpec, strongest
from aob.core.graph.definition import NodeDefinition
from aob.core.graph.survey.resolve import resolve_node
from aob.core.hint import meant, slip_of
from aob.core.json_schema.problems import bad_schema
from aob.core.node import KINDS, ROLES, Kind
from aob.core.node.template.filling import TemplateError, holes
from aob.core.rules import FIRST_RULES, LATER, WORKER_RULES
from aob.core.value import canonical, decode

READINGS_CACHED_MAX: Final = 16_384
_CACHE_HINT: Final = "only a node with effect: none and deterministic: true gives the same output again"

S = TypeVar("S", bound=msgspec.Struct)


class Reading(msgspec.Struct, frozen=True, eq=False):
    """A readable definition. `handlers` are the (path, name) of the handlers in the config; `spec` is resolved without
    their declarations."""

    kind: Kind
    definition: NodeDefinition
    config: Value
    spec: NodeSpec
    handlers: tuple[tuple[str, str], ...]


@lru_cache(maxsize=READINGS_CACHED_MAX)
def read_clean(raw: bytes, rules: int) -> Reading | None:
    """The reading of a definition in canonical JSON if it has no problems by these rules, else None."""
    problems: list[Problem] = []
    reading = read_definition(decode(raw), "", problems, rules)
    return None if problems else reading


def read_definition(raw: object, path: str, problems: list[Problem], rules: int) -> Reading | None:
    """The reading of a definition, or None if too little of it is readable. Adds its problems."""
    definition = read_struct(raw, NodeDefinition, path, problems)
    if definition is None:
        return None
    kind = KINDS.get(definition.kind)
    if kind is None:
        hint = meant(definition.kind, KINDS, "kinds")
        problems.append(Problem(f"{path}/kind", f"there is no kind `{definition.kind}`", "unknown_kind", hint=hint))
        return None
    before = len(problems)
    config = read_struct(definition.config, kind.config, f"{path}/config", problems)
    if config is None:
        return None
    if len(problems) == before:
        for problem in kind.check(config):
            problems.append(msgspec.structs.replace(problem, path=f"{path}/config{problem.path}"))
    spec = resolve_node(definition, kind, config, path, problems, rules)
    reading = Reading(kind, definition, config, spec, tuple(kind.handlers(config)))
    problems.extend(_wrong_alone(reading, path))
    if spec.worker:
        problems.extend(_wrong_worker(reading, path, rules))
    return reading


def read_struct(raw: object, struct: type[S], path: str, problems: list[Problem]) -> S | None:
    """The struct of a map; with problems, the struct without the invalid keys, or None."""
    try:
        return msgspec.convert(raw, struct)
    except msgspec.ValidationError:
        found = list(wrong_shape(raw, struct, path))
        problems.extend(found)
    if not isinstance(raw, dict):
        return None
    wrong = {problem.path[len(path) + 1 :].partition("/")[0] for problem in found if problem.path != path}
    try:
        return msgspec.convert({key: value for key, value in raw.items() if escape(str(key)) not in wrong}, struct)
    except msgspec.ValidationError:
        return None


def _wrong_worker(reading: Reading, path: str, rules: int) -> Iterator[Problem]:
    if rules < WORKER_RULES:
        why = f"`worker` needs rules {WORKER_RULES}, not {rules}"
        yield Problem(f"{path}/worker", why, "unknown_key", hint=LATER)
    elif reading.kind.name != "function":
        yield Problem(f"{path}/worker", f"a {reading.kind.name} has no worker to choose", "bad_worker",
                      hint="`worker` belongs to a node of kind function")  # fmt: skip


def _wrong_alone(reading: Reading, path: str) -> Iterator[Problem]:
    if reading.kind.schemas:
        yield from _wrong_schemas(reading, path)
    if reading.kind.templates:
        yield from _wrong_templates(reading, path)
    times = reading.spec.timeout
    if times.expire or times.remind_ms:
        yield from _wrong_timeout(reading, path)
    if reading.definition.on_uncertain == "verify" and not reading.definition.verify:
        hint = "add verify: HANDLER, which looks whether the effect took place"
        yield Problem(path, "`on_uncertain: verify` names no handler", "missing", hint=hint)


def _wrong_schemas(reading: Reading, path: str) -> Iterator[Problem]:
    for key in reading.kind.schemas:
        schema, at = getattr(reading.config, key), f"{path}/config/{key}"
        if key == "form":
            for field, form in schema.items():
                if isinstance(form, dict):
                    yield from bad_schema(form, f"{at}/{escape(field)}")
        elif schema is not None:
            yield from bad_schema(schema, at)


def _wrong_templates(reading: Reading, path: str) -> Iterator[Problem]:
    given = reading.definition.input
    for key in reading.kind.templates:
        template = getattr(reading.config, key)
        if not template:
            continue
        try:
            found = list(holes(template, f"{path}/config/{key}", key in reading.kind.secrets))
        except TemplateError as error:
            yield Problem(f"{path}/config/{key}", error.detail, "bad_template", hint=error.hint)
            continue
        for at, hole in found:
            if given is not None and hole.path[0] not in given:
                hint = meant(hole.path[0], given, "input") or f"add `{hole.path[0]}:` to the input"
                yield Problem(at, f"{{{hole.text}}} is not in the input of this node", "unknown_name", hint=hint)


def _wrong_timeout(reading: Reading, path: str) -> Iterator[Problem]:
    times, path = reading.spec.timeout, f"{path}/timeout"
    for name, value in (("remind", times.remind_ms), ("expire", times.expire)):
        if value and reading.kind.name != "approval":
            hint = "it says what becomes of a ticket"
            yield Problem(f"{path}/{name}", f"`{name}` belongs to an approval", "bad_timeout", hint=hint)
            return
    if times.expire and not times.deadline_ms:
        yield Problem(f"{path}/expire", "without a deadline nothing expires", "bad_timeout", hint="add deadline: 2h")
    if times.remind_ms and times.deadline_ms and times.remind_ms >= times.deadline_ms:
        yield Problem(f"{path}/remind", "the reminder comes after the deadline", "bad_timeout", hint="make it shorter")


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
                or "no handlers are loaded: mark them @aob.node, name their module by --app, or attach a worker"
                " that has them: aob worker FILE"
            )
            yield Problem(plan.path + path, f"there is no handler `{name}`", UNKNOWN_HANDLER, hint=hint)
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
    undeclared = handlers is not None and facts is None and kind.name == "function"  # which is a problem of its own
    if known and spec.effect != "none":
        message = f"`{plan.id}` has effect: {spec.effect}, so its output cannot be kept"
        talked_down = facts is not None and plan.definition.effect not in (None, spec.effect)
        hint = f"handler `{plan.config.handler}` declares it, and the stronger counts" if talked_down else _CACHE_HINT
        yield Problem(path, message, "bad_cache", hint=hint)
    elif not spec.deterministic and (plan.definition.deterministic is False or (known and not undeclared)):
        message = f"`{plan.id}` is not declared deterministic, so its output cannot be kept"
        yield Problem(path, message, "bad_cache", hint=_CACHE_HINT)


def mistyped_roles(plan: NodePlan) -> Iterator[Problem]:
    """A problem for each role of an approval that misspells a platform role."""
    config = plan.config
    asked = [("role", config.role), *((f"escalate/{at}/role", rung.role) for at, rung in enumerate(config.escalate))]
    for place, role in asked:
        if near := slip_of(role, ROLES):
            path = f"{plan.path}/config/{place}"
            yield Problem(path, f"there is no role {role}", "unknown_role", hint=f"did you mean `{near}`?")
