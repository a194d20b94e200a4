"""What an agent says of one call of a model goes in with the usage that its result is settled with; out comes the
decision record, for the commit of that result. The bodies stay where the result is: here or outside, by its hash."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.decision.answer import Divergence, TriedStep
from aob.core.event import derived_id, partition_of
from aob.core.value import Cell, canonical

TOPIC: Final = "aob.decisions"
SOURCE: Final = "aob.decisions"
TYPE: Final = "model.decided"
DECISION: Final = "decision"
"""The member of a usage that says what was decided."""
SAYS_CHARS_MAX: Final = 500  # of the answer's text in the record itself
RECORD_BYTES_MAX: Final = 32 * 1024  # of what a caller says; of more only the beginning of its record is kept
BRAIN_BYTES_MAX: Final = 2_048
BODY_INLINE_MAX: Final = 4 * 1024
_ID: Final = re.compile(r"decision_([0-9]{1,4})-[0-9a-f]{20}")


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call of a model. `call` numbers those of one `conversation` of a visit, `request`, `prompt`, `tools` and
    `output` are the hashes of the whole request, of the prompt's version, of each offered tool and of the schema asked
    for. `chosen` is what the model chose to do next: `answer`, `tools`, `error`, or why it stopped; `calls` are the
    tools. `says` is the beginning of its answer."""

    call: int
    model: str
    request: str
    prompt: str = ""
    tools: dict[str, str] = {}
    output: str = ""
    temperature: float | None = None
    tokens_max: int = 0
    conversation: str = ""
    chosen: str = ""
    calls: tuple[str, ...] = ()
    says: str = ""
    took_ms: float = 0.0


class Maker(msgspec.Struct, frozen=True):
    """Who decided: the stream, its handling of what, and the intent. `subject` is the run, or the agent's key; `names`
    are those of a run's workflow and node, or of an agent."""

    stream: str
    subject: str
    visit: str
    attempt: int
    number: int
    names: JsonObject
    correlation: str
    causation: str
    depth: int = 1


class Made(msgspec.Struct, frozen=True):
    """A decision record, as it is appended: `data` is its JSON."""

    id: str
    subject: str
    data: bytes
    correlation: str
    causation: str
    depth: int

    def fields(self, tenant: str) -> tuple[str, str, str, str, str, Cell, str, str, str, int]:
        """The fields of its record in a topic, in their order."""
        return (
            self.id, SOURCE, TYPE, tenant, self.subject, Cell(self.data), "", self.correlation, self.causation,
            self.depth,
        )  # fmt: skip


_calls: Final = msgspec.json.Decoder(Call)


def decision_id(stream: str, visit: str, attempt: int, number: int, partitions: int) -> str:
    """The id of a decision, known before it is made; it names the partition of its record."""
    hashed = derived_id("", stream, visit, attempt, number)
    return f"decision_{partition_of(stream, partitions)}-{hashed[1:]}"


def partition_in(id: str) -> int | None:
    """The partition of a decision; None for what is no id of one."""
    found = _ID.fullmatch(id)
    return int(found[1]) if found is not None else None


def decision_record(maker: Maker, usage: JsonObject | None, body: Cell, failed: bool, partitions: int) -> Made | None:
    """The record of a settled call; None if the usage tells of none. `body` is the result, or where it is."""
    said = usage.get(DECISION) if usage else None
    if not isinstance(said, dict) or usage is None:
        return None
    data = canonical(said)
    try:
        call = _calls.decode(data)
    except msgspec.ValidationError:
        return None
    cut = len(data) > RECORD_BYTES_MAX
    if cut:
        call = Call(call.call, call.model[:200], call.request[:64], call.prompt[:64], chosen=call.chosen[:100])
    told: JsonObject = {
        **maker.names, "visit": maker.visit, "attempt": maker.attempt, "number": maker.number,
        **msgspec.to_builtins(msgspec.structs.replace(call, says=call.says[:SAYS_CHARS_MAX])),
        "brain": _brain(usage.get("brain")), "cached": usage.get("cached") is True,
        **{name: _number(usage.get(name)) for name in ("tokens_in", "tokens_out", "cost_usd")},
    }  # fmt: skip
    inline = len(bytes(body)) <= BODY_INLINE_MAX
    known = {"failed": failed, **({"cut": True} if cut else {}), "body": body if inline else None}
    id = decision_id(maker.stream, maker.visit, maker.attempt, maker.number, partitions)
    data = canonical({**told, **known})
    return Made(id, maker.subject, data, maker.correlation, maker.causation, maker.depth)


def _number(value: JsonValue) -> JsonValue:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _brain(value: JsonValue) -> JsonValue:
    return value if isinstance(value, dict) and len(canonical(value)) <= BRAIN_BYTES_MAX else None


def differs(first: Sequence[TriedStep], second: Sequence[TriedStep]) -> Divergence | None:
    """Where two lists of steps differ first; None: they chose the same. Who answered, and at what cost, does not
    count."""
    for number in range(max(len(first), len(second))):
        one = first[number] if number < len(first) else None
        two = second[number] if number < len(second) else None
        if one is None or two is None:
            return {"step": number, "what": "length", "first": one, "second": two}
        for what in ("chosen", "calls", "output", "text", "error"):
            if canonical(one[what]) != canonical(two[what]):
                return {"step": number, "what": what, "first": one, "second": two}
    return None
