"""The commands to a task or a plan from callers, timers and the agents that perform them. Not stored."""

import msgspec

from aob.core.task.request import Request
from aob.core.value import Cell


class Submit(msgspec.Struct, gc=False):
    """Somebody asks for it. `correlation` and `depth` are those of the record that it came by, if it came by one."""

    request: Request
    by: str
    correlation: str = ""
    depth: int = 1


class Answer(msgspec.Struct, gc=False):
    """The agent that was asked under `ask` has answered, or failed with `data`."""

    ask: str
    data: Cell
    failed: bool = False


class Cancel(msgspec.Struct, gc=False):
    """It is not needed any more."""

    by: str
    reason: str = ""


class Ring(msgspec.Struct, gc=False):
    """Its time is over."""
