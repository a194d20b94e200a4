"""What the definition of an agent says about its records, as the law of a key reads it. Data only."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from aob.core.agent.key import DEPTH_LIMIT

DEPTH_MAX: Final = 16
"""How many agents may have acted before a record, one after another, unless its topic says otherwise."""

OnPoison = Literal["skip", "park"]
WhileWaiting = Literal["enqueue", "reject", "rollback", "interrupt"]
OverBudget = Literal["stop", "ask", "degrade"]
OnDoubt = Literal["ask", "repeat", "fail"]


class Rules(msgspec.Struct, frozen=True):
    """The rules of one version of an agent. `attempts` counts the first; an attempt waits `first_ms * factor^n`, at
    most `longest_ms`, give or take `jitter`; `deadline_ms` (0: none) is the longest from the first failure's record
    being taken to its last attempt. `depths` are the limits of topics that have one of their own. `budget` is what one
    key may spend in a day (UTC), by unit. `approver` is the role that is asked about doubts and budgets, `notify` the
    addresses that hear of it. `progress` is how long an attempt may be silent, in ms, by type of record (`""`: of all
    others; 0: for ever)."""

    attempts: int = 3
    first_ms: int = 1_000
    longest_ms: int = 60_000
    factor: float = 2.0
    jitter: float = 0.1
    deadline_ms: int = 0
    on_poison: OnPoison = "skip"
    while_waiting: WhileWaiting = "enqueue"
    on_uncertain: OnDoubt = "ask"
    depths: Mapping[str, int] = {}
    budget: Mapping[str, float] = {}
    over_budget: OverBudget = "stop"
    approver: str = "approve"
    notify: tuple[str, ...] = ()
    progress: Mapping[str, int] = {}

    def progress_ms(self, type: str) -> int:
        """How long an attempt at a record of a type may be silent."""
        return self.progress.get(type, self.progress.get("", 0)) if self.progress else 0

    def depth_max(self, topic: str) -> int:
        """The depth that a record of a topic may have."""
        return min(self.depths.get(topic, DEPTH_MAX), DEPTH_LIMIT)
