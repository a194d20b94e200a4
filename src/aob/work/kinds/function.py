"""`function`: calls the application's handler by name. Its arguments are the names of `input:`, else those of the value
when the handler takes names, else the value."""

import inspect
from collections.abc import Coroutine, Mapping

from aob.core.node import FunctionConfig
from aob.core.rules import FIRST_RULES
from aob.ports.workers import Job
from aob.work.calling import Callables, call, mismatch, on_loop
from aob.work.effect import called_once
from aob.work.handlers import Handler
from aob.work.job import Context, permanent
from aob.work.pool import Perform


def perform(job: Job, ctx: Context | None, tools: Callables) -> Coroutine[object, object, object]:
    """The handler's own coroutine. Raises WorkError `handler_missing`, `call_mismatch`, or what the handler raises."""
    config: FunctionConfig = job.task.config
    handler = tools.handlers.get(config.handler)
    if handler is None:
        known = ", ".join(sorted(tools.handlers)[:20]) or "none"
        why = f"no worker has the handler {config.handler!r}"
        hint = f"start with --app MODULE that marks it with @node; known: {known}"
        raise permanent(why, code="handler_missing", handler=config.handler, hint=hint)
    if job.task.spec.effect == "once" and ctx is not None:
        return called_once(ctx, handler.name, lambda covered: _called(job, covered, handler, tools))
    return _called(job, ctx, handler, tools)


def bare(handler: Handler) -> Perform | None:
    """The coroutine function of a handler that needs only an unconverted value, or nothing."""
    fn = handler.fn
    if not handler.plain or not inspect.iscoroutinefunction(fn):
        return None
    takes_value = handler.takes_value

    def call(job: Job) -> Coroutine[object, object, object]:
        try:
            return fn(job.input) if takes_value else fn()
        except TypeError as error:
            raise mismatch(handler, (job.input,) if takes_value else (), {}) or error from error

    return call


def _called(job: Job, ctx: Context | None, handler: Handler, tools: Callables) -> Coroutine[object, object, object]:
    if handler.plain and not job.has_input_map:  # as below, written out: most jobs take this path
        return on_loop(handler, (job.input,) if handler.takes_value else (), {}, None, job.pulse)
    args: tuple[object, ...] = ()
    named: Mapping[str, object] = {}
    typed = job.task.rules > FIRST_RULES
    if job.has_input_map:
        named = job.input
    elif typed and handler.parameters.spread and isinstance(job.input, Mapping):
        named = handler.parameters.named(job.input)
    elif handler.takes_ctx and handler.value_name:
        named = {handler.value_name: job.input}  # by name, because ctx may precede it
    elif handler.takes_value:
        args = (job.input,)
    return call(handler, args, named, ctx, tools, job.pulse, typed=typed, tenant=job.tenant)
