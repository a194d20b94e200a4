"""The decoded common fields of a node and of a workflow: durations in ms, enumerations checked, defaults filled."""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from aob.core.node import KINDS

Effect = Literal["none", "keyed", "once"]
CachePolicy = Literal["off", "read_only", "read_through", "write_only"]
Priority = Literal["high", "medium", "low"]
OnFailure = Literal["fail", "skip", "review"]
OnUncertain = Literal["ask", "repeat", "verify"]
Mode = Literal["full", "fast"]


_STRENGTH: Final = {"none": 0, "keyed": 1, "once": 2}


def strongest(effects: Iterable[str]) -> str:
    """The strongest of some effects; what is no effect counts as `once`."""
    return max(effects, key=lambda effect: _STRENGTH.get(effect, 2))


class Retry(msgspec.Struct, frozen=True):
    """How often and how fast a visit is tried again: wait = min(max, first * factor^(n-1)), jittered by a hash."""

    attempts: int = 1
    first_ms: int = 1_000
    factor: float = 2.0
    max_ms: int = 60_000
    jitter: float = 0.2


class Timeouts(msgspec.Struct, frozen=True):
    """In ms, 0 = none. `queue`: ready to picked up; `start`: picked up to first sign of life; `run`: one attempt;
    `heartbeat`: between two signs of life; `deadline`: the visit as a whole, retries and waiting for people included.
    `remind` and `expire` (what happens at the deadline of a ticket) belong to kinds that wait for a person."""

    queue_ms: int = 0
    start_ms: int = 0
    run_ms: int = 0
    heartbeat_ms: int = 0
    deadline_ms: int = 0
    remind_ms: int = 0
    expire: str = ""


class NodeSpec(msgspec.Struct, frozen=True):
    """Common fields of every node, decoded. `effect` is resolved: the strongest of the node's and the handler's;
    where no handler is known the node's, else the kind's. By the first rules the node's, else the handler's.
    `priority` is None where the run's counts."""

    retry: Retry = Retry()
    timeout: Timeouts = Timeouts()
    effect: Effect = "keyed"
    deterministic: bool = False
    cache: CachePolicy = "off"
    on_failure: OnFailure = "fail"
    on_uncertain: OnUncertain = "ask"
    verify: str = ""
    priority: Priority | None = None
    labels: dict[str, str] = {}
    hold: bool = True
    disabled: bool = False


class Task(msgspec.Struct, frozen=True):
    """What a node asks of whoever performs it, as plain data. `hash` is that of the node, `rules` the rules number that
    its document was accepted under; `config` is the struct of its kind, also after it was decoded."""

    id: str
    kind: str
    config: Any
    spec: NodeSpec
    hash: str
    rules: int

    def __post_init__(self) -> None:
        if type(self.config) is dict:
            config = msgspec.convert(self.config, KINDS[self.kind].config)
            msgspec.structs.force_setattr(self, "config", config)


class WorkflowSpec(msgspec.Struct, frozen=True):
    """Fields of the workflow as a whole, decoded. `agents_max` is the spawn budget of patches (SEMANTICS 4.4)."""

    name: str = ""
    inputs: dict[str, Any] | None = None
    run_ms: int = 0
    start_ms: int = 0
    priority: Priority = "medium"
    mode: Mode = "full"
    agents_max: int = 5
    labels: dict[str, str] = {}
