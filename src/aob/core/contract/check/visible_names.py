"""The names that an expression of a contract may read at its place, and its check. Never evaluates."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from aob.core.contract_model import ContractSet, EventContract, MetricContract, Move
from aob.core.errors import Problem
from aob.core.expression import Expression, ExpressionError, compile_expression
from aob.core.expression.check import Schema, Shape
from aob.core.expression.expression import Want
from aob.core.expression.fault import Complaint, problem_of
from aob.core.expression.paths import facts_of

NUMERIC: Final = frozenset({"int", "uint", "double", "dyn"})
TEXTUAL: Final = frozenset({"string", "int", "uint", "bool", "dyn"})
NO_TEXT: Final = frozenset({"list", "map", "null"})  # Kinds that CEL's `string()` does not accept.
ENRICHMENTS: Final[Mapping[str, str]] = {"order_size": "string", "click_class": "string", "payment_risk": "number"}
"""The built-in enrichments, and the JSON type of their values."""
VisibleNames = Mapping[str, Shape]  # The names that may be used, and their shapes.
_ENVELOPE: Final[Mapping[str, Shape]] = {"id": "string", "source": "string", "subject": "string", "time": "timestamp"}


class Judged(NamedTuple):
    """A valid expression, or the problems of an invalid one."""

    expression: Expression | None
    problems: tuple[Problem, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of its value, as far as known."""
        return self.expression.kind if self.expression is not None else "dyn"


def judge(text: str, path: str, sight: VisibleNames, *, want: Want = "any", about: str = "") -> Judged:
    """Check an expression. `about` is appended to its problems."""
    try:
        made = compile_expression(text, nodes=frozenset(), names=frozenset(sight), shapes=sight, want=want)
    except ExpressionError as error:
        replace = msgspec.structs.replace
        return Judged(None, tuple(replace(each, path=path, message=each.message + about) for each in error.problems))
    return Judged(made)


@lru_cache(maxsize=4_096)
def is_word(name: str) -> bool:
    """Whether a name is reserved in expressions: `type`, `int` and the like."""
    return judge(f"{name} > 1.0", "", {name: "double"}, want="bool").expression is None


def remark(text: str, path: str, message: str, hint: str = "", offset: int = 0) -> Problem:
    """A problem of an expression that is valid CEL."""
    return msgspec.structs.replace(problem_of(text, Complaint(offset, message, hint)), path=path)


def event_names(contract: EventContract, *, enriched: bool = True) -> VisibleNames:
    """The readable names of an event: rules run before enrichment, everything else after."""
    shapes: dict[str, Shape] = {"data": contract.schema, **_ENVELOPE}
    if enriched:
        found: dict[str, Schema] = {
            name: {"type": ENRICHMENTS[name]} if name in ENRICHMENTS else {} for name in contract.enrich
        }
        found |= {name: {"type": "string"} for name in contract.lookup}
        shapes["enriched"] = {
            "type": "object", "properties": found, "required": list(found), "additionalProperties": False,
        }  # fmt: skip
    return shapes


def guarded_names(contract: EventContract, when: Expression | None) -> VisibleNames:
    """The readable names of an event for which a condition holds: the fields that it requires are present."""
    schema: Schema = contract.schema
    for root, *fields in facts_of(when.tree.root).true if when is not None else ():
        if root == "data":
            schema = _required(schema, fields)
    return {**event_names(contract), "data": schema}


def _required(schema: Schema, fields: Sequence[str]) -> Schema:
    """A schema that requires the fields of a path, as far as it declares them in place."""
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
    """The condition of a move, if it has a valid one."""
    return judge(move.when, "", event_names(contract), want="bool").expression if move.when else None


def events_of(move: Move, whole: ContractSet) -> list[EventContract]:
    """The versions of the event type of a move; the newest first."""
    versions = whole.events.get(move.on, {})
    if move.version:
        return [versions[move.version]] if move.version in versions else []
    return [versions[number] for number in sorted(versions, reverse=True)]


def about_of(event: EventContract, count: int) -> str:
    """The version, named if there are several."""
    return f" ({event.type} version {event.version})" if count > 1 else ""


def value_shape(metric: MetricContract) -> Shape:
    """The shape of a metric's value, as alerts and other metrics read it."""
    return "dyn" if metric.type in ("percentile", "top", "last", "funnel", "sessions", "join") else "double"
