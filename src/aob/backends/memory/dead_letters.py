"""Port `DeadLetters` in memory: the reference. Lost when the process ends."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from aob.ports.dead_letters import DeadLetter, DeadQuery, Letters, Numbers, rule_of


class MemoryDeadLetters:
    """Letters in a dict by tenant."""

    def __init__(self) -> None:
        self._dead: dict[str, dict[int, DeadLetter]] = {}

    async def write(self, letters: Sequence[Letters]) -> list[Numbers]:
        told: list[Numbers] = []
        for each in letters:
            mine = self._dead.setdefault(each.tenant, {})
            numbers = tuple(range(len(mine) + 1, len(mine) + 1 + len(each.refused)))
            for number, letter in zip(numbers, each.refused, strict=True):
                mine[number] = msgspec.structs.replace(letter, number=number, state="open", note="")
            for number, state, note in each.settled:
                if number in mine:
                    mine[number] = msgspec.structs.replace(mine[number], state=state, note=note)
            told.append(numbers)
        return told

    async def page(self, query: DeadQuery) -> list[DeadLetter]:
        found = [letter for letter in reversed(self._dead.get(query.tenant, {}).values()) if _fits(letter, query)]
        return found[: max(0, query.limit)]

    async def letter(self, tenant: str, number: int) -> DeadLetter | None:
        return self._dead.get(tenant, {}).get(number)

    async def counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        counts = Counter(
            (letter.type, rule_of(letter)) for letter in self._dead.get(tenant, {}).values()
            if not state or letter.state == state
        )  # fmt: skip
        return [(*key, count) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:200]

    async def close(self) -> None:
        """Nothing to close."""


def _fits(letter: DeadLetter, query: DeadQuery) -> bool:
    return (
        (not query.state or letter.state == query.state)
        and (not query.type or letter.type == query.type)
        and (not query.reason or rule_of(letter) == query.reason)
        and (not query.before or letter.number < query.before)
    )
