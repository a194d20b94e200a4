"""JSON Schema: is a value what it should be, and is a schema one. In: schemas and values. Out: problems, all at once.

Nothing is ever fetched: a reference leads to a place in the same schema or is a problem. Patterns take linear time.
"""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from aob.core.errors import Problem
from aob.core.event.value import canonical, decode
from aob.core.graph.definition import Tree, Value
from aob.core.graph.shape import escape, meant

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

SCHEMA_BYTES_MAX: Final = 64 * 1024
PROBLEMS_MAX: Final = 100
VALIDATORS_CACHED_MAX: Final = 512
WORDS_MAX: Final = 300
META_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"


def _validator(schema: Tree) -> "Validator":
    import jsonschema_rs as rust  # 30 ms: only a process that meets a schema pays it

    options = rust.RegexOptions()
    return rust.validator_for(schema, offline=True, validate_formats=True, pattern_options=options)


@cache
def _meta() -> "Validator":
    return _validator({"$ref": META_SCHEMA})


class _Unusable(NamedTuple):
    """Why there is no validator of a schema, and where in the schema."""

    path: tuple[str | int, ...]
    words: str


@lru_cache(maxsize=VALIDATORS_CACHED_MAX)
def _made(schema: bytes) -> "Validator | _Unusable":
    """The validator of a schema, or why there is none."""
    try:
        return _validator(decode(schema))
    except ValueError as error:
        return _Unusable(tuple(getattr(error, "instance_path", ())), str(error).partition("\n")[0])


def schema_problems(schema: Tree, value: Value, path: str = "") -> list[Problem]:
    """What is wrong with a value by a schema (at most 100 problems); nothing when it fits."""
    validator = _made(canonical(schema))
    if isinstance(validator, _Unusable):
        return [Problem(path, f"the schema cannot be used: {validator.words}", "bad_schema")]
    if validator.is_valid(value):
        return []
    found = []
    for fault in validator.iter_errors(value):
        found.append(_problem(fault, value, schema, path))
        if len(found) == PROBLEMS_MAX:
            break
    return found


def bad_schema(schema: Tree, path: str) -> Iterator[Problem]:
    """What is wrong with a schema itself."""
    try:
        raw = canonical(schema)
    except (TypeError, ValueError, OverflowError) as error:
        yield Problem(path, f"the schema is not JSON: {error}", "bad_schema")
        return
    if len(raw) > SCHEMA_BYTES_MAX:
        yield Problem(path, f"a schema of {len(raw):,} bytes is over the limit of {SCHEMA_BYTES_MAX:,}", "too_large")
    elif isinstance(made := _made(raw), _Unusable):
        faults = [] if "$schema" in schema else list(_meta().iter_errors(schema))
        for fault in faults[:PROBLEMS_MAX]:
            yield Problem(_at(path, fault.instance_path), _schema_words(fault), "bad_schema", hint=_schema_hint(fault))
        if not faults:
            hint = "a schema stands for itself: nothing is fetched" if not made.path else "patterns have no look-around"
            yield Problem(_at(path, made.path), made.words[:WORDS_MAX], "bad_schema", hint=hint)


def _at(path: str, steps: Sequence[str | int]) -> str:
    return path + "".join(f"/{escape(str(step))}" for step in steps)


_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")


def _is_type(fault: "ValidationError") -> bool:
    return fault.instance_path[-1:] == ["type"] and "anyOf" in fault.schema_path


def _schema_words(fault: "ValidationError") -> str:
    if _is_type(fault):
        return f"{fault.message.partition(' is not valid')[0]} is not a type of JSON"
    return fault.message[:WORDS_MAX]


def _schema_hint(fault: "ValidationError") -> str:
    if _is_type(fault):
        word = fault.message.partition(" is not valid")[0].strip('"')
        return meant(word, _TYPES, "one of")
    return ""


def _problem(fault: "ValidationError", value: Value, schema: Tree, path: str) -> Problem:
    at, hint, kind = _at(path, fault.instance_path), "", type(fault.kind).__name__
    unexpected = getattr(fault.kind, "unexpected", None)
    if kind.endswith("Required"):
        hint = f"add `{getattr(fault.kind, 'property', '')}`"
    elif isinstance(unexpected, list) and unexpected:
        known = schema.get("properties") if not fault.instance_path else None
        hint = meant(str(unexpected[0]), known if isinstance(known, dict) else (), "known")
        at = at + f"/{escape(str(unexpected[0]))}" if len(unexpected) == 1 else at
    return Problem(at, fault.message[:WORDS_MAX], "bad_value", hint=hint)
