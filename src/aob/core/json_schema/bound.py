"""Bounds the work of validating a value: f^d steps for f alternatives that recurse and d levels of the value, which a
validator would all take. Alternatives distinguished by a tag count as one."""

import operator
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from aob.core.json_schema.parts import Json, Part
from aob.core.json_schema.tag import UNIONS, Tag, tags_of, union_tag

WORK_MAX: Final = 100_000
SCENARIOS_MAX: Final = 32
EFFORT_MAX: Final = 60_000
"""Steps to analyse a schema, in members and items of its parts; a larger schema counts as the worst."""

Ways = Counter[str]  # how often a value leads to each part of a cycle


class Below(msgspec.Struct):
    """How an instance leads to its members and items: by name, to other members, by index, to other items."""

    named: dict[str, Ways] = {}
    others: Ways = msgspec.field(default_factory=Counter)
    placed: dict[int, Ways] = {}
    items: Ways = msgspec.field(default_factory=Counter)

    def worst(self, cycle: frozenset[str]) -> int:
        """The most ways from one member or item back into a cycle."""
        each = (*self.named.values(), self.others, *self.placed.values(), self.items)
        return max(sum(ways[at] for at in ways if at in cycle) for ways in each)


class Bound(msgspec.Struct, frozen=True):
    """The factor of a level of a value: `told` when the tags `names` are present, else `untold`; `flat` is the work of
    one level outside cycles."""

    told: int = 1
    untold: int = 1
    names: frozenset[str] = frozenset()
    flat: int = 1

    def work(self, value: Json) -> int:
        """The most steps for a value, cut slightly above the limit."""
        if self.flat > WORK_MAX:
            return WORK_MAX + 1
        return 1 if self.untold < 2 else min(self._deep(value), WORK_MAX + 1)

    def _deep(self, value: Json) -> int:
        """The greatest product of the factors on any path down, level by level."""
        most, levels = 1, [(value, 1)]
        while levels:
            below: list[tuple[Json, int]] = []
            for held, factor in levels:
                if not isinstance(held, dict | list):
                    continue
                told = isinstance(held, dict) and all(isinstance(held.get(name), str) for name in self.names)
                here = factor * (self.told if told else self.untold)
                most = max(most, here)
                if most > WORK_MAX:
                    return most
                for item in held.values() if isinstance(held, dict) else held:
                    if isinstance(item, dict | list):
                        below.append((item, here))
            levels = below
        return most


class _TooMuchError(Exception):
    pass


def bound_of(parts: dict[str, Part]) -> Bound:
    """The bound of a schema."""
    cycles = _cycles(parts)
    flat = _flat(parts)
    if not cycles:
        return Bound(flat=flat)
    try:
        told = _Survey(parts, cycles, trusting=True)
        untold = _Survey(parts, cycles, trusting=False)
        return Bound(told.factor(), untold.factor(), frozenset(told.optional), flat)
    except (_TooMuchError, RecursionError):
        return Bound(WORK_MAX, WORK_MAX, frozenset(), flat)


