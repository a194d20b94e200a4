"""What an expression of a contract may read at its place, and the judgement of one.

In: texts of CEL, and what stands before them. Out: checked expressions and problems with paths. Never evaluates.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from aob.core.contract_model import ContractSet, EventContract, MetricContract, Move
from aob.core.errors import Problem
from aob.core.expression import Expression, ExpressionError, compile_expression
from aob.core.expression.check import Shape
from aob.core.expression.expression import Want
from aob.core.expression.fault import Complaint, Place, problem_of
from aob.core.expression.missing import facts_of
from aob.core.expression.schema import Schema

NUMERIC: Final = frozenset({"int", "uint", "double", "dyn"})
TEXTUAL: Final = frozenset({"string", "int", "uint", "bool", "dyn"})
NO_TEXT: Final = frozenset({"list", "map", "null"})
"""Kinds of which CEL's `string()` makes no text."""
ENRICHMENTS: Final[Mapping[str, str]] = {"order_size": "string", "click_class": "string", "payment_risk": "number"}
"""The enrichments that the gate ships with, and the JSON type of what they find out."""
_ENVELOPE: Final[Mapping[str, Shape]] = {
    "id": "string",
    "source": "string",
    "subject": "string",
    "time": "timestamp",
}


class Sight(NamedTuple):
    """The names that may be used, and what is known of them."""

    shapes: Mapping[str, Shape]

    @property
    def names(self) -> frozenset[str]:
        """The names."""
        return frozenset(self.shapes)


class Judged(NamedTuple):
    """An expression that is right, or the problems of one that is not."""

    expression: Expression | None
    problems: tuple[Problem, ...] = ()

    @property
    def kind(self) -> str:
        """What it gives, as far as that is known."""
        return self.expression.kind if self.expression is not None else "dyn"


def judge(text: str, path: str, sight: Sight, *, want: Want = "any", about: str = "") -> Judged:
    """Check a text. `about` is added to what is wrong with it."""
    try:
        made = compile_expression(text, nodes=frozenset(), names=sight.names, shapes=sight.shapes, want=want)
    except ExpressionError as error:
        return Judged(
            None,
            tuple(msgspec.structs.replace(each, path=path, message=each.message + about) for each in error.problems),
        )
    return Judged(made)


@lru_cache(maxsize=4_096)
def is_word(name: str) -> bool:
    """Whether a name cannot be used in expressions: `type`, `int` and the like are words of the language."""
    sight = Sight({name: "double"})
    return judge(f"{name} > 1.0", "", sight, want="bool").expression is None


def remark(text: str, path: str, message: str, hint: str = "", offset: int = 0) -> Problem:
    """A problem of an expression that the language has nothing against."""
    return msgspec.structs.replace(problem_of(text, Complaint(offset, message, hint), Place()), path=path)


def event_sight(contract: EventContract, *, enriched: bool = True) -> Sight:
    """What may be read of an event: rules run before it is enriched, everything else after."""
    shapes: dict[str, Shape] = {"data": contract.schema, **_ENVELOPE}
    if enriched:
        found: dict[str, Schema] = {
            name: {"type": ENRICHMENTS[name]} if name in ENRICHMENTS else {} for name in contract.enrich
        }
        found |= {name: {"type": "string"} for name in contract.lookup}
        shapes["enriched"] = {
            "type": "object", "properties": found, "required": list(found), "additionalProperties": False,
        }  # fmt: skip
    return Sight(shapes)


def guarded_sight(contract: EventContract, when: Expression | None) -> Sight:
    """What may be read of an event once a condition holds: the fields that it asks for are there."""
    sight = event_sight(contract)
    schema: Schema = contract.schema
    for root, *fields in facts_of(when.tree.root).true if when is not None else ():
        if root == "data":
            schema = _required(schema, fields)
    return Sight({**sight.shapes, "data": schema})


def _required(schema: Schema, fields: Sequence[str]) -> Schema:
    """A schema in which the fields of a path are required, as far as it declares them in place."""
    if not fields:
        return schema
    properties = schema.get("properties")
    known: Mapping[str, object] = properties if isinstance(properties, Mapping) else {}
    below = known.get(fields[0])
    made: dict[str, object] = {**schema, "required": [*schema.get("required", ()), fields[0]]}
    if isinstance(below, Mapping):
        made["properties"] = {**known, fields[0]: _required(below, fields[1:])}
    return made


def condition_of(move: Move, contract: EventContract) -> Expression | None:
    """The condition of a move, when it has one that can be read."""
    return judge(move.when, "", event_sight(contract), want="bool").expression if move.when else None


def events_of(move: Move, whole: ContractSet) -> list[EventContract]:
    """The versions of the event type that a move is about; the newest first."""
    versions = whole.events.get(move.on, {})
    if move.version:
        return [versions[move.version]] if move.version in versions else []
    return [versions[number] for number in sorted(versions, reverse=True)]


def about_of(event: EventContract, count: int) -> str:
    """Which version is meant, where there are several."""
    return f" ({event.type} version {event.version})" if count > 1 else ""


def value_shape(metric: MetricContract) -> Shape:
    """The value of a metric, as alerts and other metrics read it."""
    return "dyn" if metric.type in ("percentile", "top", "last", "funnel", "sessions", "join") else "double"
