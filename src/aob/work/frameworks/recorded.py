"""What is recorded of the calls of models and tools, whatever framework makes them."""

from typing import Final

import msgspec

from aob.core.answers import JsonValue
from aob.core.value import canonical
from aob.work.frameworks.mapping import Foreign
from aob.work.job import WorkError

ANSWER_BYTES_MAX: Final = 512 * 1024  # of what a model or a tool answers
EFFECTS: Final = ("none", "keyed", "once")


def prompt_of(value: Foreign) -> Foreign:
    """The prompt of a record's data: a text as it is, other JSON as its text."""
    return msgspec.json.encode(value).decode() if isinstance(value, dict | int | float | bool | None) else value


def bounded(told: JsonValue) -> JsonValue:
    """An answer that may be recorded. Raises WorkError `answer_too_large`."""
    if (size := len(canonical(told))) > ANSWER_BYTES_MAX:
        why = f"an answer of {size:,} bytes, and {ANSWER_BYTES_MAX:,} are recorded"
        raise WorkError(why, code="answer_too_large", transient=False)
    return told


def effect_of(tool: str, said: Foreign) -> str:
    """What a tool says that it does to the world: `once`, `keyed` (it may be repeated), `none` (it only reads). Raises
    WorkError `bad_effect`."""
    if said not in EFFECTS:
        why = f"the tool {tool} has the effect {said!r}: {', '.join(EFFECTS)}"
        raise WorkError(why, code="bad_effect", transient=False)
    return str(said)


def streamed() -> WorkError:
    """Why a model is not streamed."""
    return WorkError("an agent on topics does not stream its model", code="stream_unsupported", transient=False)
