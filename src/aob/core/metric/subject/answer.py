"""What funnels, sessions and joins tell: their contract and the sums of contributions in, the value out."""

from collections.abc import Sequence
from typing import Final

from aob.core.contract_model import MetricContract

SESSION_WIDTH: Final = 3
JOIN_WIDTH: Final = 4


def steps_of(contract: MetricContract) -> tuple[str, ...]:
    """The names of a funnel's steps; numbers where it names none."""
    return contract.steps or tuple(str(step) for step in range(1 + max((m.step for m in contract.moves), default=0)))


def width_of(contract: MetricContract) -> int:
    """How many sums a contribution has."""
    if contract.type == "funnel":
        return len(steps_of(contract))
    return SESSION_WIDTH if contract.type == "sessions" else JOIN_WIDTH


def answer_of(contract: MetricContract, sums: Sequence[float]) -> dict[str, float | None]:
    """The value of summed contributions (none: an empty sequence). Averages of nothing are null.

    `funnel`: attempts that reached each step by name, and `conversion`, the share that reached the last. `sessions`:
    `sessions`, `events_per_session`, `duration_ms` (mean). `join`: `pairs`, `average` (of their values), and
    `unmatched`, left ones that have no right one up to now.
    """
    sums = sums or (0.0,) * width_of(contract)
    if contract.type == "funnel":
        reached: dict[str, float | None] = {name: round(n) for name, n in zip(steps_of(contract), sums, strict=True)}
        reached["conversion"] = sums[-1] / sums[0] if sums[0] else None
        return reached
    if contract.type == "sessions":
        sessions, events, duration_ms = sums
        return {
            "sessions": round(sessions),
            "events_per_session": events / sessions if sessions else None,
            "duration_ms": duration_ms / sessions if sessions else None,
        }
    left, pairs, valued, total = sums
    return {"pairs": round(pairs), "average": total / valued if valued else None, "unmatched": round(left - pairs)}
