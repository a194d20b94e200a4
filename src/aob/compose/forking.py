"""Lets a handler fork, as `multiprocessing` does: the child holds neither the home's lock nor the port, which would
stay taken if it outlived a killed server, and it never runs on as a second server."""

import asyncio
import os
from typing import Final

_held: Final = set[int]()
_loops: Final = list[asyncio.AbstractEventLoop]()
_heard: Final = list[bool]()
ENDED: Final = 70  # exit code of a child that returned to the loop of its parent


def never_in_a_child(handle: int) -> None:
    """Close this file or socket in every child of this process."""
    _hear()
    _held.add(handle)


def given_back(handle: int) -> None:
    """Forget a handle before it is closed, because its number may be reused. Idempotent."""
    _held.discard(handle)


def ends_in_a_child(loop: asyncio.AbstractEventLoop) -> None:
    """End a child at once when it returns from a handler to this loop."""
    _hear()
    _loops[:] = [loop]


def _hear() -> None:
    if not _heard and hasattr(os, "register_at_fork"):  # cannot be undone, so once a process
        _heard.append(True)
        os.register_at_fork(after_in_child=_in_child)


def _in_child() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()
    for loop in _loops:
        if not loop.is_closed():
            loop.call_soon(os._exit, ENDED)
