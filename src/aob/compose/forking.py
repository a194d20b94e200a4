"""A handler may fork, as `multiprocessing` does. Its child holds neither the lock of the home nor the port, which would
be taken when it outlives a killed server; and it never goes on as a second server.
"""

import asyncio
import os
from typing import Final

_held: Final = set[int]()
_loops: Final = list[asyncio.AbstractEventLoop]()
_heard: Final = list[bool]()
ENDED: Final = 70
"""Exit code of a child that came back to the loop of its parent."""


def never_in_a_child(handle: int) -> None:
    """A file or socket that a child of this process does not keep."""
    _hear()
    _held.add(handle)


def given_back(handle: int) -> None:
    """It is about to be closed: its number may be another one's. Twice is fine."""
    _held.discard(handle)


def ends_in_a_child(loop: asyncio.AbstractEventLoop) -> None:
    """A child that returns from a handler to this loop ends at once."""
    _hear()
    _loops[:] = [loop]


def _hear() -> None:
    if not _heard and hasattr(os, "register_at_fork"):  # there is no way to take this back, so once a process
        _heard.append(True)
        os.register_at_fork(after_in_child=_in_child)


def _in_child() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()
    for loop in _loops:
        if not loop.is_closed():
            loop.call_soon(os._exit, ENDED)
