"""The answer of an agent: the schema that a model is given, and the faults of its answer. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from aob.core.json_schema import schema_problems
from aob.ports.model import Json, ModelAnswer
from aob.work.job import permanent

REASONS_MAX: Final = 8
PATCH: Final = "patch"
ANSWER: Final = "answer"  # the key of an answer that is not an object, when a patch may accompany it

PROPOSAL: Final[dict[str, Json]] = {
    "type": ["object", "null"],
    "description": "A change to the rest of this run; null or absent when nothing needs to change.",
    "properties": {
        "reason": {"type": "string", "description": "One sentence for the person who may have to approve it."},
        "operations": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["reason", "operations"],
}
"""Only the shape: operations are checked where the patch is proposed, so that an invalid one is recorded."""


class Form:
    """The form of an agent's answer, from its `output` schema and whether it may propose patches. Raises WorkError
    `output_schema` (permanent) when the schema itself is not one."""

    def __init__(self, output: Mapping[str, Json] | None, *, patch: bool) -> None:
        self.schema = asked_schema(output, patch=patch)
        self._patch = patch
        for problem in () if self.schema is None else schema_problems(self.schema, None):
            if problem.code == "bad_schema":
                raise permanent(f"the agent's `output`: {problem.message}", code="output_schema")

    def reasons(self, answer: ModelAnswer) -> list[str]:
        """Why an answer is not acceptable; empty when it is."""
        if answer.cut:
            return ["the answer was cut off at the limit of tokens: answer shorter"]
        if self.schema is None:
            return [] if answer.text.strip() else ["the answer is empty"]
        if answer.output is msgspec.UNSET:
            return ["the answer is not JSON: answer with one JSON value that fits the schema, and nothing else"]
        return reasons_of(self.schema, answer.output)

    def value(self, answer: ModelAnswer) -> Json:
        """The node's output: the structured answer without its patch, or the text."""
        output: Json = answer.text if self.schema is None else answer.output
        return {k: v for k, v in output.items() if k != PATCH} if self._patch else output

    def patch(self, answer: ModelAnswer) -> dict[str, Json] | None:
        """The patch in an acceptable answer; None when it wants no change."""
        patch: dict[str, Json] | None = answer.output.get(PATCH) if self._patch else None
        return patch if patch and patch["operations"] else None


def asked_schema(output: Mapping[str, Json] | None, *, patch: bool) -> dict[str, Json] | None:
    """The schema sent to the model: `output`, with an optional `patch` next to its properties when patches are allowed;
    an answer that is no object is then under `answer`."""
    if not patch:
        return None if output is None else dict(output)
    if output is not None and output.get("type") == "object":
        return {**output, "properties": {**output.get("properties", {}), PATCH: PROPOSAL}}
    inner = {"type": "string"} if output is None else dict(output)
    wrapped: dict[str, Json] = {
        "type": "object",
        "properties": {ANSWER: inner, PATCH: PROPOSAL},
        "required": [ANSWER],
        "additionalProperties": False,
    }
    if "$defs" in inner:
        wrapped["$defs"] = inner.pop("$defs")  # references to it begin at the root
    return wrapped


def reasons_of(schema: dict[str, Json], value: Json) -> list[str]:
    """Faults of a value, each with its place and how to mend it, at most REASONS_MAX."""
    return [str(problem) for problem in schema_problems(schema, value)[:REASONS_MAX]]
