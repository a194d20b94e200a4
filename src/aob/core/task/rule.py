"""What a type of tasks or plans says, as their laws need it. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from aob.core.answers import JsonValue
from aob.core.errors import Problem
from aob.core.task.limit import FAN_OUT, ROUNDS, TASKS, TRIES

JSON: Final = "application/json"


def _anything(parameters: JsonValue) -> list[Problem]:
    return []


class TaskType(msgspec.Struct, frozen=True):
    """A type of tasks. `check` gives what is wrong with parameters. A task that has not ended `deadline_ms` after it
    was asked for fails (0: never). `fail_plan`: its failure is that of its plan."""

    name: str
    check: Callable[[JsonValue], list[Problem]] = _anything
    mime_type: str = JSON
    deadline_ms: int = 0
    fail_plan: bool = False


class PlanType(msgspec.Struct, frozen=True):
    """A type of plans: entries of one round, rounds, tasks over all rounds at most; `tries` answers of the planner for
    one round; `deadline_ms` as of tasks."""

    name: str
    fan_out: int = FAN_OUT
    rounds: int = ROUNDS
    tasks: int = TASKS
    tries: int = TRIES
    deadline_ms: int = 0


class Types(msgspec.Struct, frozen=True):
    """The types of tasks and of plans, by name."""

    tasks: Mapping[str, TaskType] = {}
    plans: Mapping[str, PlanType] = {}


def topic_of(kind: str, type: str) -> str:
    """The topic whose consumer performs a type, which is the name of that agent, too."""
    return f"{kind}.{type}"
