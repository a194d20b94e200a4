"""An organisation, its clock, and every event that it led to, written and read as the journal would."""

from copy import deepcopy
from typing import Any, Final

import msgspec

from aob.core.errors import CallerError
from aob.core.organisation import commands as cmd
from aob.core.organisation import decide, evolve
from aob.core.organisation.event import OrganisationEvent
from aob.core.organisation.parts import Definition, Organisation, TopicSpec

HOUR: Final = 3_600_000
_events: Final = msgspec.json.Decoder(list[OrganisationEvent])
SPEC: Final = TopicSpec("ann")


class Desk:
    """Asks the law as the journal does. A refused command changes nothing."""

    def __init__(self) -> None:
        self.state, self.now_ms = Organisation(), 1_000_000
        self.events: list[OrganisationEvent] = []

    def ask(self, command: cmd.Command) -> list[OrganisationEvent]:
        before = deepcopy(self.state)
        try:
            decided = decide(self.state, command, self.now_ms)
        except CallerError:
            assert self.state == before
            raise
        assert self.state == before, "to decide changes nothing"
        events = _events.decode(msgspec.json.encode(decided))
        assert events == decided
        evolve(self.state, events)
        self.events += events
        return events

    def request(self, topic: str, spec: TopicSpec = SPEC, by: str = "ann") -> list[OrganisationEvent]:
        return self.ask(cmd.RequestTopic(by, "key", topic, spec, 64))

    def delete(self, topic: str, drain_ms: int = HOUR, keep_ms: int = HOUR) -> list[OrganisationEvent]:
        return self.ask(cmd.DeleteTopic("ann", "key", topic, drain_ms, keep_ms, "old"))

    def undelete(self, topic: str) -> list[OrganisationEvent]:
        return self.ask(cmd.RestoreTopic("ann", "key", topic))

    def register(self, agent: str, owner: str = "", **definition: Any) -> list[OrganisationEvent]:
        return self.ask(cmd.RegisterAgent("ann", "key", agent, owner, Definition(**definition), ("order.created",)))

    def deploy(self, agent: str, version: int, percent: int) -> list[OrganisationEvent]:
        return self.ask(cmd.DeployAgent("ann", "key", agent, version, percent * 100))

    def how(self, topic: str) -> str:
        """The state of a topic."""
        return self.state.topics[topic].state

    def after(self, ms: int) -> None:
        """Time passes, and the timers that are due by then ring in order."""
        until_ms = self.now_ms + ms
        while due := [t for t in self.state.topics.values() if t.due_ms and t.due_ms <= until_ms]:
            first = min(due, key=lambda topic: topic.due_ms)
            self.now_ms = max(self.now_ms, first.due_ms)
            assert self.ask(cmd.PassTopic(first.name)), "a timer that is due does something"
        self.now_ms = until_ms


def folded(events: list[Any]) -> Organisation:
    """What these events make of nothing."""
    return evolve(Organisation(), events)
