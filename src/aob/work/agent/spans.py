"""Spans of calls of models and of tools, by the semantic conventions of OpenTelemetry for generative AI. What was asked
and answered is never in them: the id of the decision leads to it."""

import time
from typing import Final

from aob.core.decision import Call
from aob.ports.model import ModelAnswer, ModelRequest
from aob.ports.telemetry import TRACE, Telemetry

OUTPUT: Final = {True: "json", False: "text"}


def told_call(
    telemetry: Telemetry | None, request: ModelRequest, told: Call, answer: ModelAnswer | None, error: str = "",
    conversation: str = "",
) -> None:  # fmt: skip
    """A call of a model has ended just now, with an answer or an error code. Free without a collector."""
    if telemetry is None or not telemetry.tracing:
        return
    provider, _, name = request.model.partition(":")
    facts: dict[str, str | int | float] = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": name or provider,
        "gen_ai.output.type": OUTPUT[request.output is not None], "aob.chosen": told.chosen,
    }  # fmt: skip
    if request.temperature is not None:
        facts["gen_ai.request.temperature"] = request.temperature
    if request.tokens_max:
        facts["gen_ai.request.max_tokens"] = request.tokens_max
    if conversation:
        facts["gen_ai.conversation.id"] = conversation
    if answer is not None:
        facts["gen_ai.response.model"] = answer.brain.model.partition(":")[2] or answer.brain.model
        spent = answer.usage
        for named, tokens in (("input_tokens", spent.tokens_in), ("output_tokens", spent.tokens_out)):
            if tokens is not None:
                facts[f"gen_ai.usage.{named}"] = tokens
    if error:
        facts["error.type"] = error
    end_ns = time.time_ns()
    telemetry.record(f"chat {name or provider}", TRACE.get(), end_ns - int(told.took_ms * 1e6), end_ns, **facts)


def told_tool(telemetry: Telemetry | None, tool: str, call: str, begun_ns: int, error: str = "") -> None:
    """A call of a tool has ended just now."""
    if telemetry is None or not telemetry.tracing:
        return
    facts: dict[str, str | int | float] = {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.call.id": call,
        "gen_ai.tool.type": "function", **({"error.type": error} if error else {}),
    }  # fmt: skip
    telemetry.record(f"execute_tool {tool}", TRACE.get(), begun_ns, time.time_ns(), **facts)
