"""Resolves common fields of nodes and workflows: durations to ms, defaults, effect. An invalid duration becomes a
problem and 0."""

from functools import lru_cache
from typing import Final

from aob.core.document.shape import Duration, Value
from aob.core.duration import parse_duration
from aob.core.errors import Problem
from aob.core.graph.compiled.ir import Effect, NodeSpec, Retry, Timeouts, WorkflowSpec
from aob.core.graph.definition import (
    NodeDefinition,
    RetryDefinition,
    RunTimeoutDefinition,
    TimeoutDefinition,
    WorkflowDefinition,
)
from aob.core.node import Kind
from aob.core.rules import FIRST_RULES

DURATIONS_CACHED_MAX: Final = 4_096
_DURATION_HINT: Final = "write 500ms, 30s, 10m, 2h, 1d or 1h30m"
_ONCE: Final = Retry()
WAIT_MAX_MS: Final = _ONCE.max_ms  # the longest wait between two attempts by default
_NO_TIMEOUT: Final = Timeouts()


@lru_cache(maxsize=DURATIONS_CACHED_MAX, typed=True)
def _ms(value: Duration) -> int | str:
    try:
        return parse_duration(value)
    except ValueError as error:
        return str(error)


def milliseconds(value: Duration, path: str, problems: list[Problem]) -> int:
    """A duration in ms; 0 and a problem if it is invalid."""
    ms = _ms(value)
    if isinstance(ms, int):
        return ms
    problems.append(Problem(path, ms.partition(": write")[0], "bad_duration", hint=_DURATION_HINT))
    return 0


def resolve_retry(retry: int | RetryDefinition, path: str, problems: list[Problem], rules: int) -> Retry:
    """How often and how fast a visit is retried. Under the first rules `max` may limit `first`."""
    if isinstance(retry, int):
        return Retry(attempts=retry) if retry != 1 else _ONCE
    first = milliseconds(retry.first, f"{path}/first", problems)
    longest = WAIT_MAX_MS if retry.max is None else milliseconds(retry.max, f"{path}/max", problems)
    if rules != FIRST_RULES and first > longest:
        if retry.max is not None and longest:
            hint = "make `max` longer, or leave it out"
            problems.append(Problem(path, "`first` is longer than `max`", "bad_retry", hint=hint))
        longest = first
    return Retry(retry.attempts, first, retry.factor, longest, retry.jitter)


def resolve_timeout(timeout: Duration | TimeoutDefinition, waits: bool, path: str, problems: list[Problem]) -> Timeouts:
    """Timeouts in ms. A bare duration is for one attempt, or for the whole visit of a kind that waits."""
    if isinstance(timeout, TimeoutDefinition):

        def ms(value: Duration, name: str) -> int:
            return milliseconds(value, f"{path}/{name}", problems)

        return Timeouts(
            ms(timeout.queue, "queue"), ms(timeout.start, "start"), ms(timeout.run, "run"),
            ms(timeout.heartbeat, "heartbeat"), ms(timeout.deadline, "deadline"), ms(timeout.remind, "remind"),
            timeout.expire,
        )  # fmt: skip
    if timeout == 0:
        return _NO_TIMEOUT
    ms_all = milliseconds(timeout, path, problems)
    return Timeouts(deadline_ms=ms_all) if waits else Timeouts(run_ms=ms_all)


def resolve_node(
    definition: NodeDefinition, kind: Kind, config: Value, path: str, problems: list[Problem], rules: int
) -> NodeSpec:
    """The common fields of a node; its effect defaults to that of its kind."""
    effect: Effect = definition.effect or kind.effect(config)  # type: ignore[assignment]  # one of the three words
    return NodeSpec(
        resolve_retry(definition.retry, f"{path}/retry", problems, rules),
        resolve_timeout(definition.timeout, kind.waits, f"{path}/timeout", problems),
        effect, kind.deterministic if definition.deterministic is None else definition.deterministic,
        definition.cache, definition.on_failure, definition.on_uncertain, definition.verify, definition.priority,
        definition.labels, definition.hold, definition.disabled, tuple(sorted(definition.worker.items())),
    )  # fmt: skip


def resolve_workflow(definition: WorkflowDefinition, problems: list[Problem]) -> WorkflowSpec:
    """The fields of the workflow."""
    timeout = definition.timeout
    if isinstance(timeout, RunTimeoutDefinition):
        run = milliseconds(timeout.run, "/timeout/run", problems)
        start = milliseconds(timeout.start, "/timeout/start", problems)
    else:
        run, start = milliseconds(timeout, "/timeout", problems), 0
    return WorkflowSpec(
        definition.workflow, definition.inputs, run, start, definition.priority, definition.mode,
        definition.limits.agents, definition.labels, definition.handlers,
    )  # fmt: skip
