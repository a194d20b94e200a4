"""The laws of tasks and plans as the journal calls them: one stream each, `@task/TENANT/ID` and `@plan/TENANT/ID`, in
the partition of its id. What core decides becomes events, records of topics, messages to other streams and a timer, all
of one commit."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from aob.core.agent_name import WORK, agent_stream
from aob.core.asked import Answered, GivenUp
from aob.core.errors import AobError
from aob.core.event import PARTITIONS, Message, derived_id, partition_of
from aob.core.task import Kind, Types, plans, tasks, topic_of
from aob.core.task import commands as cmd
from aob.core.task import events as ev
from aob.core.task import messages as msg
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes, Made
from aob.journal.messages import Outgoing
from aob.ports.log import Record
from aob.ports.store import Head, TimerRow

Events = list[Any]
DEADLINE: Final = "deadline"
SOURCES: Final[dict[Kind, str]] = {"task": "aob.tasks", "plan": "aob.plans"}
_encode: Final = msgspec.json.Encoder().encode
_messages: Final = msgspec.json.Decoder(Answered | msg.Give | msg.Stop | msg.Over)


class WorkLaw(Law):
    """What the laws of tasks and of plans have in common. `types` are those of the application."""

    spread = True
    kind: Kind

    def __init__(self, types: Types) -> None:
        self.types = types
        self.partitions_of: Callable[[], int] = lambda: PARTITIONS

    def decided(self, stream: Stream, command: object, now_ms: int) -> msg.Decision:
        """What core says."""
        raise NotImplementedError

    def decide(self, stream: Stream, command: object, now_ms: int) -> Verdict:
        tenant = stream.tenant = tenant_of(stream.name)
        decision = self.decided(stream, command, now_ms)
        records = [self._made(stream, tenant, decision, number) for number in range(len(decision.records))]
        messages = [Outgoing(each.stream, _encode(each.body)) for each in decision.told]
        return Verdict(list(decision.events), {}, messages=messages, records=records)

    def _made(self, stream: Stream, tenant: str, decision: msg.Decision, number: int) -> Made:
        made, state = decision.records[number], stream.state
        request = state.request or decision.events[0].request
        correlation = state.correlation or request.request_id or request.id
        asks = {"asker": stream.name, "ask": made.ask, "priority": request.priority} if made.ask else {}
        record = Record(
            derived_id("rec", stream.name, stream.seq, number), SOURCES[self.kind], made.type, tenant, request.id,
            msgspec.Raw(made.data), correlationid=correlation, depth=state.depth, extensions=asks,
        )  # fmt: skip
        return Made(made.topic, partition_of(request.id, self.partitions_of()), record)

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        """An answer of the agent, or what a plan and its tasks tell each other. Nothing of it is ever refused."""
        stream.tenant = tenant_of(stream.name)
        if message.refused:
            return Verdict([], {})
        told = _messages.decode(message.body)
        if isinstance(told, Answered) and message.source != self._agent(stream):
            return Verdict([], {})  # another consumer of the topic of its type
        command = cmd.Answer(told.ask, told.data, told.failed) if isinstance(told, Answered) else told
        try:
            return self.decide(stream, command, now_ms)
        except AobError:
            return Verdict([], {})

    def _agent(self, stream: Stream) -> str:
        """The stream of the agent's key that performs it; empty for what was not asked for."""
        state = stream.state
        named = state.request is not None
        return agent_stream(stream.tenant, topic_of(self.kind, state.request.type), state.id) if named else ""

    def changes(self, stream: Stream, events: Events) -> Changes:
        state, timers, done, stop = stream.state, None, None, None
        for event in events:
            if isinstance(event, ev.Requested) and event.due_ms:
                timers = [TimerRow(stream.name, DEADLINE, event.due_ms)]
            elif isinstance(event, ev.Ended):
                done = [(stream.name, DEADLINE)] if state.due_ms else None
                stop = GivenUp(self._agent(stream)) if event.status != msg.COMPLETED else None
        return Changes(stop, state.status, timers, done, over=state.final)

    def fire(self, timer: str) -> cmd.Ring:
        return cmd.Ring()

    def head(self, stream: Stream) -> Head:
        state = stream.state
        info = _encode({"plan_id": getattr(state, "plan", ""), "request_id": state.request.request_id})
        return Head(
            stream.name, self.kind, stream.tenant, state.request.type, state.status, state.reason[:200],
            state.requested_ms, state.ended_ms, stream.seq, info,
        )  # fmt: skip

    def rests(self, stream: Stream) -> bool:
        return True

    def rests_as(self, head: Head) -> bool:
        return True

    def over(self, stream: Stream) -> bool:
        return bool(stream.state.final)

    async def restore(self, stream: Stream) -> None:
        stream.tenant = tenant_of(stream.name)


class TaskLaw(WorkLaw):
    """Tasks."""

    kind: Kind = "task"
    prefix = WORK["task"]
    decoder = ev.task_events

    def fresh(self, name: str) -> tasks.Task:
        return tasks.Task(name)

    def decided(self, stream: Stream, command: object, now_ms: int) -> msg.Decision:
        return tasks.decide(stream.state, command, self.types, now_ms)

    def fold(self, stream: Stream, events: Events) -> None:
        for event in events:
            tasks.evolve(stream.state, event)


class PlanLaw(WorkLaw):
    """Plans."""

    kind: Kind = "plan"
    prefix = WORK["plan"]
    decoder = ev.plan_events

    def fresh(self, name: str) -> plans.Plan:
        return plans.Plan(name)

    def decided(self, stream: Stream, command: object, now_ms: int) -> msg.Decision:
        return plans.decide_plan(stream.state, command, self.types, now_ms)

    def fold(self, stream: Stream, events: Events) -> None:
        for event in events:
            plans.evolve_plan(stream.state, event)


def tenant_of(stream: str) -> str:
    """The tenant in the name of a stream of a task or a plan."""
    return stream.split("/", 2)[1]
