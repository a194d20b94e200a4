"""Wires tasks and plans to a shard, and declares their topics."""

from collections.abc import Awaitable, Callable
from typing import Final

from aob.core.errors import AobError
from aob.core.policy import LOCAL
from aob.core.task import messages, topic_of
from aob.core.verbs.work import task_verbs
from aob.journal import Committed, Journal
from aob.ports.logger import Logger
from aob.ports.telemetry import Telemetry
from aob.runs import Core
from aob.tasks import Asking, PlanLaw, TaskLaw, TaskVerbs, request_agents
from aob.views import Views
from aob.work import HandlerTable
from aob.work.topic_agents import Agent

PURPOSES: Final = {"task": "tasks of this type, for the agent that performs it", "plan": "rounds of plans of this type"}
OWNER: Final = "aob"
log: Final = Logger("aob.compose")


def performs_work(handlers: HandlerTable) -> bool:
    """Whether an application has tasks or planners."""
    return bool(handlers.types.tasks or handlers.types.plans)


def agents_of(handlers: HandlerTable, journal: Journal | None = None) -> dict[str, Agent]:
    """The agents of an application, and those that read requests if it has tasks or planners."""
    return {**handlers.agents, **(request_agents(journal) if performs_work(handlers) else {})}


def attach_work(views: Views, core: Core, telemetry: Telemetry) -> None:
    """Gives the verbs of a shard those of tasks and plans, and the laws of these the number of its partitions. From now
    on the times of those that end are told."""
    journal = core.journal
    for law in journal.laws:
        if isinstance(law, TaskLaw | PlanLaw):
            law.partitions_of = lambda: journal.partitions
    verbs = TaskVerbs(Asking(journal, lambda: core.waiters))
    for verb in task_verbs.VERBS:
        setattr(views, verb.name, getattr(verbs, verb.name))
    before = core.committed_too

    def committed(commit: Committed) -> None:
        if before is not None:
            before(commit)
        for told in commit.told:
            if told.changes.over and isinstance(told.stream.law, TaskLaw | PlanLaw):
                took_s, errors = told.stream.state.took_ms / 1_000, int(told.changes.status != messages.COMPLETED)
                telemetry.stage(told.stream.law.kind, took_s, errors=errors)

    core.committed_too = committed


async def declare_work(
    create_topic: Callable[..., Awaitable[object]], handlers: HandlerTable, *, firmly: bool
) -> None:  # fmt: skip
    """Declares the topics of tasks and plans, if the application has any types. Raises what keeps it from that if it
    is to be done `firmly`, else tells the log."""
    if not performs_work(handlers):
        return
    named = dict.fromkeys(messages.TOPICS, "tasks and plans")
    named |= {topic_of("task", type): PURPOSES["task"] for type in handlers.types.tasks}
    named |= {topic_of("plan", type): PURPOSES["plan"] for type in handlers.types.plans}
    for topic, purpose in named.items():
        try:
            await create_topic(LOCAL, topic, owner=OWNER, purpose=purpose)
        except AobError as error:
            if error.code == "topic_exists":
                continue
            if firmly:
                raise
            log.warning("topic_not_declared", topic=topic, code=error.code, detail=error.detail)
