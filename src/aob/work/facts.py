"""What the handlers of a home declare: those of this process, and those of connected workers. Read from any thread.

A declaration is kept when its worker leaves: documents that name the handler are still accepted, and their visits wait.
Where workers differ, the strongest effect counts, and what all of them declare deterministic."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from aob.core.graph import HandlerFacts
from aob.core.graph.compiled import strongest


class _Effects(Mapping[str, str]):
    """The declared effects of handlers by name."""

    def __init__(self, facts: Mapping[str, HandlerFacts]) -> None:
        self._facts = facts

    def __getitem__(self, name: str) -> str:
        return self._facts[name].effect

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


class Facts(Mapping[str, HandlerFacts]):
    """Handlers by name. Those of this process (`own`) count before those of workers."""

    def __init__(self, own: Mapping[str, HandlerFacts]) -> None:
        self.own = dict(own)
        self._taught: dict[str, dict[str, HandlerFacts]] = {}  # by handler, then by worker
        self.effects: Mapping[str, str] = _Effects(self)
        """The effects of all."""
        self._all = dict(own)  # replaced, never changed: other threads read it
        self.changed: list[Callable[[], None]] = []
        """Called after a change."""

    def __getitem__(self, name: str) -> HandlerFacts:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def learn(self, worker: str, handlers: Iterable[HandlerFacts]) -> None:
        """A worker declares its handlers; what it declared before is replaced."""
        before = self._all
        named = {each.name: each for each in handlers}
        for name, those in self._taught.items():
            if worker in those and name not in named and len(those) > 1:
                del those[worker]
        for name, each in named.items():
            those = self._taught.setdefault(name, {})
            those.pop(worker, None)  # the newest is the last
            those[worker] = each
        self._all = {name: _joined(list(those.values())) for name, those in self._taught.items()} | self.own
        if self._all != before:
            for hear in self.changed:
                hear()

    def leave(self, worker: str) -> None:
        """A worker left. What only it declared is kept."""
        for those in self._taught.values():
            if len(those) > 1:
                those.pop(worker, None)


def _joined(declared: list[HandlerFacts]) -> HandlerFacts:
    """One declaration of several: the newest, with the strongest effect."""
    newest = declared[-1]
    if len(declared) == 1:
        return newest
    return msgspec.structs.replace(
        newest, effect=strongest(each.effect for each in declared), deterministic=all(d.deterministic for d in declared)
    )
