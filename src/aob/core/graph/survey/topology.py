"""The topology of one body: order, ancestors, cycles, unreachable nodes. Ancestors are bit masks over node indexes, so
that a body of ten thousand nodes needs no sets."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec


class Link(msgspec.Struct, frozen=True):
    """An edge for the order. `dead` says why it can never be taken, empty if it can."""

    id: str
    source: str
    target: str
    dead: str = ""


class Order(msgspec.Struct):
    """`index` numbers the nodes; bit n of `before[i]` says that node n precedes node i; `loose` are the nodes in or
    after a cycle (their `before` is unknown); `cycles` are closed paths `a b a`, one for each knot; `unreached` says of
    each node that can never run, why."""

    index: dict[str, int]
    before: list[int]
    loose: frozenset[str]
    cycles: tuple[tuple[str, ...], ...]
    unreached: dict[str, str]


def order_of(ids: Iterable[str], links: Sequence[Link]) -> Order:
    """The order of a body. The ends of all links must be among the ids."""
    index = {id: number for number, id in enumerate(ids)}
    after: list[list[int]] = [[] for _ in index]
    open_ins = [0] * len(index)
    for link in links:
        source, target = index[link.source], index[link.target]
        after[source].append(target)
        open_ins[target] += 1
    before = [0] * len(index)
    ready = [number for number, count in enumerate(open_ins) if not count]
    for number in ready:  # grows during the loop
        mask = before[number] | (1 << number)
        for target in after[number]:
            before[target] |= mask
            open_ins[target] -= 1
            if not open_ins[target]:
                ready.append(target)
    if len(ready) == len(index) and not any(link.dead for link in links):
        return Order(index, before, frozenset(), (), {})
    names = list(index)
    loose = frozenset(names[number] for number, count in enumerate(open_ins) if count)
    knots = _cycles(names, after, [number for number, count in enumerate(open_ins) if count])
    return Order(index, before, loose, knots, _unreached(names, links, loose))


def _cycles(names: list[str], after: list[list[int]], numbers: list[int]) -> tuple[tuple[str, ...], ...]:
    """One closed path for each knot, by walking until a node repeats. Iterative, because bodies are large."""
    inside, found, done = set(numbers), [], set[int]()
    todo = [iter(targets) for targets in after]
    for first in sorted(numbers, key=names.__getitem__):
        path: list[int] = []
        at: dict[int, int] = {}
        walk = [first] if first not in done else []
        while walk:
            number = walk[-1]
            if number not in at:
                at[number] = len(path)
                path.append(number)
            target = next((each for each in todo[number] if each in inside and each not in done), None)
            if target is None:
                done.add(walk.pop())
                at.pop(path.pop())
            elif target in at:
                knot = path[at[target] :]
                found.append(_closed([names[each] for each in knot]))
                done.update(knot)
                del walk[at[target] :], path[at[target] :]
                for each in knot:
                    del at[each]
            else:
                walk.append(target)
    return tuple(found)


def _closed(path: list[str]) -> tuple[str, ...]:
    """A cycle starting at its smallest id, so that equal cycles are written equally."""
    start = path.index(min(path))
    turned = path[start:] + path[:start]
    return (*turned, turned[0])


def _unreached(names: list[str], links: Sequence[Link], loose: frozenset[str]) -> dict[str, str]:
    ins: dict[str, list[Link]] = {name: [] for name in names}
    outs: dict[str, list[Link]] = {name: [] for name in names}
    for link in links:
        ins[link.target].append(link)
        outs[link.source].append(link)
    reached = {name for name in names if not ins[name]}
    walk = list(reached)
    while walk:
        for link in outs[walk.pop()]:
            if not link.dead and link.target not in reached:
                reached.add(link.target)
                walk.append(link.target)
    return {name: _why(ins[name], loose) for name in names if name not in reached}


def _why(ins: Sequence[Link], loose: frozenset[str]) -> str:
    dead = next((link for link in ins if link.dead), None)
    if dead is not None:
        return f"edge `{dead.id}` can never be taken: {dead.dead}"
    sources: Mapping[str, None] = dict.fromkeys(link.source for link in ins)
    if any(source in loose for source in sources):
        return "every way to it begins in a cycle"
    return f"nothing ever reaches {', '.join(f'`{source}`' for source in sources)}"
