"""`agent`: model calls with structured output, tools by allow-list, and patch proposals."""

from typing import Any

import msgspec

from aob.core.node.kind import Kind


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


AGENT = Kind("agent", AgentConfig, effect=lambda config: "keyed")
