"""A process for `cpu` handlers: answers calls from a pipe with JSON, never pickles. Ends with its parent."""

import functools
import importlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import cast

import msgspec

from aob.core.errors import shown
from aob.core.value import decode
from aob.ports.workers import Done, Fault, Result, encode_result
from aob.work.arguments import ArgumentError, Parameters, parameters_of
from aob.work.outcome import fault_of, finished


class Call(msgspec.Struct, frozen=True):
    """How another process finds and calls a function (arguments in canonical JSON). `file` is set when the module was
    loaded from a file's path and not by its name; `typed`: arguments are converted to its annotations."""

    module: str
    qualname: str
    file: str
    args: bytes
    kwargs: bytes
    typed: bool = False


def serve(calls: "Connection[bytes, bytes]", lifeline: "Connection[bytes, bytes]") -> None:
    """Answer calls until the pipe ends. The main function of the process."""
    # Ctrl-C reaches every process of a terminal, and a service stop every process of it; this one is ended by its
    # parent, or with it: its work is never a failed attempt because the home stops.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    me = os.getpid()
    while True:
        try:
            call = msgspec.msgpack.decode(calls.recv_bytes(), type=Call)
            result = perform_call(call)
            if os.getpid() != me:
                os._exit(0)  # forked by the handler: a second answer would be taken for that of another call
            calls.send_bytes(answered(result))
        except (EOFError, OSError):
            return


def perform_call(call: Call) -> Result:
    """Make a call here: its output as canonical JSON, or its fault."""
    try:
        target: object = _module(call)
        for part in call.qualname.split("."):
            target = getattr(target, part)
        fn = cast(Callable[..., object], target)
        args, kwargs = tuple(decode(call.args)), decode(call.kwargs)
        if call.typed:
            try:
                args, kwargs = _parameters(fn).made(args, kwargs)
            except ArgumentError as error:
                raise error.fault(call.qualname, call.module) from error
        return finished(fn(*args, **kwargs))
    except BaseException as error:  # SystemExit too: it is the handler's answer, not the end of the process
        return fault_of(error)


@functools.cache
def _parameters(fn: Callable[..., object]) -> Parameters:
    return parameters_of(fn, inspect.signature(fn))


def answered(result: Result) -> bytes:
    """A result for the pipe; a fault whose detail cannot be encoded shows it as text."""
    try:
        return encode_result(result)
    except Exception:
        if isinstance(result, Done):
            raise
        return encode_result(Fault(result.code, result.message, result.transient, shown(result.detail, 2_000)))


def _module(call: Call) -> object:
    known = sys.modules.get(call.module)
    if known is not None:
        return known
    if call.file:
        from aob.work.app import load_app

        return load_app(call.file)
    return importlib.import_module(call.module)


def _end_with_parent(lifeline: "Connection[bytes, bytes]") -> None:
    # A killed parent ends the pipe, even while the handler is busy.
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
