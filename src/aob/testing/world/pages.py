"""Pages of state in a simulated world: what is read of them is gone, damaged or one of before, as the dice say."""

from random import Random

from aob.backends.memory.pages import MemoryPages


class SpoiltPages(MemoryPages):
    """One life's view of the pages that all lives share."""

    def __init__(self, inner: MemoryPages, dice: Random, rate: float) -> None:
        self.__dict__ = inner.__dict__
        self._faults = dice, rate

    async def page(self, tenant: str, name: str) -> bytes | None:
        """One page, or what is left of it."""
        found = await super().page(tenant, name)
        dice, rate = self._faults
        if found is None or dice.random() >= rate:
            return found
        at = dice.randrange(len(found))
        flipped = found[:at] + bytes([found[at] ^ 1 << dice.randrange(8)]) + found[at + 1 :]
        return dice.choice([None, found[:at], flipped])
