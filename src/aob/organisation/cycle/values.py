"""Values of agents that are outside their records."""

from collections.abc import Awaitable, Callable

import msgspec


class Values(msgspec.Struct, frozen=True):
    """Where they are: to read one by its hash, to put one."""

    fetch: Callable[[str, bytes], Awaitable[bytes]]
    put: Callable[[str, bytes], Awaitable[bytes]]
