"""The conformance cases of the CEL specification: each gives what the specification says, or stands in a list here."""

import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aob.core.expression import EvalError, ExpressionError, compile_expression

DATA: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/cel/conformance.json").read_text())
FILES: dict[str, dict[str, dict[str, Any]]] = DATA["cases"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REFUSED = {
    "unsigned numbers are no part of expressions here": 226,
    "the keys of a map are text": 37,
    "messages are no part of expressions here": 28,
    "a type is not a value": 22,
    "there is no function": 39,  # macros of two variables, and functions of a test's own
    "there is no name": 82,  # messages by their full names, and names that are there at evaluation only
    "a leading dot is no part of expressions here": 6,
    "does not take": 9,  # the checker runs always, and is strict about types that can never fit
    "a value of another kind is given": 1,
}
"""What is refused at load although CEL knows it, and in how many cases."""

DIFFERENT = {
    # a type within a text
    "string_ext format/type() support for string",
    # instants are kept to the microsecond
    "timestamps timestamp_conversions/toString_timestamp_nanos",
    "timestamps timestamp_arithmetic/add_time_to_duration_nanos_negative",
    "timestamps timestamp_arithmetic/add_time_to_duration_nanos_positive",
    "timestamps timestamp_range/add_duration_nanos_over",
    "timestamps timestamp_range/add_duration_nanos_under",
}
"""Cases that give something else than the specification says."""


class OtherKindError(Exception):
    """A value that expressions here do not have."""


def value_of(given: Any) -> Any:
    """A value of the file: lists, text, bools and null stand for themselves, the others name their kind."""
    if isinstance(given, list):
        return [value_of(item) for item in given]
    if not isinstance(given, dict):
        return given
    ((kind, body),) = given.items()
    match kind:
        case "int":
            return body
        case "double":
            return float(body)
        case "bytes":
            return bytes.fromhex(body)
        case "map":
            return {value_of(key): value_of(item) for key, item in body}
        case "timestamp":
            return EPOCH + timedelta(seconds=body[0], microseconds=body[1] // 1_000)
        case "duration":
            return timedelta(seconds=body[0], microseconds=body[1] // 1_000)
        case _:
            raise OtherKindError(kind)


def exact(value: Any) -> Any:
    """The value with its types spelled out, so that true, 1 and 1.0 differ and nan is itself."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return "nan" if isinstance(value, float) and math.isnan(value) else (type(value).__name__, repr(value))


def verdict_of(case: dict[str, Any]) -> str:
    """`agrees`, `differs: …`, `refused: …` or `other value`."""
    try:
        names = {name: value_of(given) for name, given in case.get("bindings", {}).items()}
    except OtherKindError as other:
        return f"refused: a value of another kind is given: {other}"
    try:
        expected = None if case.get("error") else exact(value_of(case["value"]))
    except OtherKindError:
        expected = "another value"
    try:
        expression = compile_expression(case["expr"], nodes=frozenset(), names=frozenset(names))
    except ExpressionError as error:
        return "agrees" if case.get("error") else f"refused: {error.problem.message}"
    try:
        given = exact(expression.eval(names))
    except EvalError as error:
        return "agrees" if case.get("error") else f"differs: {error}"
    if case.get("error"):
        return f"differs: {given}"
    return "agrees" if given == expected else f"differs: {given}"


VERDICTS = {f"{file} {name}": verdict_of(case) for file, cases in FILES.items() for name, case in cases.items()}


@pytest.mark.parametrize("file", FILES)
def test_a_case_gives_what_the_specification_says_or_is_refused_at_load(file: str) -> None:
    differing = {name for name, verdict in VERDICTS.items() if verdict.startswith("differs")}
    assert {name for name in differing if name.startswith(f"{file} ")} == {
        name for name in DIFFERENT if name.startswith(f"{file} ")
    }


def test_what_is_refused_is_refused_for_a_reason_that_is_listed() -> None:
    refused = [verdict.removeprefix("refused: ") for verdict in VERDICTS.values() if verdict.startswith("refused")]
    reasons = Counter(next((reason for reason in REFUSED if reason in words), words) for words in refused)
    assert reasons == REFUSED


def test_most_cases_agree() -> None:
    agreeing = sum(verdict == "agrees" for verdict in VERDICTS.values())
    assert len(VERDICTS) == sum(map(len, FILES.values()))
    assert agreeing == 1_183
