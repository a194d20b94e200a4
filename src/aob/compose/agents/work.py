"""Wires tasks and plans to a shard, and declares their topics."""

from collections.abc import Awaitable, Callable
from typing import Final

from aob.core.errors import Conflict
from aob.core.policy import LOCAL
from aob.core.task import messages, topic_of
from aob.core.verbs.work import task_verbs
from aob.journal import Journal
from aob.runs import Core
from aob.tasks import Asking, PlanLaw, TaskLaw, TaskVerbs, request_agents
from aob.views import Views
from aob.work import HandlerTable
from aob.work.topic_agents import Agent

PURPOSES: Final = {"task": "tasks of this type, for the agent that performs it", "plan": "rounds of plans of this type"}
OWNER: Final = "aob"


def performs_work(handlers: HandlerTable) -> bool:
    """Whether an application has tasks or planners."""
    return bool(handlers.types.tasks or handlers.types.plans)


def agents_of(handlers: HandlerTable, journal: Journal | None = None) -> dict[str, Agent]:
    """The agents of an application, and those that read requests if it has tasks or planners."""
    return {**handlers.agents, **(request_agents(journal) if performs_work(handlers) else {})}


def attach_work(views: Views, core: Core) -> None:
    """Gives the verbs of a shard those of tasks and plans, and the laws of these the number of its partitions."""
    journal = core.journal
    for law in journal.laws:
        if isinstance(law, TaskLaw | PlanLaw):
            law.partitions_of = lambda: journal.partitions
    verbs = TaskVerbs(Asking(journal, lambda: core.waiters))
    for verb in task_verbs.VERBS:
        setattr(views, verb.name, getattr(verbs, verb.name))


async def declare_work(create_topic: Callable[..., Awaitable[object]], handlers: HandlerTable) -> None:
    """Declares the topics of tasks and plans, if the application has any types."""
    if not performs_work(handlers):
        return
    named = dict.fromkeys(messages.TOPICS, "tasks and plans")
    named |= {topic_of("task", type): PURPOSES["task"] for type in handlers.types.tasks}
    named |= {topic_of("plan", type): PURPOSES["plan"] for type in handlers.types.plans}
    for topic, purpose in named.items():
        try:
            await create_topic(LOCAL, topic, owner=OWNER, purpose=purpose)
        except Conflict as error:
            if error.code != "topic_exists":
                raise
