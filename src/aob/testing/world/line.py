"""A line between shards that loses deliveries and answers, repeats and reorders them, at random."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from aob.core.errors import Unavailable
from aob.core.event import MessageMark
from aob.journal.messages import Delivery
from aob.testing.world.lives import LIFE

KEPT: Final = 20  # earlier deliveries that may be repeated
Take = Callable[[Delivery], Awaitable[MessageMark]]


class Line:
    """`rate` is the chance of each fault, `take` delivers."""

    def __init__(self, dice: Random, take: Take, told: Callable[[str], None]) -> None:
        self._dice, self._take, self._told = dice, take, told
        self.rate = 0.0
        self.slow_s = 0.5
        self._old: list[Delivery] = []
        self._late: set[asyncio.Task[None]] = set()

    def _chance(self) -> bool:
        return self.rate > 0 and self._dice.random() < self.rate

    async def post(self, delivery: Delivery) -> MessageMark:
        """Deliver; returns the mark of the receiver. Raises Unavailable when the delivery or its answer is lost."""
        await asyncio.sleep(self._dice.random() * self.slow_s)
        if self._chance():
            self._told(f"delivery lost: {delivery.sender} to {delivery.receiver}")
            raise Unavailable("the simulated line lost it", code="shard_lost")
        sent = self._distorted(delivery)
        self._old = [*self._old[-KEPT:], sent]
        while self._chance():
            self._again(self._dice.choice(self._old))
        mark = await self._take(sent)
        await asyncio.sleep(self._dice.random() * self.slow_s)
        if self._chance():
            self._told(f"answer lost: {delivery.sender} to {delivery.receiver}")
            raise Unavailable("the simulated line lost the answer", code="shard_lost")
        return mark

    def _distorted(self, delivery: Delivery) -> Delivery:
        """Some of its messages, in any order, perhaps twice."""
        messages = list(delivery.messages)
        if self._chance():
            self._dice.shuffle(messages)
        if self._chance():
            messages += messages[: self._dice.randint(0, len(messages))]
        if self._chance():
            del messages[self._dice.randrange(len(messages))]
        return Delivery(delivery.sender, delivery.receiver, delivery.first, messages or delivery.messages)

    def _again(self, delivery: Delivery) -> None:
        """Repeat a delivery some time later; its answer is ignored, and it ends with no process."""
        kept = LIFE.set(0)
        try:
            task = asyncio.create_task(self._later(delivery))
        finally:
            LIFE.reset(kept)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _later(self, delivery: Delivery) -> None:
        await asyncio.sleep(self._dice.random() * 20 * self.slow_s)
        try:
            await self._take(delivery)
        except Unavailable:
            self._told("an old delivery came to nobody")
