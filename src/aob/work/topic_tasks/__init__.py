"""Functions that an application marks as tasks and planners go in, the agents that perform them and their types come
out."""

from aob.work.topic_tasks.marking import Work, planner, scan_work, task
from aob.work.topic_tasks.performing import PlanContext

__all__ = ["PlanContext", "Work", "planner", "scan_work", "task"]
