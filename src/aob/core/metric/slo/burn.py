"""An objective and its counts in, its `SloView` out: budget left, burn rates over pairs of windows. Pure.

A burn rate of 1 spends exactly the budget in the objective's window. As in the SRE workbook, an objective burns when a
long window has spent a share of the budget and a short one says that it still goes on.
"""

from collections.abc import Mapping
from typing import Final, Literal

from aob.core.contract_model import Slo
from aob.core.metric.slo.tiles import Tiles
from aob.core.metric_answers import SloView

WINDOWS_MS: Final[Mapping[str, int]] = {
    "5m": 300_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "6h": 21_600_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
}
PAIRS: Final = (("5m", "1h", 0.02), ("30m", "6h", 0.05), ("2h", "1d", 0.1), ("6h", "3d", 0.1))
"""Short window, long window, and the share of the budget that may be spent in the long one."""
BURN_MIN: Final = 1.0
"""What spends no more than the budget over the whole window is never called burning."""


def view_of(slo: Slo, tiles: Tiles, now_ms: int) -> SloView:
    """The objective as it stands at an instant."""
    good, total = tiles.between(now_ms - slo.window_ms, now_ms + 1)
    ratio = good / total if total else None
    budget = 1 - slo.target
    burn = {name: _burn(tiles, budget, now_ms - size, now_ms) for name, size in WINDOWS_MS.items()}
    left = None
    if ratio is not None:
        left = 1 - (1 - ratio) / budget if budget > 0 else float(ratio >= 1)
    state: Literal["ok", "burning", "exhausted", "unknown"] = "ok"
    if left is None:
        state = "unknown"
    elif left < 0 or (budget <= 0 and left < 1):
        state = "exhausted"
    elif burns(slo, burn):
        state = "burning"
    return {
        "name": slo.name, "metric": slo.metric, "objective": slo.objective, "target": slo.target,
        "window_ms": slo.window_ms, "good": round(good), "total": round(total), "ratio": ratio, "budget_left": left,
        "burn": burn, "state": state,
    }  # fmt: skip


def burns(slo: Slo, burn: Mapping[str, float | None]) -> bool:
    """Whether some pair of windows, both within the objective's own, burns faster than its threshold."""
    for short, long, share in PAIRS:
        limit = max(BURN_MIN, share * slo.window_ms / WINDOWS_MS[long])
        fast, slow = burn[short], burn[long]
        if WINDOWS_MS[long] <= slo.window_ms and fast is not None and slow is not None and min(fast, slow) > limit:
            return True
    return False


def rate_of(slo: Slo, tiles: Tiles, now_ms: int) -> float | None:
    """How fast an objective burns, as a share of its threshold: of the pair of windows that is nearest to its own, what
    both of them reach. Above 1 it is burning. None when nothing was counted."""
    budget, found = 1 - slo.target, list[float]()
    for short, long, share in PAIRS:
        if WINDOWS_MS[long] <= slo.window_ms:
            rates = [_burn(tiles, budget, now_ms - WINDOWS_MS[name], now_ms) for name in (short, long)]
            limit = max(BURN_MIN, share * slo.window_ms / WINDOWS_MS[long])
            # A short window without anything in it does not go on burning.
            found += [min(rate or 0.0 for rate in rates) / limit] if rates[1] is not None else []
    return max(found, default=None)


def _burn(tiles: Tiles, budget: float, since_ms: int, now_ms: int) -> float | None:
    good, total = tiles.between(since_ms, now_ms + 1)
    if not total or budget <= 0:
        return None
    return (1 - good / total) / budget
