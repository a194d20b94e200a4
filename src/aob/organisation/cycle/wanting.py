"""Records that are handled for a task or a plan: only as long as that goes on."""

from aob.core.agent.record import Input
from aob.core.agent.record import commands as cmd
from aob.core.agent_name import WORK
from aob.organisation.cycle.handling import Handling
from aob.organisation.cycle.reading import Reading
from aob.ports.workers import Workers


class Wanting(Reading):
    """What the agents of a shard handle, as far as somebody may not wait for it any more."""

    workers: Workers
    _handling: dict[tuple[str, str], Handling]

    def unsure(self, given: Input) -> bool:
        """Whether it must be looked up if the one that has asked waits still."""
        if not given.asker.startswith(tuple(WORK.values())):
            return False
        asker = self.journal.streams.get(given.asker)
        return asker is None or asker.ended

    async def wanted(self, given: Input) -> bool:
        """Whether the task or plan that a record is for goes on."""
        asker = await self.journal.load(given.asker)
        return asker is None or not asker.ended

    def over(self, name: str, handling: Handling) -> None:
        """A record ends with no effect."""
        self._handling.pop((name, handling.given.visit), None)
        self.workers.cancel(name, handling.given.visit)
        stream = self.journal.streams.get(name)
        version = max(stream.state.version, 1) if stream is not None else 1
        self.journal.tell(name, cmd.End(handling.given, handling.attempt, version))

    def given_up(self, name: str) -> None:
        """Nobody waits any more for what this stream does."""
        stream = self.journal.streams.get(name)
        record = stream.state.open if stream is not None else None
        if record is not None:
            self.journal.tell(name, cmd.Cancel(record.visit, "aob", "nobody waits for it any more"))
            return
        for place, handling in [each for each in self._handling.items() if each[0][0] == name]:
            self.over(place[0], handling)
