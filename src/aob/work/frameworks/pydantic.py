"""An agent of pydantic-ai as an agent on topics: each call of its model and of its tools is an intent, so that a record
that is handled again gets the answers that there were."""

import inspect
from dataclasses import dataclass
from typing import Final

from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, ToolReturn
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset

from aob.core.answers import JsonObject, JsonValue
from aob.core.value import canonical, digest_of
from aob.work.frameworks.asking import Asking, Given
from aob.work.frameworks.mapping import Foreign, Made, Mapped, jsonable, refused
from aob.work.frameworks.pydantic_asked import answer_of, name_of, request_of
from aob.work.frameworks.recorded import bounded, effect_of, prompt_of, streamed

_OF_A_CALL: Final = frozenset(("timestamp", "run_id", "conversation_id", "provider_response_id"))
_RETRY: Final = "$retry"


def pydantic_handler(given: Agent[Foreign, Foreign], mapped: Mapped) -> Made:
    """The function that handles records with an agent. Raises Invalid for one without a model."""
    model = given.model
    if model is None:
        raise refused("the agent has no model", "Agent('PROVIDER:MODEL', …), or a Model")

    async def handled(record: Foreign, ctx: Foreign) -> None:
        value = mapped.given(record)
        tools = [RecordedTools(each, ctx) for each in given.toolsets]
        with given.override(model=RecordedModel(model, Asking(ctx, value)), toolsets=tools, tools=[]):
            result = await given.run(prompt_of(value), deps=ctx)
        await mapped.give(result.output, record, ctx)

    return handled, _text(given)


def _text(agent: Foreign) -> str:
    """What the agent is told, its model, and the code of its tools."""
    found = [str(agent.name), str(getattr(agent.model, "model_name", agent.model)), str(agent.output_type)]
    for name in ("_system_prompts", "_instructions"):
        found += [each for each in getattr(agent, name, ()) if isinstance(each, str)]
    for toolset in agent.toolsets:
        for name, tool in sorted(getattr(toolset, "tools", {}).items()):
            try:
                found.append(f"{name}: {inspect.getsource(tool.function)}")
            except (OSError, TypeError, AttributeError):
                found.append(str(name))
    return "\n".join(found)


class RecordedModel(WrapperModel):
    """A model whose answers are recorded with the record that is handled."""

    def __init__(self, wrapped: Foreign, asking: Asking) -> None:
        super().__init__(wrapped)
        self._asking = asking

    async def request(
        self, messages: list[ModelMessage], model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:  # fmt: skip
        """The answer of the model, or the one that it gave before to the same. Raises WorkError `answer_too_large`."""
        asked = {
            "messages": _without(ModelMessagesTypeAdapter.dump_python(messages, mode="json")),
            "settings": jsonable(model_settings or {}), "tools": jsonable(model_request_parameters.function_tools),
        }  # fmt: skip
        what = {"model": self.model_name, "request": digest_of(canonical(asked)).hex()}
        name = name_of(self.wrapped)

        async def perform() -> Given:
            response = await self.wrapped.request(messages, model_settings, model_request_parameters)
            (told,) = ModelMessagesTypeAdapter.dump_python([response], mode="json")
            cost_usd = _cost(response)
            answer = answer_of(name, response, model_request_parameters, cost_usd)
            return Given(response, told, answer, _spent(response, cost_usd))

        request = request_of(name, messages, model_settings or {}, model_request_parameters)
        answer: ModelResponse = await self._asking.ask(request, what, perform, _read)
        return answer

    def request_stream(self, *given: Foreign, **more: Foreign) -> Foreign:
        """Not there. Raises WorkError `stream_unsupported`."""
        raise streamed()


def _read(recorded: JsonValue) -> ModelMessage:
    """An answer that was recorded."""
    (answer,) = ModelMessagesTypeAdapter.validate_python([recorded])
    return answer


def _cost(answer: ModelResponse) -> float | None:
    """The price of a call in USD; None if it is not known."""
    try:
        return float(answer.cost().total_price)
    except (LookupError, AssertionError, ValueError):
        return None


def _spent(answer: ModelResponse, cost_usd: float | None) -> JsonObject:
    """What a call has spent, by unit; money only if the price is known."""
    into, out = answer.usage.input_tokens, answer.usage.output_tokens
    money = {} if cost_usd is None else {"usd": cost_usd}
    return {"calls": 1, "tokens_in": into, "tokens_out": out, "tokens": into + out, **money}


def _without(value: JsonValue) -> JsonValue:
    """Messages without what differs each time they are made."""
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items() if name not in _OF_A_CALL}
    return [_without(each) for each in value] if isinstance(value, list) else value


@dataclass
class RecordedTools(WrapperToolset[Foreign]):
    """Tools whose calls are recorded. A tool says what it does to the world with `metadata={"effect": …}`: `once`
    (unless it says otherwise), `keyed` (it may be repeated), `none` (it only reads, and is not recorded)."""

    ctx: Foreign = None

    async def call_tool(
        self, name: str, tool_args: dict[str, JsonValue], ctx: RunContext[Foreign], tool: ToolsetTool[Foreign]
    ) -> JsonValue:
        """What the tool answers, or has answered to this call before."""
        effect = effect_of(name, (tool.tool_def.metadata or {}).get("effect", "once"))
        if effect == "none":
            return await super().call_tool(name, tool_args, ctx, tool)
        what = {"tool": name, "args": jsonable(tool_args), "call": ctx.tool_call_id or "", "effect": effect}
        intended = await self.ctx.intend("tool", what)
        told = intended.recorded
        if intended.granted:
            try:
                given = await super().call_tool(name, tool_args, ctx, tool)
                told = jsonable(given.return_value if isinstance(given, ToolReturn) else given)
            except ModelRetry as retry:
                told = {_RETRY: retry.message}
            await self.ctx.settle(bounded(told), intent=intended)
        if isinstance(told, dict) and told.keys() == {_RETRY}:
            raise ModelRetry(told[_RETRY])
        return told
