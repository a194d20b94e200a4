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
    """The strongest of some effects; unknown ones count as `once`."""
    return max(effects, key=lambda effect: _STRENGTH.get(effect, 2))


class Retry(msgspec.Struct, frozen=True):
    """How often and how fast a visit is retried: wait = min(max, first * factor^(n-1)), jittered by a hash."""

    attempts: int = 1
    first_ms: int = 1_000
    factor: float = 2.0
    max_ms: int = 60_000
    jitter: float = 0.2


class Timeouts(msgspec.Struct, frozen=True):
    """In ms, 0 = none. `queue`: ready to start of work; `start`: until the first heartbeat; `run`: one attempt;
    `heartbeat`: between two heartbeats; `deadline`: the whole visit, with retries and waiting for people. `remind` and
    `expire` (the result of a ticket at its deadline) are for kinds that wait for a person."""

    queue_ms: int = 0
    start_ms: int = 0
    run_ms: int = 0
    heartbeat_ms: int = 0
    deadline_ms: int = 0
    remind_ms: int = 0
    expire: str = ""


class NodeSpec(msgspec.Struct, frozen=True):
    """Common fields of every node, decoded. `effect` is the strongest of the node's and the handler's; without a known
    handler the node's, else the kind's. Under the first rules the node's, else the handler's. `priority` None means the
    run's."""

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
    """The work of a node as plain data for its performer. `hash` is the node's, `rules` the rules number that accepted
    its document; `config` is the struct of its kind, also after decoding."""

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
