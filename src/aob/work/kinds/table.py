"""The kinds of nodes whose work is done outside a decision, and the function that performs each."""

from collections.abc import Callable, Coroutine
from typing import Final

from aob.work.kinds import agent, emit, function, http, metric, notify
from aob.work.kinds import object as object_

Performs = Callable[..., Coroutine[object, object, object]]
"""`perform(job, ctx, tools)`: returns the output (or a Done), or raises; WorkError gives the exact fault."""

KINDS_WORK: Final[dict[str, Performs]] = {
    "agent": agent.perform,
    "emit": emit.perform,
    "function": function.perform,
    "http": http.perform,
    "metric": metric.perform,
    "notify": notify.perform,
    "object": object_.perform,
}
"""The function that performs each kind of node."""
