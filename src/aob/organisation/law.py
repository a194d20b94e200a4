"""The law of organisations as the journal calls it. One stream a tenant, `org/TENANT`; core makes the decisions. A
topic that expires or is on its way out has a durable timer."""

from typing import Any, Final

import msgspec

from aob.core.organisation import commands as cmd
from aob.core.organisation import decide, evolve
from aob.core.organisation import events as ev
from aob.core.organisation import state as org
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.ports.store import Head, TimerRow

PREFIX: Final = "org/"


class OrganisationLaw(Law):
    """The law of organisations."""

    kind = "organisation"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[ev.OrganisationEvent])
    vital = True

    def fresh(self, name: str) -> org.Organisation:
        return org.Organisation()

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        stream.tenant = stream.name.removeprefix(PREFIX)
        return Verdict(list(decide(stream.state, command, now_ms)), {})

    def fold(self, stream: Stream, events: list[Any]) -> None:
        evolve(stream.state, events)

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """The timers of the topics that these events are about."""
        state: org.Organisation = stream.state
        timers, done = list[TimerRow](), list[tuple[str, str]]()
        for name in {event.topic: None for event in events if isinstance(event, ev.TopicEvent)}:
            topic = state.topics.get(name)
            if topic is not None and topic.due_ms:
                timers.append(TimerRow(stream.name, name, topic.due_ms))
            else:
                done.append((stream.name, name))
        return Changes(None, str(stream.seq), timers or None, done or None)

    def fire(self, timer: str) -> cmd.PassTopic:
        return cmd.PassTopic(timer)

    def head(self, stream: Stream) -> Head:
        return Head(stream.name, self.kind, stream.tenant, self.kind, "active", "", 0, 0, stream.seq)
