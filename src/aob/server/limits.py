"""Rate limit of reads for each key and tenant in any minute, counted by cost. If counting fails, requests pass. Costs
are whole hundredths of a unit: a live number is 1, a list is 100. Keys are identified by a digest of their secret.
Writes, ingest, starts and event streams are not counted: they have other bounds."""

import math
import time
from collections import deque
from typing import Final

import msgspec

from aob.core.verb import UNIT
from aob.ports.logger import Logger

READS_PER_MINUTE: Final = 120
TENANT_READS_PER_MINUTE: Final = 600
ROWS_A_UNIT: Final = 1_000  # rows of an answer that cost one further unit
SECONDS_A_UNIT: Final = 0.1  # duration of a query or a scan that costs one further unit
WINDOW_S: Final = 60.0
SLOT_S: Final = 1.0  # reads within this time are stored as one entry
WINDOWS_MAX: Final = 20_000  # keys and tenants that are remembered; the one that read longest ago is forgotten
QUIET_S: Final = 60.0  # pause between log lines of a failed limiter

log: Final = Logger("aob.server")


def cost_of(rows: int, took_s: float) -> int:
    """The cost of an answer beyond its first unit, by its rows and by its duration."""
    return UNIT * (rows // ROWS_A_UNIT + int(took_s / SECONDS_A_UNIT))


class Left(msgspec.Struct, frozen=True):
    """What a key may read: `remaining` of `per_minute` units, more in `reset_s`. `whose` is the key or the tenant,
    whichever has less left. `counting` is false when the limiter has failed."""

    per_minute: int
    remaining: int = 0
    reset_s: float = 0.0
    spent: bool = False
    counting: bool = True
    whose: str = "key"

    def headers(self) -> dict[str, str]:
        """The headers of an answer."""
        if not self.counting:
            return {"ratelimit-policy": "off; reason=unavailable"}
        return {
            "ratelimit-limit": str(self.per_minute),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(math.ceil(self.reset_s)),
        }


class _Window:
    """Reads of the last minute, oldest first: `[since, until, cost]`."""

    __slots__ = ("per_minute", "slots", "total")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.slots: deque[list[float]] = deque()
        self.total = 0.0

    def left(self, now_s: float) -> float:
        """Hundredths left."""
        slots = self.slots
        while slots and slots[0][1] + WINDOW_S <= now_s:
            self.total -= slots.popleft()[2]
        return self.per_minute * UNIT - self.total

    def spend(self, cost: int, now_s: float) -> None:
        """Counts a cost."""
        if self.slots and now_s < self.slots[-1][0] + SLOT_S:
            self.slots[-1][1] = now_s
            self.slots[-1][2] += cost
        else:
            self.slots.append([now_s, now_s, cost])
        self.total += cost

    def wait_s(self, cost: int, now_s: float) -> float:
        """Time until there is room for a cost or, when there is room now, until the oldest reads expire."""
        room, wait = self.left(now_s), 0.0
        for _, ended, spent in self.slots:
            wait = ended + WINDOW_S - now_s
            room += spent
            if room >= cost:
                break
        return wait


class ReadLimit:
    """A window for each key and one for each tenant. 0: no bound."""

    def __init__(self, per_minute: int = READS_PER_MINUTE, per_tenant: int = TENANT_READS_PER_MINUTE) -> None:
        self.per_minute, self.per_tenant = per_minute, per_tenant
        self._windows: dict[tuple[str, str], _Window] = {}
        self._said_at = -math.inf

    def change(self, per_minute: int, per_tenant: int) -> None:
        """Other bounds from now on, also for what was read in the last minute."""
        self.per_minute, self.per_tenant = per_minute, per_tenant
        for (_, key), window in self._windows.items():
            window.per_minute = per_minute if key else per_tenant

    def take(self, tenant: str, key: str, cost: int = UNIT, *, done: bool = False) -> Left:
        """Counts a read of a key when there is room for it. `done`: the further cost of a read already answered.
        Never raises: a failed limiter lets all requests pass."""
        try:
            return self._take(tenant, key, cost, done)
        except Exception as error:
            now = time.monotonic()
            if now - self._said_at > QUIET_S:
                self._said_at = now
                log.error("limiter_broken", detail=f"{type(error).__name__}: {error}", effect="reads are not limited")
            return Left(self.per_minute, counting=False)

    def _take(self, tenant: str, key: str, cost: int, done: bool) -> Left:
        now_s = self._now_s()
        windows = [
            (whose, self._window(tenant, name, per_minute))
            for whose, name, per_minute in (("key", key, self.per_minute), ("tenant", "", self.per_tenant))
            if per_minute
        ]
        whose, least = min(windows, key=lambda each: each[1].left(now_s))
        spent = not done and least.left(now_s) < cost
        if not spent:
            for _, window in windows:
                window.spend(cost, now_s)
        remaining = max(0, int(least.left(now_s)) // UNIT)
        return Left(least.per_minute, remaining, least.wait_s(cost if spent else 0, now_s), spent, whose=whose)

    def _window(self, tenant: str, key: str, per_minute: int) -> _Window:
        window = self._windows.pop((tenant, key), None) or _Window(per_minute)
        self._windows[tenant, key] = window
        if len(self._windows) > WINDOWS_MAX:
            self._windows.pop(next(iter(self._windows)))
        return window

    @staticmethod
    def _now_s() -> float:
        return time.monotonic()
