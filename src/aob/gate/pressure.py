"""Back-pressure: tracks queued bytes and write speed, and refuses with a retry time when too much is queued."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from aob.core.errors import Busy

WAITING_BYTES_MAX: Final = 64 * 1024 * 1024  # bytes of all tenants that may be queued
TENANT_SHARE: Final = 0.5  # the share of one tenant while others are queued, too
WAIT_MAX_S: Final = 1.0  # the maximum expected wait; beyond it callers are refused
FREE_BYTES: Final = 256 * 1024  # always accepted: it is written in one go, however slow the last commit was
WEIGHT: Final = 0.2  # weight of the newest commit in the measured rate


class Pressure:
    """The bytes queued for the log. `clock_s` is monotonic."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self.bytes = 0
        self._by_tenant: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._rate = 0.0

    def now(self) -> float:
        """The clock."""
        return self._clock_s()

    @property
    def wait_s(self) -> float:
        """The expected wait for the queued bytes at the speed of the last commits; 0 while unknown."""
        return self.bytes / self._rate if self._rate else 0.0

    def check(self, tenant: str, size: int) -> None:
        """Raises Busy, with a retry time, if there is no room for so many bytes."""
        waiting = self.bytes + sum(self._held.values())
        after = waiting + size
        if after <= FREE_BYTES or not waiting:
            return
        mine = self._by_tenant.get(tenant, 0) + self._held.get(tenant, 0)
        others = len(self._by_tenant.keys() | self._held.keys()) > 1
        most = WAITING_BYTES_MAX * (TENANT_SHARE if others else 1.0)
        if after > WAITING_BYTES_MAX or mine + size > most or self.wait_s > WAIT_MAX_S:
            wait_s = min(30.0, max(0.1, self.wait_s))
            raise Busy(f"{waiting:,} bytes of events are waiting to be written", retry_after_s=round(wait_s, 2),
                       code="ingest_busy", hint="send again later, the same ids: nothing counts twice")  # fmt: skip

    @contextmanager
    def held(self, tenant: str, size: int) -> Iterator[None]:
        """Reserves a large call whose parts are queued one by one: all of it is in memory."""
        self._held[tenant] = self._held.get(tenant, 0) + size
        try:
            yield
        finally:
            self._held[tenant] -= size
            if not self._held[tenant]:
                del self._held[tenant]

    def add(self, tenant: str, size: int) -> None:
        """Queues bytes."""
        self.bytes += size
        self._by_tenant[tenant] = self._by_tenant.get(tenant, 0) + size

    def done(self, sizes: Sequence[tuple[str, int]], began_s: float | None) -> None:
        """Removes written bytes; `began_s` is when their commit began, None if it failed."""
        total = 0
        for tenant, size in sizes:
            total += size
            left = self._by_tenant.get(tenant, 0) - size
            if left > 0:
                self._by_tenant[tenant] = left
            else:
                self._by_tenant.pop(tenant, None)
        self.bytes = max(0, self.bytes - total)
        if began_s is None or total < FREE_BYTES // 16:
            return  # a small commit measures the disk's latency, not its rate
        rate = total / max(1e-6, self._clock_s() - began_s)
        self._rate = rate if not self._rate else self._rate * (1 - WEIGHT) + rate * WEIGHT
