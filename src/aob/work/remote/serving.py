"""Which lanes the attached workers serve, and what a lane lacks that none does."""

from collections.abc import Mapping
from typing import Final

from aob.ports.workers import NO_BUILD, NO_LABEL, NO_WORKER, Lane
from aob.work.remote.worker import Worker

KNOWN_MAX: Final = 10_000  # answers that are remembered


class Serving:
    """Looks at workers by id. `changed` is called after one came, left or drains."""

    def __init__(self, workers: Mapping[str, Worker]) -> None:
        self._workers = workers
        self._known: dict[tuple[Lane, str], str] = {}
        self.changes = 0
        """How often it has changed who serves what."""

    def changed(self) -> None:
        """Forget what was found."""
        self._known.clear()
        self.changes += 1

    def lacks(self, lane: Lane, tenant: str) -> str:
        """Why no worker takes jobs of a lane from a tenant; empty: one does."""
        key = (lane, tenant)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            known = self._known[key] = self._lacks(lane, tenant)
        return known

    def _lacks(self, lane: Lane, tenant: str) -> str:
        found = [
            worker for worker in self._workers.values()
            if worker.tenant in ("", tenant) and not worker.draining and lane.handler in worker.handlers
        ]  # fmt: skip
        if not found:
            return NO_WORKER
        if lane.needs:
            found = [worker for worker in found if worker.has(lane.needs)]
            if not found:
                return NO_WORKER
        found = [worker for worker in found if worker.is_of(lane)]
        if not found:
            return NO_BUILD
        return "" if any(worker.serves(lane) for worker in found) else NO_LABEL
