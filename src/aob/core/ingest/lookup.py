"""Joins events with fields of entities, and computes the subject that the contract names."""

from collections.abc import Callable, Mapping
from typing import Final

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, Lookup
from aob.core.expression import EvalError, string_of
from aob.core.expression.library import Value
from aob.core.ingest.enrich import Enrichment
from aob.core.ingest.reading import reader
from aob.core.value import canonical

Known = Callable[[str, str], Mapping[str, Value]]
"""The current state of an entity by its type and id; empty for an unknown one."""
LOOKUP_CHARS_MAX: Final = 256  # characters of a value joined to an event


def looking(
    lookup: Lookup, contract: EventContract, enrichments: Mapping[str, Enrichment], known: Known | None
) -> Callable[[Event], str]:
    """The current value of an entity's field, as text, to join to an event. Keys are texts as of CEL's `string()`; a
    key without text finds nothing."""
    read, entity, field, default = (
        reader(lookup.key, contract, enrichments),
        lookup.entity,
        lookup.field,
        lookup.default,
    )

    def look(event: Event) -> str:
        try:
            key = string_of(read(event))
        except EvalError:
            return default
        value = known(entity, key).get(field) if known is not None else None
        if value is None:
            return default
        return (value if isinstance(value, str) else canonical(value).decode())[:LOOKUP_CHARS_MAX]

    return look


def subject_of(read: Callable[[Event], Value]) -> Callable[[Event], str]:
    """The text of a subject; empty when there is none."""

    def subject(event: Event) -> str:
        try:
            value = read(event)
            return value if value.__class__ is str else string_of(value)
        except EvalError:
            return ""

    return subject
