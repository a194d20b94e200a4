"""Handlers of an application that another process can import."""

import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

from aob.work import WorkError, node


@node(cpu=True)
def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


@node(cpu=True)
def pid() -> int:
    """The process that this runs in."""
    return os.getpid()


@node(cpu=True)
def spin(path: str) -> None:
    """Say that it has begun, and never end."""
    with open(path, "w", encoding="utf-8") as pipe:
        pipe.write(f"{os.getpid()}\n")
    while True:
        pass


@node(cpu=True)
def fail(how: str) -> Any:
    """Fail in one of the ways there are."""
    if how == "raise":
        raise KeyError("order")
    if how == "exit":
        raise SystemExit(3)
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "say":
        raise WorkError("no stock", code="no_stock", transient=False, detail={"left": 0})
    if how == "say odd":
        raise WorkError("odd", detail=object())
    return object()


@node(cpu=True)
def fork() -> str:
    """Its child returns as well."""
    return "parent" if os.fork() else "child"


@node(cpu=True)
def label(text: str, at: datetime) -> dict[str, Any]:
    """Takes a time, which crosses as text and is made in the process."""
    return {"text": text, "year": at.year}


@node(cpu=True)
def summed(items: list[int]) -> int:
    """Adds up a list."""
    return sum(items)


@node(cpu=True)
def stand(path: str) -> None:
    """Wait for somebody who writes into a pipe."""
    with open(path, encoding="utf-8") as pipe:
        pipe.read()


@node(cpu=True, effect="once")
def pay_and_die(ledger: str) -> str:
    """Acts, and then its process dies."""
    with Path(ledger).open("a") as file:
        file.write("paid\n")
    os._exit(3)
