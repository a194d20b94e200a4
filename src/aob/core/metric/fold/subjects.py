"""Accepted events in, touches of the subjects (shoppers, orders) that funnels, sessions and joins follow out."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, MetricContract, Move
from aob.core.metric.cube.cube import CubeId
from aob.core.metric.fold.column import NOWHERE, guarded, holds, instants_of, keys_of, text_of
from aob.core.metric.subject import BOTH, Touch


class _Move(NamedTuple):
    step: int
    sign: int
    holds: Callable[[Event], bool] | None
    ats: Callable[[Event], int]


class SubjectFeed:
    """All moves of a metric by one version of an event type: what one event tells of a subject is told together."""

    __slots__ = ("_join", "_key", "_keys", "_moves", "_with_data", "id", "metric")

    def __init__(self, contract: MetricContract, moves: Sequence[Move], id: CubeId, event: EventContract) -> None:
        self.metric, self.id = contract.name, id
        self._moves = tuple(
            _Move(each.step, -1 if each.retract else 1, holds(each.when, event) if each.when else None,
                  instants_of(each.at, event))
            for each in moves
        )  # fmt: skip
        self._key = guarded(contract.key, event)
        self._keys = keys_of(id.dimensions, event)
        self._join = contract.type == "join"
        self._with_data = self._join and bool(contract.value)

    def touches(self, events: Sequence[Event], lose: Callable[[int], None]) -> Iterator[tuple[Event, Touch]]:
        """What subjects did; events without a key tell of none, and those of no instant are counted as lost."""
        if len(self._moves) == 1:  # as most are
            (only,) = self._moves
            if only.holds is not None:
                events = [event for event in events if only.holds(event)]
        for event, dims in zip(events, self._keys(events), strict=True):
            told: dict[tuple[int, int], list[int]] = {}
            for step, sign, passes, ats in self._moves:
                if passes is None or passes(event):
                    told.setdefault((ats(event), sign), []).append(step)
            key = text_of(self._key(event)) if told else ""
            if not key:
                continue
            data = msgspec.to_builtins(event.data) if self._with_data else None
            for (at_ms, sign), steps in told.items():
                if at_ms == NOWHERE:
                    lose(1)
                    continue
                step, *also = sorted(steps)
                if self._join and also:
                    step, also = BOTH if set(steps) == {0, 1} else step, []
                more = tuple(each for each in dict.fromkeys(also) if each != step) if also else ()
                yield event, Touch(key, at_ms, event.at_ms, step, dims, sign, data, more)
