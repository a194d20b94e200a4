"""A shard wherever it is: the one of this process while it is open here, else its owner over the network."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aob.compose.network import RemoteShard, not_owner
from aob.compose.shards.local import Shard
from aob.compose.wire import LOST
from aob.core.errors import Unavailable
from aob.core.policy import Caller

NOT_OWNER: Final = not_owner(0).code


class Placed:
    """The port `Shard`. `here` are the open shards of this process."""

    owned = True

    def __init__(self, here: Mapping[int, Shard], far: RemoteShard) -> None:
        self.number, self._here, self._far = far.number, here, far

    async def __aenter__(self) -> "Placed":
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Others own it, or this process by another way."""

    @property
    def up(self) -> bool:
        """Whether its owner can be asked."""
        return self.number in self._here or self._far.up

    @property
    def state(self) -> str:
        """`ok`, or why it cannot be asked."""
        return "ok" if self.number in self._here else self._far.state

    async def ready(self) -> None:
        """Wait until its owner can be asked."""
        if self.number not in self._here:
            await self._far.ready()

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb."""
        here = self._here.get(self.number)
        if here is not None:
            try:
                return await here.call(verb, who, *args, **named)
            except Unavailable as error:
                if error.code != NOT_OWNER:
                    raise
        return await self._far.call(verb, who, *args, **named)

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a streaming verb. Raises Unavailable `shard_lost` when it goes to another owner."""
        here, given = self._here.get(self.number), False
        if here is not None:
            try:
                async for item in here.stream(verb, who, *args, **named):
                    given = True
                    yield item
                return
            except Unavailable as error:
                if error.code != NOT_OWNER:
                    raise
                if given:
                    raise Unavailable(
                        f"shard {self.number} goes to another owner", code=LOST, shard=self.number,
                        hint="ask again from the last position", retry_after_s=1.0,
                    ) from error  # fmt: skip
        async for item in self._far.stream(verb, who, *args, **named):
            yield item
