"""The intents of one piece of work (a visit of a run, a record of an agent), indexed by number, by kind, digest and
count, and by missing result, for constant-time lookups."""

from collections.abc import Iterable, Iterator

import msgspec

from aob.core.value import Cell

Key = tuple[str, bytes, int]


class Intent(msgspec.Struct, gc=False):
    """An intent of a token and its result, if known."""

    number: int
    kind: str
    digest: bytes
    attempt: int
    what: Cell
    result: Cell | None = None
    failed: bool = False
    count: int = 1


class Intents:
    """All intents of a visit, in the order of their last commit."""

    __slots__ = ("_all", "_kinds", "_numbers", "_open", "last")

    def __init__(self) -> None:
        self._all: dict[int, Intent] = {}
        self._open: dict[int, Intent] = {}
        self._numbers: dict[Key, list[int]] = {}
        """More than one only in old records that were recounted after a removal."""
        self._kinds: dict[tuple[str, bytes], int] = {}
        self.last = 0  # the highest number

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Intent]:
        return iter(self._all.values())

    @property
    def open(self) -> Iterable[Intent]:
        """Intents without a result."""
        return self._open.values()

    def find(self, kind: str, digest: bytes, count: int) -> Intent | None:
        """The `count`-th of a kind and digest."""
        numbers = self._numbers.get((kind, digest, count))
        return self._all[numbers[0]] if numbers else None

    def get(self, number: int) -> Intent | None:
        """The intent with a number."""
        return self._all.get(number)

    def add(self, number: int, kind: str, digest: bytes, attempt: int, what: Cell, count: int) -> None:
        """Adds an intent, or begins it again; `count` 0 (old records): the next of its kind and digest."""
        self.drop(number)
        same = self._kinds[kind, digest] = self._kinds.get((kind, digest), 0) + 1
        made = Intent(number, kind, digest, attempt, what, count=count or same)
        self._all[number] = self._open[number] = made
        self._numbers.setdefault((kind, digest, made.count), []).append(number)
        self.last = max(self.last, number)

    def settle(self, number: int, result: Cell, failed: bool) -> None:
        """Records the result of an intent."""
        if (intent := self._all.get(number)) is not None:
            intent.result, intent.failed = result, failed
            self._open.pop(number, None)

    def drop(self, number: int) -> None:
        """Removes an intent as if it had never begun."""
        gone = self._all.pop(number, None)
        if gone is None:
            return
        self._open.pop(number, None)
        kind, key = (gone.kind, gone.digest), (gone.kind, gone.digest, gone.count)
        self._kinds[kind] -= 1
        self._numbers[key].remove(number)
        if not self._kinds[kind]:
            del self._kinds[kind]
        if not self._numbers[key]:
            del self._numbers[key]
        while self.last and self.last not in self._all:
            self.last -= 1


class WrittenIntent(msgspec.Struct, array_like=True, gc=False):
    """An intent in a page of state. `result` is none or one, because a result may be null."""

    number: int
    kind: str
    digest: bytes
    attempt: int
    what: Cell
    count: int
    failed: bool
    result: list[Cell]


def write_intents(intents: Intents | None) -> list[WrittenIntent] | None:
    """Intents as a page of state holds them."""
    return None if intents is None else [
        WrittenIntent(each.number, each.kind, each.digest, each.attempt, each.what, each.count, each.failed,
                      [] if each.result is None else [each.result])
        for each in intents
    ]  # fmt: skip


def read_intents(written: list[WrittenIntent] | None) -> Intents | None:
    """The intents of a page of state."""
    if written is None:
        return None
    intents = Intents()
    for each in written:
        intents.add(each.number, each.kind, each.digest, each.attempt, each.what, each.count)
        for result in each.result:
            intents.settle(each.number, result, each.failed)
    return intents
