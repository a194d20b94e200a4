"""The functions of tasks and planners as agents: a request comes as a record, what they return is the reply."""

import inspect
import time
from collections.abc import Callable
from typing import Any

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.expression import EvalError, Expression
from aob.ports.workers import Fault
from aob.work.job import WorkError
from aob.work.topic_agents import Collecting, Received
from aob.work.topic_tasks.input import typed

Function = Callable[..., Any]


class PlanContext(msgspec.Struct, frozen=True):
    """What a planner is shown. `previous_results` are the results of the round before, in the order of its entries;
    `current_state` is `initial` in the first round, else what the planner said as `metadata.state`, or `running`.
    `failure` is why its answer before was no plan. `given` is the whole context of the request."""

    plan_id: str
    plan_type: str
    round: int
    attempt: int
    previous_results: list[JsonValue]
    current_state: str
    given: JsonObject
    metadata: JsonObject
    failure: JsonObject | None = None


def working(fn: Function, kind: object, retries: Expression | None) -> Function:
    """The function of a task as that of an agent."""

    takes_ctx = "ctx" in inspect.signature(fn).parameters

    async def perform(record: Received, ctx: Collecting) -> None:
        parameters = record.data.get("parameters") or {}
        await _replied(fn, typed(kind, parameters), ctx if takes_ctx else None, ctx, retries)

    return perform


def planning(fn: Function, retries: Expression | None) -> Function:
    """The function of a planner as that of an agent."""

    takes_ctx = "ctx" in inspect.signature(fn).parameters

    async def perform(record: Received, ctx: Collecting) -> None:
        told = record.data
        context = told["context"]
        shown = PlanContext(
            told["plan_id"], told["plan_type"], told["round"], told["attempt"], context["previous_results"],
            context["current_state"], context, told.get("metadata") or {}, told.get("failure"),
        )  # fmt: skip
        await _replied(fn, shown, ctx if takes_ctx else None, ctx, retries)

    return perform


async def _replied(fn: Function, given: object, passed: object, ctx: Collecting, retries: Expression | None) -> None:
    begun = time.monotonic()
    try:
        found = await (fn(given) if passed is None else fn(given, ctx=passed))
    except Exception as error:
        if retries is not None and not _retried(retries, error, ctx.attempt):
            code = error.fault.code if isinstance(error, WorkError) else "exception"
            raise WorkError(str(error) or type(error).__name__, code=code, transient=False) from error
        raise
    dump = getattr(found, "model_dump", None)  # of a pydantic model
    data = dump(mode="json") if callable(dump) else msgspec.to_builtins(found, str_keys=True)
    ctx.reply({"result": data, "took_ms": round((time.monotonic() - begun) * 1_000)})


def _retried(retries: Expression, error: Exception, attempt: int) -> bool:
    """Whether a failure is to be tried again, as the condition of its type says; a condition that fails says no."""
    fault = error.fault if isinstance(error, WorkError) else Fault("exception", str(error), True)
    told: JsonObject = {"code": fault.code, "message": fault.message, "retryable": fault.transient}
    try:
        return bool(retries.eval({"error": told, "attempt": attempt}))
    except EvalError:
        return False
