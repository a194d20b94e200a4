"""Requests for tasks and plans go in, by calls and by records of topics; results come out. The agents of their types do
the work."""

from aob.tasks.asking import Asking, joined_page, stream_asked
from aob.tasks.facade import request_agents
from aob.tasks.law import PlanLaw, TaskLaw
from aob.tasks.verbs import TaskVerbs

__all__ = ["Asking", "PlanLaw", "TaskLaw", "TaskVerbs", "joined_page", "request_agents", "stream_asked"]
