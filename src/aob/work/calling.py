"""Calls a handler with its arguments and returns its result: on the loop, in a thread, or in a process."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Protocol, cast

from aob.work.arguments import CONTEXT, ArgumentError
from aob.work.blocking import BlockingContext
from aob.work.handlers import Handler, HandlerTable, unbound, where
from aob.work.job import Context, WorkError, permanent, unheard
from aob.work.secrets import NamingContext, Secrets

if TYPE_CHECKING:
    from aob.work.pool import Processes, Threads

Args = tuple[object, ...]
Named = Mapping[str, object]


class Callables(Protocol):
    """The handlers, and where those that do not run on the loop run."""

    @property
    def handlers(self) -> HandlerTable:
        """The handlers by name."""

    @property
    def threads(self) -> "Threads":
        """The threads of plain handlers."""

    @property
    def processes(self) -> "Processes":
        """The processes of `cpu` handlers."""

    @property
    def vault(self) -> Secrets:
        """The secrets that handlers may name."""


def call(
    handler: Handler,
    args: Args,
    named: Named,
    ctx: Context | None,
    tools: Callables,
    pulse: Callable[[], None] = unheard,
    *,
    typed: bool = True,
    tenant: str = "",
) -> Coroutine[object, object, object]:
    """A coroutine that calls the handler. `pulse` is called when the work begins; `tenant` is its tenant: tenants share
    threads and processes.

    `typed`: arguments are converted to the handler's annotations. Raises WorkError, permanent and naming the parameter:
    `call_mismatch` when the arguments do not fit, `argument_type` when one is not of its type.
    """
    if handler.secrets and ctx is not None:
        ctx = cast(Context, NamingContext(ctx, handler.name, handler.secrets, tools.vault))
    if handler.place == "process":  # its arguments are converted where it runs: only JSON crosses
        return _in_process(handler, args, named, tools, pulse, typed, tenant)
    if typed and handler.parameters.types:
        try:
            args, named = handler.parameters.made(args, named)
        except ArgumentError as error:
            raise error.fault(handler.name, where(handler.fn)) from error
    if handler.place == "loop":
        return on_loop(handler, args, named, ctx, pulse)
    return _in_thread(handler, args, named, ctx, tools, pulse, tenant)


def on_loop(
    handler: Handler, args: Args, named: Named, ctx: Context | None, pulse: Callable[[], None]
) -> Coroutine[object, object, object]:
    """The coroutine of a handler on the loop; its arguments are already converted."""
    if handler.takes_ctx:
        named = {**named, CONTEXT: _given(handler, ctx)}
    pulse()
    try:
        made = handler.fn(*args, **named)
    except TypeError as error:
        raise mismatch(handler, args, named) or error from error
    # Returns the handler's own coroutine: no layer between the worker and it.
    return made if type(made) is CoroutineType else _awaited(made)


async def _awaited(made: object) -> object:
    return await made if inspect.isawaitable(made) else made


async def _in_thread(
    handler: Handler,
    args: Args,
    named: Named,
    ctx: Context | None,
    tools: Callables,
    pulse: Callable[[], None],
    tenant: str,
) -> object:
    blocking = None
    if handler.takes_ctx:
        blocking = BlockingContext(_given(handler, ctx), asyncio.get_running_loop())
        named = {**named, CONTEXT: blocking}
    try:
        value: object = await tools.threads.run(functools.partial(handler.fn, *args, **named), pulse, tenant)
    except TypeError as error:
        raise mismatch(handler, args, named) or error from error
    finally:
        if blocking is not None:
            blocking.fence()
    if inspect.iscoroutine(value):
        value.close()
        why = f"{handler.name} returned a coroutine instead of a value"
        hint = "write it as `async def`"
        raise permanent(why, code="handler_not_async", handler=handler.name, where=where(handler.fn), hint=hint)
    return value


async def _in_process(
    handler: Handler, args: Args, named: Named, tools: Callables, pulse: Callable[[], None], typed: bool, tenant: str
) -> object:
    wrong = mismatch(handler, args, named)
    if wrong is not None:
        raise wrong
    from aob.work.pool.processes import call_of

    return await tools.processes.run(call_of(handler.fn, args, named, typed=typed), pulse, tenant)


def mismatch(handler: Handler, args: Args, named: Named) -> WorkError | None:
    """Why a handler cannot be called with these arguments, or None when it can and raised the TypeError itself."""
    why = unbound(handler, args, named)
    if not why:
        return None
    parameters = [name for name in handler.signature.parameters if name != CONTEXT]
    given = sorted(name for name in named if name != CONTEXT)
    hint = (
        f"name the arguments in the node's `input`: {', '.join(parameters) or 'it takes none'}"
        if not args or len(parameters) != 1
        else "leave `input` out of the node, or name what the handler takes"
    )
    return permanent(
        f"{handler.name}() {why}",
        code="call_mismatch",
        handler=handler.name,
        where=where(handler.fn),
        parameters=parameters,
        given=given,
        hint=hint,
    )


def _given(handler: Handler, ctx: Context | None) -> Context:
    if ctx is None:
        why = f"{handler.name} takes ctx, which a tool of an agent is not given"
        hint = "leave ctx out of its parameters"
        raise permanent(why, code="call_mismatch", handler=handler.name, where=where(handler.fn), hint=hint)
    return ctx
