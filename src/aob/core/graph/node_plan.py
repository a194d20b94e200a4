"""One node of a document, read on its own: its kind, its definition, its config, its common fields.

In: the node as a plain map and the facts of handlers. Out: a `NodePlan`, or what can be said of it, and problems.
Never looks at edges or at other nodes.
"""

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from aob.core.errors import Problem
from aob.core.expression import Expression
from aob.core.graph.definition import NodeDefinition, Tree, Value
from aob.core.graph.handlers import HandlerFacts, Handlers
from aob.core.graph.resolve import resolve_node
from aob.core.graph.schema import bad_schema
from aob.core.graph.shape import escape, meant, wrong_shape
from aob.core.graph.spec import NodeSpec, Timeouts
from aob.core.node import KINDS, Kind, TemplateError
from aob.core.node.template import holes

S = TypeVar("S", bound=msgspec.Struct)

_CACHE_HINT: Final = "only a node with effect: none and deterministic: true gives the same output again"


class NodePlan:
    """A node that could be read. `exprs`, `input` and `body` are filled by the survey of its body.

    `handlers` are the (path, name) of the handlers that it calls, `versions` their versions as far as they are known.
    """

    __slots__ = ("body", "config", "definition", "exprs", "handlers", "id", "input", "kind", "path", "raw", "spec")

    def __init__(
        self, id: str, path: str, raw: Tree, kind: Kind, definition: NodeDefinition, config: Value, spec: NodeSpec
    ) -> None:
        self.id, self.path, self.raw, self.kind = id, path, raw, kind
        self.definition, self.config, self.spec = definition, config, spec
        self.exprs: dict[str, Expression] = {}
        self.input: dict[str, Expression] | None = None
        self.body: object = None
        self.handlers = tuple(kind.handlers(config))


def read_struct(raw: object, struct: type[S], path: str, problems: list[Problem]) -> S | None:
    """The struct of a map. With problems, what is left when the wrong keys are left out, or None."""
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


def kind_of(raw: object) -> Kind | None:
    """The kind that a node asks for, if there is such a kind."""
    name = raw.get("kind") if isinstance(raw, dict) else None
    return KINDS.get(name) if isinstance(name, str) else None


def read_node(id: str, raw: object, path: str, handlers: Handlers | None, problems: list[Problem]) -> NodePlan | None:
    """The plan of a node, or None when too little of it can be read. Adds every problem of the node on its own."""
    plain = (
        {key: value for key, value in raw.items() if key != "body"} if isinstance(raw, dict) and "body" in raw else raw
    )
    definition = read_struct(plain, NodeDefinition, path, problems)
    kind = kind_of(raw)
    if definition is None or not isinstance(raw, dict):
        return None
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
    facts = _facts_of(kind, config, handlers)
    spec = resolve_node(definition, kind, config, facts, path, problems)
    plan = NodePlan(id, path, raw, kind, definition, config, spec)
    _check_handlers(plan, handlers, problems)
    if kind.schemas:
        problems.extend(_wrong_schemas(plan))
    if kind.templates:
        problems.extend(_wrong_templates(plan))
    if spec.cache != "off":
        problems.extend(_wrong_cache(plan, handlers))
    if type(spec.timeout) is Timeouts and (spec.timeout.expire or spec.timeout.remind_ms):
        problems.extend(_wrong_timeout(plan))
    return plan


def _facts_of(kind: Kind, config: Value, handlers: Handlers | None) -> HandlerFacts | None:
    """The facts of the one handler that is the node's work; an agent's tools are not."""
    if handlers is None or kind.name != "function":
        return None
    return handlers.get(config.handler)