class _Survey:
    """How parts lead to others. `trusting` assumes that optional tags are present."""

    def __init__(self, parts: dict[str, Part], cycles: list[frozenset[str]], *, trusting: bool) -> None:
        self._parts, self._cycles, self._trusting = parts, cycles, trusting
        self._recursive = frozenset().union(*cycles)
        self._below: dict[str, list[Below]] = {}
        self._effort = 0
        self.optional: set[str] = set()

    def factor(self) -> int:
        every = (below.worst(cycle) for cycle in self._cycles for at in cycle for below in self._scenarios(at))
        return max(1, max(every, default=1))

    def _scenarios(self, at: str) -> list[Below]:
        """The ways on from a part, for each choice of tags."""
        if at in self._below:
            return self._below[at]
        self._below[at] = [Below()]  # a part that applies to itself without checking anything adds nothing
        part = self._parts[at]
        found = [self._own(part)]
        unions = {union: [each for each in part.same if each.startswith(f"{at}/{union}/")] for union in UNIONS}
        listed = {each for alternatives in unions.values() for each in alternatives}
        for each in part.same:
            if each not in listed:
                found = self._joined(found, self._scenarios(each))
        for alternatives in unions.values():
            found = self._joined(found, self._union(alternatives))
        self._below[at] = found
        return found

    def _own(self, part: Part) -> Below:
        others, items = self._ways(part.others), self._ways(part.items)
        self._spend(len(part.named) + len(part.placed))
        return Below(
            {name: self._ways([target]) + others for name, target in part.named.items()},
            others,
            {place: self._ways([target]) + items for place, target in part.placed.items()},
            items,
        )

    def _ways(self, targets: list[str]) -> Ways:
        return Counter(target for target in targets if target in self._recursive)

    def _union(self, alternatives: list[str]) -> list[Below]:
        name = union_tag(alternatives, self._parts) if alternatives else ""
        tags = {each: tag for each in alternatives if (tag := tags_of(each, self._parts).get(name)) is not None}
        if not self._trusting:
            tags = {each: tag for each, tag in tags.items() if tag.required}
        self.optional.update(tag.name for tag in tags.values() if not tag.required)
        always = [each for each in alternatives if each not in tags]
        found: list[Below] = []
        for chosen in _choices(tags):
            scenario = [Below()]
            for each in (*always, *chosen):
                scenario = self._joined(scenario, self._scenarios(each))
            found.extend(scenario)
        return self._fewer(found) or [Below()]

    def _joined(self, left: list[Below], right: list[Below]) -> list[Below]:
        return self._fewer([self._sum(first, second) for first in left for second in right])

    def _sum(self, left: Below, right: Below) -> Below:
        self._spend(len(left.named) + len(right.named) + len(left.placed) + len(right.placed) + 1)
        return _merged(left, right, operator.add)

    def _fewer(self, found: list[Below]) -> list[Below]:
        """Limit the number of scenarios: the rest is merged into their worst case."""
        while len(found) > SCENARIOS_MAX:
            first, second = found.pop(), found.pop()
            self._spend(len(first.named) + len(second.named) + 1)
            found.insert(0, _merged(first, second, operator.or_))
        return found

    def _spend(self, effort: int) -> None:
        self._effort += effort
        if self._effort > EFFORT_MAX:
            raise _TooMuchError


def _merged(left: Below, right: Below, join: Callable[[Ways, Ways], Ways]) -> Below:
    """Both as one: the sum of ways, or the worst of each."""
    names, places = left.named.keys() | right.named.keys(), left.placed.keys() | right.placed.keys()
    return Below(
        {name: join(left.named.get(name, left.others), right.named.get(name, right.others)) for name in names},
        join(left.others, right.others),
        {at: join(left.placed.get(at, left.items), right.placed.get(at, right.items)) for at in places},
        join(left.items, right.items),
    )


def _choices(tags: dict[str, Tag]) -> list[list[str]]:
    """The alternatives that may hold together, for each text of the tag, and for any other text."""
    texts = {text for tag in tags.values() for text in tag.texts}
    chosen = {tuple(each for each, tag in tags.items() if text in tag.texts) for text in texts}
    return [list(each) for each in chosen] or [[]]


def _cycles(parts: dict[str, Part]) -> list[frozenset[str]]:
    """The parts that lead back to themselves, grouped by cycle (Tarjan, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[frozenset[str]] = []
    for root in parts:
        if root in order:
            continue
        work = [(root, iter(parts[root].leads_to()))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            at, targets = work[-1]
            for target in targets:
                if target not in order:
                    order[target] = low[target] = len(order)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(parts[target].leads_to())))
                    break
                if target in on_stack:
                    low[at] = min(low[at], order[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == order[at]:
                    members = set[str]()
                    while at not in members:
                        members.add(stack.pop())
                    on_stack -= members
                    if len(members) > 1 or at in parts[at].leads_to():
                        found.append(frozenset(members))
    return found


def _flat(parts: dict[str, Part]) -> int:
    """The most steps for one instance by parts that apply to the same instance, cycles cut."""
    known: dict[str, int] = {}
    entered: set[str] = set()
    most = 1
    for root in parts:
        waiting = [root]
        while waiting:
            at = waiting[-1]
            if at in known:
                waiting.pop()
                continue
            missing = [each for each in parts[at].same if each not in known and each not in entered]
            if missing and at not in entered:
                entered.add(at)
                waiting.extend(missing)
                continue
            known[at] = min(1 + sum(known.get(each, 1) for each in parts[at].same), 10 * WORK_MAX)
            most = max(most, known[at])
            waiting.pop()
    return most
