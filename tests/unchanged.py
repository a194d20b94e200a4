"""A test file leaves the process as it was: what it leaves changed is what later files in the same process see."""

import asyncio
import gc
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from aob.ports import logger

KINDS = (int, float, str, bytes, tuple, frozenset)
SIGNALS: Final = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE]

GOES_BY: Final = re.compile("AOB_|PYTHON|OTEL_|PG|(PATH|HOME|TZ|TMPDIR|LANG|LC_ALL)$").match


def constants() -> dict[tuple[str, str], Any]:
    """The constants of all loaded modules of the product, by module and name."""
    return {
        (module, name): value
        for module, loaded in list(sys.modules.items()) if module.partition(".")[0] == "aob"
        for name, value in list(vars(loaded).items()) if name.isupper() and isinstance(value, KINDS)
    }  # fmt: skip


def changed(before: dict[tuple[str, str], Any]) -> list[str]:
    """Puts back the constants that are not as before; returns their names. Modules loaded since are not looked at."""
    left: list[str] = []
    for (module, name), value in constants().items():
        was = before.get((module, name), value)
        if was is not value and was != value:
            vars(sys.modules[module])[name] = was
            left.append(f"{module}.{name}: {was!r:.80} became {value!r:.80}")
    return left


def umask() -> int:
    """The rights that new files do not get, which can only be read by setting them."""
    os.umask(now := os.umask(0o022))
    return now


def environment() -> dict[str, str]:
    """The variables by which the product and Python go. `AOB_MASTER_KEY` comes with the server of a run and stays."""
    return {name: value for name, value in os.environ.items() if GOES_BY(name) and name != "AOB_MASTER_KEY"}


def set_environment(to: dict[str, str]) -> None:
    """Make the variables these."""
    for name in environment().keys() - to.keys():
        del os.environ[name]
    os.environ.update(to)


def set_handlers(to: list[Any]) -> None:
    """Make the handlers of signals these."""
    for each, handler in zip(SIGNALS, to, strict=True):
        signal.signal(each, handler)


STATE: Final[dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]] = {
    "umask": (umask, os.umask),
    "folder": (os.getcwd, os.chdir),
    "environment": (environment, set_environment),
    "handlers of signals": (lambda: [signal.getsignal(each) for each in SIGNALS], set_handlers),
    "pause between threads": (sys.getswitchinterval, sys.setswitchinterval),
    "time-out of sockets": (socket.getdefaulttimeout, socket.setdefaulttimeout),
    "collector": (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    "limit of recursion": (sys.getrecursionlimit, sys.setrecursionlimit),
    "hook of errors": (lambda: sys.excepthook, lambda to: setattr(sys, "excepthook", to)),
    "hook of errors in threads": (lambda: threading.excepthook, lambda to: setattr(threading, "excepthook", to)),
    "level of the log": (lambda: logging.getLogger().level, logging.getLogger().setLevel),
    "policy of loops": (lambda: type(asyncio.get_event_loop_policy()), lambda _: asyncio.set_event_loop_policy(None)),
}
"""What a process has one of: how it is read, and how it is put back."""


def state() -> dict[str, Any]:
    """What a process has one of, by name."""
    return {name: read() for name, (read, _) in STATE.items()}


def moved(before: dict[str, Any]) -> list[str]:
    """Puts back what is not as before; returns what it was and became."""
    left: list[str] = []
    for name, now in state().items():
        if (was := before[name]) != now:
            STATE[name][1](was)
            left.append(f"{name}: {told(was, now)}")
    return left


def told(was: Any, now: Any) -> str:
    """The difference of two values: of two environments by their names, which may hold secrets."""
    if isinstance(was, dict):
        return ", ".join(sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name)))
    return f"{was!r:.200} became {now!r:.200}"


def log() -> tuple[list[Any], dict[str, Any] | None]:
    """How lines of the log are made, and how they will be at the next line."""
    structlog = sys.modules.get("structlog")
    known = structlog.get_config() if structlog is not None and structlog.is_configured() else None
    return list(logger._set_up), known


def set_log(to: tuple[list[Any], dict[str, Any] | None]) -> None:
    """Make them so."""
    logger._set_up[:], known = to
    structlog = sys.modules.get("structlog")
    if structlog is not None:
        structlog.reset_defaults() if known is None else structlog.configure(**known)


@pytest.fixture(scope="module", autouse=True)
def unchanged_process() -> Iterator[None]:
    """A test file leaves no constant of the product changed, and nothing that a process has one of. Commands that it
    performs set up the log, which is put back."""
    before, had, lines = constants(), state(), log()
    yield
    set_log(lines)
    assert not (left := changed(before) + moved(had)), f"what this file left changed: {left}"
