"""Decision records: what is kept of each call of a model, as records of a topic. Pure. `answers` are their shapes for
the API."""

from aob.core.decision import answer as answers
from aob.core.decision.record import (
    DECISION,
    SAYS_CHARS_MAX,
    SOURCE,
    TOPIC,
    Call,
    Maker,
    decision_id,
    decision_record,
    differs,
    partition_in,
)

__all__ = [
    "DECISION", "SAYS_CHARS_MAX", "SOURCE", "TOPIC", "Call", "Maker", "answers", "decision_id", "decision_record",
    "differs", "partition_in",
]  # fmt: skip
