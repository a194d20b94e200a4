"""An agent of the OpenAI Agents SDK as an agent on topics: each call of its models and of its tools is an intent, so
that a record that is handled again gets the answers that there were."""

import dataclasses
import inspect
from typing import Final

import agents
import msgspec
from pydantic import TypeAdapter

from aob.core.answers import JsonObject
from aob.core.value import canonical, digest_of
from aob.work.frameworks.asking import Asking, Given
from aob.work.frameworks.mapping import Foreign, Made, Mapped, jsonable, refused
from aob.work.frameworks.openai_asked import answer_of, name_of, request_of
from aob.work.frameworks.recorded import bounded, effect_of, prompt_of, streamed

_answers: Final = TypeAdapter(agents.ModelResponse)


def openai_handler(given: Foreign, mapped: Mapped) -> Made:
    """The function that handles records with an agent. Raises Invalid for handoffs that are not to agents: their calls
    could not be recorded."""
    if not all(isinstance(each, agents.Agent) for each in given.handoffs):
        raise refused(f"{given.name} hands off to what is no agent", "handoffs=[other_agent]")

    async def handled(record: Foreign, ctx: Foreign) -> None:
        config = agents.RunConfig(tracing_disabled=True)  # a trace would go to the provider
        value = mapped.given(record)
        recorded = _recorded(given, ctx, Asking(ctx, value), {})
        run = await agents.Runner.run(recorded, prompt_of(value), context=ctx, run_config=config)
        await mapped.give(run.final_output, record, ctx)

    return handled, _text(given)


def _text(given: Foreign) -> str:
    """What the agent is told, its model, and the code of its tools."""
    told = given.instructions if isinstance(given.instructions, str) else ""
    found = [given.name, told, str(getattr(given.model, "model", given.model)), str(given.output_type)]
    for tool in given.tools:
        schema = getattr(tool, "params_json_schema", {})
        found.append(f"{tool.name}: {getattr(tool, 'description', '')} {msgspec.json.encode(schema).decode()}")
    found += [each.name for each in given.handoffs]
    return "\n".join(found)


def _recorded(given: Foreign, ctx: Foreign, asking: Asking, known: dict[int, Foreign]) -> Foreign:
    """The same agent, and those that it hands off to, with recorded models and tools."""
    if id(given) in known:
        return known[id(given)]
    model = given.model
    if not isinstance(model, agents.Model):
        model = agents.RunConfig().model_provider.get_model(model)
    tools = [_tool(each, ctx) if isinstance(each, agents.FunctionTool) else each for each in given.tools]
    made = known[id(given)] = given.clone(model=RecordedModel(model, asking), tools=tools)
    made.handoffs = [_recorded(each, ctx, asking, known) for each in given.handoffs]
    return made


def _tool(tool: Foreign, ctx: Foreign) -> Foreign:
    """A tool whose calls are recorded; it says what it does to the world by its attribute `effect`."""
    effect = effect_of(tool.name, getattr(tool, "effect", "once"))
    if effect == "none":
        return tool

    async def invoke(run: Foreign, arguments: str) -> Foreign:
        what = {"tool": tool.name, "args": arguments, "call": run.tool_call_id, "effect": effect}
        intended = await ctx.intend("tool", what)
        if not intended.granted:
            return intended.recorded
        given = tool.on_invoke_tool(run, arguments)
        told = jsonable(await given if inspect.isawaitable(given) else given)
        await ctx.settle(bounded(told), intent=intended)
        return told

    return dataclasses.replace(tool, on_invoke_tool=invoke)


class RecordedModel:
    """A model whose answers are recorded with the record that is handled."""

    def __init__(self, wrapped: Foreign, asking: Asking) -> None:
        self._wrapped, self._asking = wrapped, asking

    def __getattr__(self, name: str) -> Foreign:
        return getattr(self._wrapped, name)

    async def get_response(self, *given: Foreign, **more: Foreign) -> Foreign:
        """The answer of the model, or the one that it gave before to the same. Raises WorkError `answer_too_large`."""
        asked = inspect.signature(agents.Model.get_response).bind(self, *given, **more).arguments
        settings = {name: each for name, each in jsonable(asked["model_settings"]).items() if each is not None}
        tools = [[each.name, getattr(each, "params_json_schema", None)] for each in asked["tools"]]
        same = [asked["system_instructions"], jsonable(asked["input"]), settings, tools]
        what = {"model": str(getattr(self._wrapped, "model", type(self._wrapped).__name__))}
        name = name_of(self._wrapped)
        request = request_of(name, asked)

        async def perform() -> Given:
            response = await self._wrapped.get_response(*given, **more)
            told = _answers.dump_python(response, mode="json", exclude_unset=True, by_alias=True)
            return Given(response, told, answer_of(name, response, request), _spent(response.usage))

        what["request"] = digest_of(canonical(same)).hex()
        return await self._asking.ask(request, what, perform, _answers.validate_python)

    def stream_response(self, *given: Foreign, **more: Foreign) -> Foreign:
        """Not there. Raises WorkError `stream_unsupported`."""
        raise streamed()


agents.Model.register(RecordedModel)


def _spent(usage: Foreign) -> JsonObject:
    """What a call has spent, by unit."""
    into, out = usage.input_tokens, usage.output_tokens
    return {"calls": 1, "tokens_in": into, "tokens_out": out, "tokens": into + out}
