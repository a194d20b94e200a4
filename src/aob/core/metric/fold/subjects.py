"""Accepted events in, touches of the subjects (shoppers, orders) that funnels, sessions and joins follow out."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, MetricContract, Move
from aob.core.metric.cube.cube import CubeId
from aob.core.metric.fold.column import NOWHERE, guarded, holds, instants_of, keys_of, text_of
from aob.core.metric.subject import Touch


class SubjectFeed:
    """One move of a metric by one version of its event type."""

    __slots__ = ("_ats", "_holds", "_key", "_keys", "_with_data", "id", "metric", "move")

    def __init__(self, contract: MetricContract, move: Move, id: CubeId, event: EventContract) -> None:
        self.metric, self.move, self.id = contract.name, move, id
        self._holds = holds(move.when, event) if move.when else None
        self._key = guarded(contract.key, event)
        self._keys = keys_of(id.dimensions, event)
        self._ats = instants_of(move.at, event)
        self._with_data = contract.type == "join" and bool(contract.value)

    def touches(self, events: Sequence[Event], lose: Callable[[int], None]) -> Iterator[tuple[Event, Touch]]:
        """What subjects did; events without a key tell of none, and those of no instant are counted as lost."""
        there = events if self._holds is None else [event for event in events if self._holds(event)]
        sign = -1 if self.move.retract else 1
        for event, dims in zip(there, self._keys(there), strict=True):
            key = text_of(self._key(event))
            at_ms = self._ats(event)
            if key and at_ms == NOWHERE:
                lose(1)
            elif key:
                data = msgspec.to_builtins(event.data) if self._with_data else None
                yield event, Touch(key, at_ms, event.at_ms, self.move.step, dims, sign, data)
