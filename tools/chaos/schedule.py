"""What is broken and when. In: a seed, how long, how many processes of each role. Out: faults in the order of time; the
same words give the same list, whatever the machine does."""

import random
from collections.abc import Mapping
from typing import Final, NamedTuple

FIRST_S: Final = 3.0
"""The load runs alone for so long."""
APART_S: Final = (2.0, 8.0)
"""From the end of one fault to the begin of the next."""
TOGETHER: Final = 0.2
"""How often the next fault begins while one lasts."""
CLOCK_S: Final = (-90, -5, 5, 90, 3_600)


class Fault(NamedTuple):
    """At `at_s` from the begin of the load, for so long. `target` is a process or, empty, what `kind` is about;
    `amount` is of the kind: bytes of a cut, seconds of a delay, seconds of a step of the clock."""

    at_s: float
    kind: str
    target: str
    for_s: float
    amount: float = 0.0

    def __str__(self) -> str:
        about = f" {self.target}" if self.target else ""
        amount = f" ({self.amount:g})" if self.amount else ""
        return f"{self.kind}{about}{amount}" + (f" for {self.for_s:.1f} s" if self.for_s else "")


class Kind(NamedTuple):
    """How often it is chosen, which roles it is done to (none: the database), how long it lasts, and the range of its
    amount. `whole_s` is added where it must last longer than a lease."""

    weight: int
    roles: tuple[str, ...]
    for_s: tuple[float, float] = (0.0, 0.0)
    amount: tuple[float, float] | None = None
    over_lease: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "kill": Kind(6, ("coordinator", "api", "worker", "executor", "metrics", "fanout", "edge")),
    "end": Kind(2, ("coordinator", "api", "worker", "executor", "metrics", "fanout")),
    "kill_owners": Kind(1, ()),
    "roll": Kind(1, ()),
    "stop": Kind(4, ("coordinator", "metrics"), (1.0, 3.0), over_lease=True),
    "pause": Kind(2, ("coordinator", "api", "worker", "metrics", "fanout"), (0.3, 1.5)),
    "full_disk": Kind(2, ("coordinator", "metrics", "worker"), (2.0, 5.0)),
    "clock_step": Kind(1, ("coordinator", "metrics", "worker"), (3.0, 6.0)),
    "cut_worker": Kind(4, ("worker",), (0.0, 0.0), (1, 4_000)),
    "database_restart": Kind(1, ()),
    "database_kill": Kind(1, ()),
    "database_away": Kind(2, (), (1.0, 5.0)),
    "database_slow": Kind(2, (), (2.0, 5.0), (0.02, 0.15)),
    "database_silent": Kind(1, ("coordinator", "metrics"), (1.0, 4.0)),
    "commit_cut": Kind(3, ("coordinator", "metrics"), (0.0, 0.0), (0, 3)),
}


def schedule(seed: int, length_s: float, processes: Mapping[str, int], lease_s: float = 10.0) -> list[Fault]:
    """Faults until `length_s`; `processes` says how many there are of each role."""
    dice, found, at_s, free_s = random.Random(seed), list[Fault](), FIRST_S, FIRST_S
    possible = {
        name: targets for name, kind in KINDS.items()
        if (targets := [target for role in kind.roles for target in _named(role, processes)] or [""] * (not kind.roles))
    }  # fmt: skip
    names = sorted(possible)
    while round(at_s, 1) < length_s:
        name = dice.choices(names, [KINDS[each].weight for each in names])[0]
        kind, target = KINDS[name], dice.choice(possible[name])
        for_s = round(dice.uniform(*kind.for_s) + (lease_s * kind.over_lease), 1)
        found.append(Fault(round(at_s, 1), name, target, for_s, _amount(dice, name, kind)))
        free_s = max(free_s, at_s + for_s)
        at_s = at_s + dice.uniform(0.3, 2.0) if dice.random() < TOGETHER else free_s + dice.uniform(*APART_S)
    return found


def _amount(dice: random.Random, name: str, kind: Kind) -> float:
    if name == "clock_step":
        return float(dice.choice(CLOCK_S))
    if kind.amount is None:
        return 0.0
    low, high = kind.amount
    return round(dice.uniform(low, high), 3) if high < 1 else float(dice.randint(int(low), int(high)))


def _named(role: str, processes: Mapping[str, int]) -> list[str]:
    count = processes.get(role, 0)
    return [role] if role == "edge" and count else [f"{role}-{number}" for number in range(1, count + 1)]
