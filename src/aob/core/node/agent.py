"""`agent`: model calls with structured output, tools by allow-list, and patch proposals."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import Kind, filled, within

CALLS_MAX: Final = 1_000
TEMPERATURE_MAX: Final = 2.0


class AgentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model` is `script:NAME`, `recorded:NAME`, or `PROVIDER:MODEL` of pydantic-ai; empty takes the home's default.
    `task` is what the agent is asked, filled by `{name}` from the input. `output` is the JSON Schema of its answer.
    `tools` lists handler names it may call. `patch: true` lets it propose patches. `calls_max` bounds model calls,
    `tokens_max` tokens, `cost_max` money in USD."""

    task: str
    model: str = ""
    system: str = ""
    output: dict[str, Any] | None = None
    tools: tuple[str, ...] = ()
    patch: bool = False
    calls_max: int = 8
    tokens_max: int = 0
    cost_max: float = 0.0
    temperature: float | None = None
    cache: bool = True


def check_agent(config: AgentConfig) -> Iterator[Problem]:
    """Checks beyond types: a task, a model with its source, limits in range, each tool once."""
    yield from filled("/task", config.task, "the task")
    yield from within("/calls_max", config.calls_max, 1, CALLS_MAX, "the number of model calls")
    yield from within("/tokens_max", config.tokens_max, 0, 10**9, "the number of tokens")
    yield from within("/cost_max", config.cost_max, 0, 10**6, "the cost")
    if config.temperature is not None:
        yield from within("/temperature", config.temperature, 0, TEMPERATURE_MAX, "the temperature")
    if config.model and not all(config.model.partition(":")):
        hint = "write script:NAME, recorded:NAME or PROVIDER:MODEL, or leave it out for the home's default"
        yield Problem("/model", f"{config.model!r} does not say where the model comes from", "bad_model", hint=hint)
    for index, tool in enumerate(config.tools):
        if tool in config.tools[:index]:
            yield Problem(f"/tools/{index}", f"the tool `{tool}` is named twice", "duplicate")


AGENT = Kind(
    "agent",
    AgentConfig,
    effect=lambda config: "keyed",
    check=check_agent,
    templates=("task", "system"),
    schemas=("output",),
    handlers=lambda config: [(f"/tools/{index}", tool) for index, tool in enumerate(config.tools)],
)
