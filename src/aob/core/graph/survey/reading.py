"""Decodes and checks the definition of one node: kind, config, common fields.

Caches equal definitions, because most nodes of a patched document are unchanged. Ignores other nodes, edges and
handlers."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from aob.core.document.shape import Value, escape, wrong_shape
from aob.core.errors import Problem
from aob.core.graph.compiled.spec import NodeSpec
from aob.core.graph.definition import NodeDefinition
from aob.core.graph.survey.resolve import resolve_node
from aob.core.hint import meant
from aob.core.json_schema.problems import bad_schema
from aob.core.node import KINDS, Kind
from aob.core.node.template import TemplateError, holes
from aob.core.value import decode

READINGS_CACHED_MAX: Final = 16_384

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
                message = f"{{{hole.text}}} is not in the input of this node"
                yield Problem(at, message, "unknown_name", hint=hint)


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
