"""What the handlers of a home declare: those of this process, and by tenant those of connected workers. Read from any
thread.

A declaration is kept when its worker leaves, and recalled by the next process: documents that name the handler are
still accepted, and their visits wait. Where workers differ, the strongest effect counts, and what all of them declare
deterministic."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from aob.core.graph import HandlerFacts
from aob.core.graph.compiled import strongest

KNOWN_MAX: Final = 10_000
"""Handlers that workers of one tenant have declared, and that are remembered."""


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


class _OfTenant(Mapping[str, HandlerFacts]):
    """What a tenant's documents may name, always as it is now. `coming` says whether workers that would declare more
    may be on their way."""

    def __init__(
        self, all_of: Callable[[], Mapping[str, HandlerFacts]], coming: Callable[[], bool] = lambda: False
    ) -> None:  # fmt: skip
        self._all_of, self.coming = all_of, coming
        self.effects: Mapping[str, str] = _Effects(self)

    def __getitem__(self, name: str) -> HandlerFacts:
        return self._all_of()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all_of())

    def __len__(self) -> int:
        return len(self._all_of())


class Facts(_OfTenant):
    """Handlers by name: those of this process (`own`), which every tenant has. What a worker declares counts for its
    tenant alone (`of`), after those of this process."""

    def __init__(self, own: Mapping[str, HandlerFacts]) -> None:
        self.own = dict(own)
        super().__init__(lambda: self.own)
        self._taught: dict[str, dict[str, dict[str, HandlerFacts]]] = {}  # by tenant, handler, worker
        self._all: dict[str, dict[str, HandlerFacts]] = {}  # by tenant; replaced, never changed: other threads read it
        self.awaited: Callable[[], bool] = lambda: False
        """Whether workers of the process before may still be on their way to this one."""
        self.learned: Callable[[str], None] = lambda tenant: None
        """Called after a worker of a tenant has declared its handlers."""

    def of(self, tenant: str) -> _OfTenant:
        """The handlers of a tenant. Where workers of it have been before, they may be coming, with more handlers than
        they had, until the first is here."""
        return _OfTenant(
            lambda: self._all.get(tenant, self.own),
            lambda: tenant in self._all and not self._taught.get(tenant) and self.awaited(),
        )

    def taught(self, tenant: str) -> Mapping[str, HandlerFacts]:
        """What workers of a tenant have declared to this process."""
        known = self._all.get(tenant, {})
        return {name: known[name] for name in self._taught.get(tenant, {}) if name not in self.own}

    def recall(self, tenant: str, handlers: Iterable[HandlerFacts]) -> None:
        """What workers of a tenant have declared before, or to other processes: it counts until one declares it
        here."""
        taught = self._taught.get(tenant, {})
        recalled = {each.name: each for each in handlers if each.name not in taught and each.name not in self.own}
        if recalled:
            self._all[tenant] = {**self._all.get(tenant, self.own), **recalled}

    def has_room(self, tenant: str, names: Iterable[str]) -> bool:
        """Whether workers of a tenant may declare these too."""
        known = self._taught.get(tenant, {})
        return len(known.keys() | set(names)) <= KNOWN_MAX

    def learn(self, tenant: str, worker: str, handlers: Iterable[HandlerFacts]) -> None:
        """A worker declares its handlers; what it declared before is replaced."""
        named = {each.name: each for each in handlers}
        taught = self._taught.setdefault(tenant, {})
        gone = self._forget(taught, worker, keep=named)
        for name, each in named.items():
            those = taught.setdefault(name, {})
            those.pop(worker, None)  # the newest is the last
            those[worker] = each
        self._join(tenant, [*gone, *named])
        self.learned(tenant)

    def leave(self, tenant: str, worker: str) -> None:
        """A worker left. What only it declared is kept."""
        self._join(tenant, self._forget(self._taught.get(tenant, {}), worker))

    def _forget(
        self, taught: dict[str, dict[str, HandlerFacts]], worker: str, keep: Collection[str] = ()
    ) -> list[str]:  # fmt: skip
        gone = [name for name, those in taught.items() if worker in those and len(those) > 1 and name not in keep]
        for name in gone:
            del taught[name][worker]
        return gone

    def _join(self, tenant: str, names: Iterable[str]) -> None:
        taught, before = self._taught.get(tenant, {}), self._all.get(tenant, self.own)
        new = {name: _joined(list(taught[name].values())) for name in names if name not in self.own}
        if new:
            self._all[tenant] = {**before, **new}


def _joined(declared: list[HandlerFacts]) -> HandlerFacts:
    """One declaration of several: the newest, with the strongest effect."""
    newest = declared[-1]
    if len(declared) == 1:
        return newest
    return msgspec.structs.replace(
        newest, effect=strongest(each.effect for each in declared), deterministic=all(d.deterministic for d in declared)
    )
