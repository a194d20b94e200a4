"""Which worker has which attempt, in a file that is never synced: what the next life of the home waits for."""

from aob.work.pool import Running, mark
from aob.work.remote.lease import Lease


class Away:
    """The list of this life, and `before`: holders by mark, of the life before. Nothing without a file."""

    def __init__(self, running: Running | None) -> None:
        self._running = running
        self.before = running.holders if running is not None else dict[bytes, bytes]()
        self._begun = False

    def begin(self) -> None:
        """The list of the life before ends with the first job of this one: what was lent is listed again as it is
        submitted. Idempotent."""
        if not self._begun and self._running is not None:
            self._begun = True
            self._running.anew()

    def holder(self, key: str, attempt: int) -> bytes:
        """Who had an attempt in the life before; empty: nobody."""
        return self.before.get(mark(key, attempt), b"")

    def lists(self, lease: Lease, holder: bytes) -> None:
        """The next life shall know who has it."""
        if self._running is not None and lease.instead is None:
            lease.slot = lease.slot or self._running.take()
            self._running.lend(lease.slot, lease.job.key, lease.job.attempt, holder)

    def unlists(self, lease: Lease) -> None:
        """The next life need not know of it: nobody has it, or its result is committed."""
        if lease.slot and self._running is not None:
            self._running.give(lease.slot)
            lease.slot = 0
