"""The parts and faults of a world: one flat, frozen object, drawn from the seed."""

from random import Random
from typing import Final

import msgspec

from aob.core.answers import JsonObject

RUNS_MAX: Final = 40
TICKS: Final = 100


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rates are chances from 0 to 1: of a commit, a job or a tick to meet that fault, or weights of moves. `trouble_ms`
    is the minimum outage of a failed store; `late_ms` how much later late reports arrive."""

    swarm: bool = False
    flows: int = 3
    runs: int = 6
    ticks: int = TICKS
    flow_size: int = 6
    fast: float = 0.3
    pure: float = 0.0
    """How many functions have no effect. In such worlds an unanswered caller asks for other inputs next."""
    # bounds of the journal, small so that every path is taken
    cut_rows: int = 1_000
    cut_events: int = 100_000
    segment_events: int = 256
    ended_kept: int = 1_000
    inbox_max: int = 20_000
    rests: float = 0.0
    """How often resting streams are evicted at once."""
    page_events: int = 10_000
    page_spoilt: float = 0.0  # how often a state page is lost or damaged when it is read
    # of a decision
    pass_events: int = 256
    # the store
    commit_fails: float = 0.0
    commit_replies_lost: float = 0.0
    commit_slow: float = 0.0
    slow_ms: int = 200
    trouble_ms: int = 400
    # the process and its clock
    crash: float = 0.0
    usurp: float = 0.0
    clock_forward: float = 0.0
    clock_back: float = 0.0
    # workers
    delay_ms: int = 800
    transient: float = 0.0
    permanent: float = 0.0
    cut_off: float = 0.0
    duplicate: float = 0.0
    late: float = 0.0
    late_ms: int = 3_000
    acts: float = 0.3
    checkpoint: float = 0.1
    proposes: float = 0.1
    large: float = 0.05
    # people
    start: float = 1.0
    answer: float = 0.6
    message: float = 0.4
    cancel: float = 0.05
    patch: float = 0.4
    rollback: float = 0.15


_UNIFORM: Final[dict[str, float]] = {
    "commit_fails": 0.04, "commit_replies_lost": 0.03, "commit_slow": 0.15, "crash": 0.04, "usurp": 0.02,
    "clock_forward": 0.04, "clock_back": 0.04, "transient": 0.4, "permanent": 0.1, "cut_off": 0.2,
    "duplicate": 0.2, "late": 0.6,
}  # fmt: skip
"""Every fault occasionally."""

_SWARM: Final[dict[str, float]] = {
    "commit_fails": 0.25, "commit_replies_lost": 0.25, "commit_slow": 0.6, "crash": 0.2, "usurp": 0.12,
    "clock_forward": 0.2, "clock_back": 0.2, "transient": 0.7, "permanent": 0.2, "cut_off": 0.5, "duplicate": 0.7,
    "late": 1.0,
}  # fmt: skip
"""How bad each fault gets where it is enabled."""


def draw(dice: Random) -> Options:
    """Options of a world: half of the seeds have all faults at low rates, half few at high rates."""
    swarm = dice.random() < 0.5
    fields: JsonObject = {
        "swarm": swarm, "flows": dice.randint(1, 6), "runs": dice.randint(4, RUNS_MAX),
        "flow_size": dice.randint(3, 10), "delay_ms": dice.choice([1, 50, 800, 5_000]),
        "slow_ms": dice.choice([5, 100, 2_000]), "trouble_ms": dice.choice([1, 400, 3_000]),
        "late_ms": dice.choice([100, 3_000, 60_000]), "acts": dice.choice([0.0, 0.3, 0.8]),
        "proposes": dice.choice([0.0, 0.1, 0.4]), "patch": dice.choice([0.0, 0.4, 1.0]),
        "cancel": dice.choice([0.0, 0.05, 0.2]), "fast": dice.choice([0.0, 0.3, 1.0]),
        "cut_rows": dice.choice([3, 20, 1_000]), "segment_events": dice.choice([3, 20, 256]),
        "ended_kept": dice.choice([0, 3, 1_000]), "inbox_max": dice.choice([3, 20_000, 20_000]),
    }  # fmt: skip
    fields["pass_events"] = (1, 4, 256)[fields["flow_size"] % 3]  # not random: earlier worlds stay unchanged
    fields["cut_events"] = (12, 100_000)[fields["runs"] % 2]
    fields["rests"] = (0.0, 0.5, 1.0)[fields["flows"] % 3]
    fields["page_events"] = (10_000, 2, 12)[fields["runs"] % 3]
    fields["page_spoilt"] = (0.0, 0.3)[fields["runs"] % 2]
    fields["pure"] = (0.0, 0.0, 0.5, 1.0)[fields["runs"] % 4]
    for name, rate in (_SWARM if swarm else _UNIFORM).items():
        on = dice.random() < 0.4 if swarm else True
        fields[name] = round(rate * dice.random(), 3) if on else 0.0
    return Options(**fields)


def calm(options: Options) -> Options:
    """The same world after its faults have stopped."""
    names = (
        "swarm", "flows", "runs", "flow_size", "fast", "cut_rows", "cut_events", "segment_events", "ended_kept",
        "inbox_max", "pass_events", "rests", "pure", "page_events",
    )  # fmt: skip
    kept = {name: getattr(options, name) for name in names}
    return Options(**kept, delay_ms=5, acts=options.acts, checkpoint=0.0, proposes=0.0, patch=0.0, cancel=0.0)
