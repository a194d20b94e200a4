"""Arranges nodes in rows: each below its predecessors, and close to its neighbours. Deterministic."""

from collections.abc import Mapping, Sequence
from typing import Final

_SWEEPS: Final = 4


def layers_of(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int] | None:
    """The layer of each node, from 0: one below its lowest predecessor. None if there is a cycle."""
    waiting = dict.fromkeys(ids, 0)
    after: dict[str, list[str]] = {id: [] for id in ids}
    for source, target in edges:
        waiting[target] += 1
        after[source].append(target)
    layers = {id: 0 for id in ids if not waiting[id]}
    ready = list(layers)
    for id in ready:
        for target in after[id]:
            layers[target] = max(layers.get(target, 0), layers[id] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return layers if len(ready) == len(waiting) else None


class Rows:
    """Ids in rows; a long edge has a placeholder `target@row` (in `passing`) in each row it passes. `links` are the
    edges from each row to the next. Edges that do not lead down are omitted."""

    def __init__(self, layers: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> None:
        self.rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
        self.passing: dict[str, None] = {}
        for id, row in layers.items():
            self.rows[row].append(id)
        self.links: list[list[tuple[str, str]]] = [[] for _ in self.rows]
        for source, target in edges:
            if layers[source] < layers[target]:
                self._route(source, target, layers)
        for _ in range(_SWEEPS):
            self._sort()

    def _route(self, source: str, target: str, layers: Mapping[str, int]) -> None:
        here = source
        for row in range(layers[source] + 1, layers[target]):
            passing = f"{target}@{row}"
            if passing not in self.passing:
                self.passing[passing] = None
                self.rows[row].append(passing)
            self._link(row - 1, here, passing)
            here = passing
        self._link(layers[target] - 1, here, target)

    def _link(self, row: int, source: str, target: str) -> None:
        if (source, target) not in self.links[row]:
            self.links[row].append((source, target))

    def _sort(self) -> None:
        """Moves each cell below the middle of those above it, then above the middle of those below it."""
        count = len(self.rows)
        for row in range(1, count):
            self._sort_row(row, [(target, source) for source, target in self.links[row - 1]], self.rows[row - 1])
        for row in range(count - 2, -1, -1):
            self._sort_row(row, self.links[row], self.rows[row + 1])

    def _sort_row(self, row: int, links: Sequence[tuple[str, str]], others: Sequence[str]) -> None:
        at = {id: number for number, id in enumerate(others)}
        old = {id: number for number, id in enumerate(self.rows[row])}
        near: dict[str, list[int]] = {}
        for mine, other in links:
            near.setdefault(mine, []).append(at[other])
        weight = {id: sum(near[id]) / len(near[id]) if id in near else float(old[id]) for id in old}
        self.rows[row].sort(key=lambda id: (weight[id], old[id]))
