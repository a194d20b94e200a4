"""Requests that wait because nobody can answer them now and somebody soon will: a shard changes hands, a partition
moves. They are bounded in number and in the bytes that they carry."""

import asyncio
from contextlib import suppress
from typing import Final

from aob.compose.wire.asks import UNTIL
from aob.core.errors import AobError

UNOWNED: Final = "shard_unowned"
UNOWNED_S: Final = 15.0
"""How long a request waits for an owner of its shard at most: a lease of 10 s, and the opening of the shard."""
UNOWNED_MAX: Final = 4_096  # requests of a process that wait for an owner at once
UNOWNED_BYTES: Final = 64 * 2**20  # what these carry, together
AGAIN_S: Final = 0.1
"""How long one waits before it is asked again, while few do."""
FEW: Final = 256  # the more wait, the less often each is asked again


class Waiting:
    """Those of one process."""

    def __init__(self) -> None:
        self.number = self.bytes = 0

    async def turn(
        self, until_s: float, size: int, number_max: int = UNOWNED_MAX, bytes_max: int = UNOWNED_BYTES,
        changed: asyncio.Event | None = None,
    ) -> bool:  # fmt: skip
        """Wait a moment, or until it `changed`. False, at once, after `until_s` of the loop's clock, and while too many
        wait."""
        left_s = until_s - asyncio.get_running_loop().time()
        if left_s <= 0 or self.number >= number_max or self.bytes + size > bytes_max:
            return False
        self.number, self.bytes = self.number + 1, self.bytes + size
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, AGAIN_S * (1 + self.number // FEW))):
                    await (changed or asyncio.Event()).wait()
        finally:
            self.number, self.bytes = self.number - 1, self.bytes - size
        return True


def until(most_s: float) -> float:
    """The end of the present caller's time by the loop's clock: at most so far from now."""
    end_s, told = asyncio.get_running_loop().time() + most_s, UNTIL.get()
    return end_s if told is None else min(end_s, told)


def finds_owner(error: AobError) -> bool:
    """Whether nobody owned the shard that was asked, so that its owner to come may be asked the same: nothing has
    happened, or what has happens once."""
    return error.code == UNOWNED and error.fields.get("repeatable") is True
