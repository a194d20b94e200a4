"""One move of a metric that is counted anew, read once for all: events in, when, where and what they give out."""

from collections.abc import Sequence

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, MetricContract, Move
from aob.core.metric.cube.tile import Key
from aob.core.metric.fold.column import FAULT, NOWHERE, Value, holds, instants_of, keys_of, values_of

NUMERIC = frozenset(("min", "max", "percentile"))
"""Types of metrics, of those that may be counted anew, that take numbers only."""
Valued = tuple[int, Key, Event, Value]


class Teller:
    """A move by one version of its event type. `part` is the place of what it adds to among the parts of the metric;
    None when it takes back."""

    __slots__ = ("_ats", "_holds", "_keys", "_values", "_weights", "part")

    def __init__(self, metric: MetricContract, move: Move, event: EventContract, part: int | None) -> None:
        self.part = part
        self._holds = holds(move.when, event) if move.when else None
        self._values = values_of(move.value, event, metric.type in NUMERIC)
        weight = metric.weight_of(move)
        self._weights = values_of(weight, event, True).column if weight else None
        self._ats = instants_of(move.at, event)
        self._keys = keys_of(sorted(metric.dimensions.items()), event)

    def tell(self, events: Sequence[Event]) -> list[Valued]:
        """What these events give; those that give nothing are left out."""
        there = events if self._holds is None else [event for event in events if self._holds(event)]
        if not there:
            return []
        found: list[Valued] = []
        values = list(self._values.column(there))
        if self._weights is not None:  # a value is then told with its weight
            values = [
                None if value is None or value is FAULT or weight is None or weight is FAULT else (value, weight)
                for value, weight in zip(values, self._weights(there), strict=True)
            ]
        for event, key, value in zip(there, self._keys(there), values, strict=True):
            at_ms = self._ats(event)
            if value is not None and value is not FAULT and at_ms != NOWHERE:
                found.append((at_ms, key, event, value))
        return found
