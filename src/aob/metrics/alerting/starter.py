"""How an alert starts workflows: what the room asks of whoever runs them, and the steps that make a start happen once.

The decision is committed before the start, under a key of the firing; a start that was cut off is asked again under the
same key, which names the same run.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from aob.core.answers import JsonValue
from aob.core.errors import Busy, CallerError
from aob.core.expression import EvalError
from aob.core.metric.alert import AlertState, Begin, Judge, Settle
from aob.journal import Journal
from aob.metrics.alerting.law import stream_of


class Starter(Protocol):
    """Whoever starts workflows."""

    async def start(
        self, tenant: str, workflow: str, inputs: Mapping[str, JsonValue], *, tag: str, key: str, alert: str
    ) -> str:
        """The id of the run; the same key is the same run. Raises CallerError when it will never be, Busy or OurError
        when it may be later."""
        ...

    async def open_runs(self, tenant: str, run_ids: Sequence[str]) -> Collection[str]:
        """Those of these runs that have not ended."""
        ...


async def begin(journal: Journal, starter: Starter, state: AlertState, judge: Judge, key: str) -> bool:
    """Decide on the start that a firing calls for. False when it has to wait: too many of its runs are open."""
    instance = state.instances.get(key)
    if instance is None:
        return True
    inputs: dict[str, JsonValue] = {}
    refused = ""
    try:
        inputs = judge.inputs(instance)
    except EvalError as error:
        refused = f"its inputs cannot be made: {error.detail}"
    open_runs = tuple(sorted(await starter.open_runs(state.tenant, state.runs))) if state.runs else ()
    command = Begin(key, judge.contract, inputs, open_runs, refused)
    decided = await journal.ask(stream_of(state.tenant, state.name), command)
    return bool(decided.events)


async def start_due(journal: Journal, starter: Starter, state: AlertState) -> None:
    """Start what was decided and is not settled. Raises Busy and OurError: it is to be tried again."""
    for due in list(state.due.values()):
        run_id = reason = ""
        try:
            run_id = await starter.start(
                state.tenant, due.workflow, due.inputs, tag=due.tag, key=due.start_key, alert=state.name
            )
        except CallerError as error:
            if isinstance(error, Busy):
                raise
            reason = f"{error.code}: {error.detail}"
        command = Settle(due.key, due.start_key, run_id, reason)
        await journal.ask(stream_of(state.tenant, state.name), command)
