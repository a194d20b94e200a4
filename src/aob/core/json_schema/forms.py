"""Forms that people fill in when they decide a ticket: field names to types (`string number integer boolean`) or JSON
Schemas. Checks a form, and what was filled in."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aob.core.answers import JsonValue
from aob.core.errors import Invalid, Problem
from aob.core.json_schema.problems import schema_problems

FORM_TYPES: Final[dict[str, Any]] = {"string": str, "number": (int, float), "integer": int, "boolean": bool}
FIELDS_MAX: Final = 64


def form_problems(form: Mapping[str, JsonValue]) -> Iterator[Problem]:
    """What is wrong with a form: too many fields, or a type that there is not."""
    if len(form) > FIELDS_MAX:
        yield Problem("/form", f"{len(form)} fields are over the limit of {FIELDS_MAX}", "too_large")
    for name, field in form.items():
        if not isinstance(field, dict) and not (isinstance(field, str) and field in FORM_TYPES):
            hint = f"write one of {', '.join(FORM_TYPES)}, or a JSON Schema"
            yield Problem(f"/form/{name}", f"{field!r} is not a type of a field", "bad_form", hint=hint)


def check_form(ticket: str, form: Mapping[str, JsonValue], given: JsonValue) -> None:
    """Raises Invalid with each value that does not fit the form of a ticket."""
    if given is not None and not isinstance(given, dict):
        raise Invalid("values of a form are an object", [Problem("/values", "must be an object", "wrong_type")])
    problems = []
    for name, value in (given or {}).items():
        wanted = form.get(name)
        if wanted is None:
            problems.append(Problem(f"/values/{name}", f"the form has no field {name}", "unknown_field",
                                    hint=f"fields: {', '.join(form) or 'none'}"))  # fmt: skip
        elif isinstance(wanted, dict):
            problems.extend(schema_problems(wanted, value, f"/values/{name}"))
        elif not isinstance(value, FORM_TYPES.get(str(wanted), object)) or (
            type(value) is bool and wanted != "boolean"
        ):
            problems.append(Problem(f"/values/{name}", f"must be a {wanted}", "wrong_type"))
    if problems:
        raise Invalid(f"the answer does not fit the form of {ticket}", problems)
