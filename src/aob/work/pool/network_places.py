"""Places for jobs that use the network: a job gets one before a worker, so that slow peers hold neither the workers nor
the connections. A tenant has a share of them; waiting jobs take turns by tenant."""

from collections import Counter, deque
from typing import Final

from aob.work.pool.attempt import Attempt
from aob.work.pool.priority_queue import PriorityQueue

OUTWARD_MAX: Final = 100  # jobs that may have outgoing requests at once; the nodes' client has as many connections
OUTWARD_TENANT_MAX: Final = 32  # a tenant's part of these
KINDS: Final = frozenset({"http", "notify"})

WAITS, HOLDS = 1, 2  # an attempt's state of a place (0: none needed)


class NetworkPlaces:
    """Assigns and takes back places. The waiting attempts are those of tenants at their share, or of all."""

    def __init__(self, limit: int = OUTWARD_MAX, share: int = OUTWARD_TENANT_MAX) -> None:
        self._limit, self._share = limit, share
        self._out: Counter[str] = Counter()
        self._total = 0
        self._waiting: dict[str, PriorityQueue[Attempt]] = {}
        self._turns: deque[str] = deque()

    def __len__(self) -> int:
        """The number of waiting attempts (cancelled ones may still be counted)."""
        return sum(map(len, self._waiting.values()))

    def take(self, attempt: Attempt) -> bool:
        """Take a place for this attempt; False when it has to wait: a later `leave` returns it."""
        tenant = attempt.job.tenant
        if self._total < self._limit and self._out[tenant] < self._share and tenant not in self._waiting:
            self._hold(attempt, tenant)
            return True
        attempt.place = WAITS
        if tenant not in self._waiting:
            self._waiting[tenant] = PriorityQueue()
            self._turns.append(tenant)
        self._waiting[tenant].push(attempt, attempt.job.priority)
        return False

    def leave(self, attempt: Attempt) -> list[Attempt]:
        """The attempt is over, or no longer wants its place; returns those that got one now."""
        place, attempt.place = attempt.place, 0
        if place == HOLDS:
            tenant = attempt.job.tenant
            self._total -= 1
            self._out[tenant] -= 1
            if not self._out[tenant]:
                del self._out[tenant]
        return self._granted() if place == HOLDS else []

    def lanes_of(self, attempt: Attempt) -> PriorityQueue[Attempt] | None:
        """Where an attempt waits for its place; None when it does not wait."""
        return self._waiting.get(attempt.job.tenant) if attempt.place == WAITS else None

    def _granted(self) -> list[Attempt]:
        found: list[Attempt] = []
        passed = 0
        while self._total < self._limit and passed < len(self._turns):
            tenant = self._turns[0]
            self._turns.rotate(-1)
            if self._out[tenant] >= self._share:
                passed += 1
                continue
            attempt = self._waiting[tenant].pop()
            if attempt is None:
                del self._waiting[tenant]
                self._turns.remove(tenant)
            else:  # a tenant's next one was cancelled, and the one after it has not been checked
                passed = 0
                if attempt.state == "queued":
                    self._hold(attempt, tenant)
                    found.append(attempt)
        return found

    def _hold(self, attempt: Attempt, tenant: str) -> None:
        attempt.place = HOLDS
        self._total += 1
        self._out[tenant] += 1
