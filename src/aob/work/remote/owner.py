"""The port `Workers` of one owner of runs: its jobs go to workers of other processes, by the hub that all owners of a
process share."""

from aob.ports.workers import Job, Workers
from aob.work.remote.claims import Key
from aob.work.remote.lease import Owner
from aob.work.remote.workers import Hub


class RemoteWorkers(Workers):
    """The port `Workers` of one owner: its jobs go to workers of other processes."""

    def __init__(self, hub: Hub, owner: Owner) -> None:
        self.hub, self._owner = hub, owner
        self.cut_off: list[Job] = []
        self._stopped = False
        hub.owners.append(owner)

    def submit(self, job: Job) -> None:
        if not self._stopped:
            self.hub.submit(job, self._owner)

    def cancel(self, run: str, visit: str, attempt: int | None = None) -> bool:
        return self.hub.cancel(run, visit, attempt)

    def withdraw(self, run: str, visit: str) -> Job | None:
        return self.hub.withdraw(run, visit)

    def runs(self, run: str, visit: str) -> bool:
        return self.hub.runs(run, visit)

    def held(self) -> dict[Key, int]:
        return {lease.key: lease.job.attempt for lease in self.hub.held(self._owner)}

    async def stop(self, drain_s: float = 0.0) -> None:
        """Take no new jobs. What workers have goes on there: `drain_s` does not matter."""
        if not self._stopped:
            self._stopped = True
            self.cut_off = self.hub.abandon(self._owner)
