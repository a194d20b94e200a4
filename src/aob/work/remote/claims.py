"""What workers hold of attempts that are not submitted yet: each worker's word counts for its own tenant only, and no
tenant's claims leave others without room."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from aob.ports.workers import Result
from aob.work.remote.worker import Worker

CLAIMS_MAX: Final = 40_000
"""How much of that is kept for the workers of one tenant."""

Key = tuple[str, str]


class Claim(msgspec.Struct, eq=False):
    """What a worker holds of a job that is not submitted yet. Until `until_s` (if not 0) it is remembered although the
    shard of its run is not here, and may be soon; the worker has no answer yet."""

    attempt: int
    worker: Worker
    result: tuple[Result, bool] | None = None
    until_s: float = 0.0


class Claims:
    """All of a process, by run and visit."""

    def __init__(self) -> None:
        self._by_key: dict[Key, list[Claim]] = {}
        self._counts = Counter[str]()

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[tuple[Key, Claim]]:
        """A copy of all."""
        return iter([(key, claim) for key, claims in self._by_key.items() for claim in claims])

    def add(self, key: Key, claim: Claim) -> bool:
        """Remember it. False: its tenant has too many."""
        tenant = claim.worker.tenant
        if self._counts[tenant] >= CLAIMS_MAX:
            return False
        self._counts[tenant] += 1
        self._by_key.setdefault(key, []).append(claim)
        return True

    def of(self, key: Key, attempt: int, worker: Worker) -> Claim | None:
        """What this worker holds of an attempt."""
        found = (each for each in self._by_key.get(key, ()) if each.attempt == attempt and each.worker is worker)
        return next(found, None)

    def take(self, key: Key) -> list[Claim]:
        """All of a run's visit, forgotten here."""
        claims = self._by_key.pop(key, [])
        self._counts.subtract(each.worker.tenant for each in claims)
        return claims

    def forget(self, key: Key, claim: Claim) -> None:
        """Forget one."""
        claims = self._by_key.get(key, [])
        if claim in claims:
            claims.remove(claim)
            self._counts[claim.worker.tenant] -= 1
            if not claims:
                del self._by_key[key]
