"""Converts the handlers that a node allows to tools for a model, by schema and hash. Calls none."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from aob.core.value import canonical, digest_of
from aob.ports.model import Json, Tool
from aob.work.agent.answer import reasons_of
from aob.work.arguments import CONTEXT, hints_of
from aob.work.handlers import Handler
from aob.work.job import permanent

DEFS: Final = "#/$defs/{name}"


class Offer(msgspec.Struct, frozen=True, eq=False):
    """A tool offered to a model, and its handler."""

    tool: Tool
    handler: Handler

    @property
    def effect(self) -> str:
        """What a call does to the world: `none`, `keyed` or `once`."""
        return self.handler.facts.effect

    def reasons(self, args: Json) -> list[str]:
        """Why arguments are not acceptable; empty when they are."""
        return reasons_of(self.tool.schema, args)


def offers(names: Iterable[str], handlers: Mapping[str, Handler]) -> dict[str, Offer]:
    """The tools of a node's allow-list. Raises WorkError `tool_missing` (permanent) for a name without a handler."""
    missing = [name for name in names if name not in handlers]
    if missing:
        hint = "mark the function with @node, or take the name off `tools`"
        raise permanent(f"no handler is named {', '.join(missing)}", code="tool_missing", missing=missing, hint=hint)
    return {name: Offer(tool_of(handlers[name]), handlers[name]) for name in names}


def tool_of(handler: Handler) -> Tool:
    """The tool for a handler. A parameter whose type has no JSON Schema takes any value."""
    hints = hints_of(handler.fn)
    parameters = [p for p in handler.signature.parameters.values() if p.name != CONTEXT]
    named = [p for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}]
    types = [hints.get(p.name, Json) for p in named]
    schemas, components = msgspec.json.schema_components(
        [hint if _has_schema(hint) else Json for hint in types], ref_template=DEFS
    )
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {p.name: _with_default(part, p) for p, part in zip(named, schemas, strict=True)},
        "required": [p.name for p in named if p.default is p.empty],
        "additionalProperties": any(p.kind == p.VAR_KEYWORD for p in parameters),
    }
    if components:
        schema["$defs"] = components
    facts = handler.facts
    identity = {"name": handler.name, "version": facts.version, "effect": facts.effect, "schema": schema}
    return Tool(handler.name, facts.doc or handler.name, schema, digest_of(canonical(identity)).hex())


def _has_schema(hint: Json) -> bool:
    try:
        msgspec.json.schema(hint)
    except (TypeError, RuntimeError):
        return False
    return True


def _with_default(schema: dict[str, Json], parameter: inspect.Parameter) -> dict[str, Json]:
    if parameter.default is parameter.empty:
        return schema
    try:
        return {**schema, "default": msgspec.to_builtins(parameter.default)}
    except TypeError:
        return schema
