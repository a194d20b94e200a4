"""Subjects that were touched before their horizon: what waits for the log, and what the log makes of it.

All touches of such a subject are read again; what it tells then, less what it told without those that came late, is
what the cells lack. Pure: it may be worked out beside the loop.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from aob.core.contract_model import MetricContract
from aob.core.event.value import canonical
from aob.core.metric.subject.answer import steps_of
from aob.core.metric.subject.funnel import Funnel
from aob.core.metric.subject.history import History, difference
from aob.core.metric.subject.join import Join
from aob.core.metric.subject.sessions import Sessions
from aob.core.metric.subject.touch import Contribution, Law, Mark, Marks, Touch

LATE_MAX: Final = 1_000_000
"""Touches of one metric that wait for the log; further ones are missed."""


class Late(msgspec.Struct, array_like=True):
    """What came late of a subject. `stamp` grows with each touch of it: what was worked out before is then dropped."""

    marks: list[tuple[Mark, int]]
    stamp: int = 0


Waiting = tuple[list[tuple[Mark, int]], int, int]
"""How a subject stands at an instant: its marks, how many of them count, and its stamp."""


class Refolded(NamedTuple):
    """A subject as the whole log makes it: what is to be added to the cells, and its history from the horizon on."""

    key: str
    stamp: int
    told: list[Contribution]
    history: History


class Refolding:
    """Works out subjects of a metric from all their touches."""

    def __init__(self, contract: MetricContract) -> None:
        self._law = law_of(contract)
        self._keeps_data = keeps_data(contract)

    def mark(self, touch: Touch) -> tuple[Mark, int]:
        """What of a touch stays."""
        return mark_of(touch, self._keeps_data), touch.sign

    def refold(self, key: str, late: Waiting, touches: Sequence[tuple[Mark, int]], floor_ms: int) -> Refolded:
        """`touches` are all of it that are in the log, those that came late included."""
        whole: Counter[Mark] = Counter()
        for mark, sign in touches:
            whole[mark] += sign
        in_time = whole.copy()
        marks, count, stamp = late
        for mark, sign in marks[:count]:
            in_time[mark] -= sign
        told = difference(self._law.tell(None, _ordered(in_time)), self._law.tell(None, _ordered(whole)))
        history = History(marks=_ordered(whole))
        history.settle(self._law, floor_ms)
        return Refolded(key, stamp, told, history)


def _ordered(counts: Counter[Mark]) -> Marks:
    return sorted((mark, count) for mark, count in counts.items() if count)


def mark_of(touch: Touch, with_data: bool) -> Mark:
    """What of a touch stays in a history."""
    data = canonical(touch.data) if with_data else bytes(touch.also)
    return touch.at_ms, touch.step, touch.dims, data


def keeps_data(contract: MetricContract) -> bool:
    """Whether the data of events is looked at."""
    return contract.type == "join" and bool(contract.value)


def law_of(contract: MetricContract) -> Law:
    """What histories mean for a metric."""
    if contract.type == "funnel":
        return Funnel(len(steps_of(contract)), contract.within_ms)
    return Sessions(contract.within_ms) if contract.type == "sessions" else Join(contract.within_ms, contract.value)