def _check_handlers(plan: NodePlan, handlers: Handlers | None, problems: list[Problem]) -> None:
    verify = plan.definition.verify
    if plan.definition.on_uncertain == "verify" and not verify:
        hint = "add verify: HANDLER, which looks whether the effect took place"
        problems.append(Problem(plan.path, "`on_uncertain: verify` names no handler", "missing", hint=hint))
    if handlers is None:
        return
    called = [(f"{plan.path}/config{path}", name) for path, name in plan.handlers]
    if verify:
        called.append((f"{plan.path}/verify", verify))
    for path, name in called:
        if name not in handlers:
            hint = meant(name, handlers, "handlers") if handlers else "no handlers are loaded: start with --app MODULE"
            problems.append(Problem(path, f"there is no handler `{name}`", "unknown_handler", hint=hint))
    facts = _facts_of(plan.kind, plan.config, handlers)
    schema = getattr(facts, "input", None)
    if isinstance(schema, dict) and plan.definition.input is not None:
        problems.extend(_wrong_arguments(plan, schema))


def _wrong_arguments(plan: NodePlan, schema: Tree) -> Iterator[Problem]:
    """Names of the input that the handler does not take, and those that it needs."""
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


def _wrong_schemas(plan: NodePlan) -> Iterator[Problem]:
    for key in plan.kind.schemas:
        schema = getattr(plan.config, key)
        path = f"{plan.path}/config/{key}"
        if key == "form":
            for field, form in schema.items():
                if isinstance(form, dict):
                    yield from bad_schema(form, f"{path}/{escape(field)}")
        elif schema is not None:
            yield from bad_schema(schema, path)


def _wrong_templates(plan: NodePlan) -> Iterator[Problem]:
    given = plan.definition.input
    for key in plan.kind.templates:
        template = getattr(plan.config, key)
        if not template:
            continue
        try:
            found = list(holes(template, f"{plan.path}/config/{key}"))
        except TemplateError as error:
            yield Problem(f"{plan.path}/config/{key}", error.detail, "bad_template", hint=error.hint)
            continue
        for path, hole in found:
            if given is not None and hole.path[0] not in given:
                hint = meant(hole.path[0], given, "input") or f"add `{hole.path[0]}:` to the input"
                message = f"{{{hole.text}}} is not in the input of `{plan.id}`"
                yield Problem(path, message, "unknown_name", hint=hint)


def _wrong_cache(plan: NodePlan, handlers: Handlers | None) -> Iterator[Problem]:
    path, spec, kind = f"{plan.path}/cache", plan.spec, plan.kind
    if kind.inner or kind.waits:
        yield Problem(path, f"a {kind.name} has nothing to keep", "bad_cache", hint="leave `cache` out")
        return
    known = plan.definition.effect is not None or kind.name != "function"
    known = known or (handlers is not None and plan.config.handler in handlers)
    if known and spec.effect != "none":
        message = f"`{plan.id}` has effect: {spec.effect}, so its output cannot be kept"
        yield Problem(path, message, "bad_cache", hint=_CACHE_HINT)
    elif not spec.deterministic and (handlers is not None or plan.definition.deterministic is False or known):
        message = f"`{plan.id}` is not declared deterministic, so its output cannot be kept"
        yield Problem(path, message, "bad_cache", hint=_CACHE_HINT)


def _wrong_timeout(plan: NodePlan) -> Iterator[Problem]:
    times, path = plan.spec.timeout, f"{plan.path}/timeout"
    for name, value in (("remind", times.remind_ms), ("expire", times.expire)):
        if value and plan.kind.name != "approval":
            hint = "it says what becomes of a ticket"
            yield Problem(f"{path}/{name}", f"`{name}` belongs to an approval", "bad_timeout", hint=hint)
            return
    if times.expire and not times.deadline_ms:
        yield Problem(f"{path}/expire", "without a deadline nothing expires", "bad_timeout", hint="add deadline: 2h")
    if times.remind_ms and times.deadline_ms and times.remind_ms >= times.deadline_ms:
        yield Problem(f"{path}/remind", "the reminder comes after the deadline", "bad_timeout", hint="make it shorter")
