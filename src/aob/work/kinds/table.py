"""Each kind of node whose work is done outside a decision, and what performs it."""

from collections.abc import Callable, Coroutine
from typing import Final

from aob.work.kinds import agent, emit, function, http, metric, notify
from aob.work.kinds import object as object_

Performs = Callable[..., Coroutine[object, object, object]]
"""`perform(job, ctx, tools)`: the output (or a Done), or raises; WorkError says exactly how."""

KINDS_WORK: Final[dict[str, Performs]] = {
    "agent": agent.perform,
    "emit": emit.perform,
    "function": function.perform,
    "http": http.perform,
    "metric": metric.perform,
    "notify": notify.perform,
    "object": object_.perform,
}
"""What performs each kind of node."""
