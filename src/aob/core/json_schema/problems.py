"""Problems of values by a JSON Schema, and of schemas. Fetches nothing: a reference outside the schema is one."""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Final

from aob.core.document.shape import DRAFT, Tree, Value
from aob.core.errors import Problem
from aob.core.hint import meant
from aob.core.json_schema.checker import Checker, Fault, Unusable, checker_of
from aob.core.json_schema.parts import step
from aob.core.value import canonical

SCHEMA_BYTES_MAX: Final = 64 * 1024
PROBLEMS_MAX: Final = 100
WORDS_MAX: Final = 300
_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")


@cache
def _meta() -> Checker:
    return Checker({"$ref": DRAFT})


def schema_problems(schema: Tree, value: Value, path: str = "") -> list[Problem]:
    """The problems of a value by a schema (at most 100); none when it fits."""
    checker = checker_of(canonical(schema))
    if isinstance(checker, Unusable):
        return [Problem(path, f"the schema cannot be used: {checker.words}", "bad_schema")]
    return [_problem(fault, schema, path) for fault in islice(checker.faults(value), PROBLEMS_MAX)]


def bad_schema(schema: Tree, path: str) -> Iterator[Problem]:
    """The problems of a schema."""
    try:
        raw = canonical(schema)
    except (TypeError, ValueError, OverflowError) as error:
        yield Problem(path, f"the schema is not JSON: {error}", "bad_schema")
        return
    if len(raw) > SCHEMA_BYTES_MAX:
        yield Problem(path, f"a schema of {len(raw):,} bytes is over the limit of {SCHEMA_BYTES_MAX:,}", "too_large")
    elif isinstance(made := checker_of(raw), Unusable):
        faults = [] if "$schema" in schema else list(islice(_meta().faults(schema), PROBLEMS_MAX))
        for fault in faults:
            words, hint = fault.message[:WORDS_MAX], ""
            if fault.path[-1:] == ("type",) and "anyOf" in fault.place:
                told = fault.message.partition(" is not valid")[0]
                words, hint = f"{told} is not a type of JSON", meant(told.strip('"'), _TYPES, "one of")
            yield Problem(step(path, *fault.path), words, "bad_schema", hint=hint)
        if not faults:
            hint = "a schema stands for itself: nothing is fetched" if not made.path else "patterns have no look-around"
            yield Problem(step(path, *made.path), made.words[:WORDS_MAX], "bad_schema", hint=hint)


def _problem(fault: Fault, schema: Tree, path: str) -> Problem:
    at, hint = step(path, *fault.path), ""
    if fault.missing:
        hint = f"add `{fault.missing}`"
    elif fault.unexpected:
        known = schema.get("properties") if not fault.path else None
        hint = meant(fault.unexpected[0], known if isinstance(known, dict) else (), "known")
        at = step(at, fault.unexpected[0]) if len(fault.unexpected) == 1 else at
    return Problem(at, fault.message[:WORDS_MAX], "bad_value", hint=hint)
