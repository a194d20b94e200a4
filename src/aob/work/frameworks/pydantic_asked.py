"""What an agent of pydantic-ai asks its model, and what that answers, in the shapes of the port of models. Pure."""

from collections.abc import Iterator, Sequence

import msgspec
from pydantic_ai import messages as pa
from pydantic_ai.models import Model, ModelRequestParameters

from aob.core.answers import JsonObject, JsonValue
from aob.ports.model import Message, ModelAnswer, ModelRequest, Stop, ToolCall, Usage
from aob.work.frameworks.asking import brain_of, gathered, json_or, text_of, tool_of
from aob.work.frameworks.mapping import Foreign

SCRIPTED = frozenset(("test", "function"))  # the systems of pydantic-ai behind which no provider is


def name_of(model: Model) -> str:
    """The name of a model as a home has it: PROVIDER:MODEL."""
    chat = model.system == "openai" and type(model).__name__ == "OpenAIChatModel"
    return f"openai-chat:{model.model_name}" if chat else model.model_id


def request_of(
    model: str, messages: Sequence[pa.ModelMessage], settings: Foreign, asked: ModelRequestParameters
) -> ModelRequest:
    """What the model is asked."""
    tools = [tool_of(each.name, each.description or "", each.parameters_json_schema) for each in asked.function_tools]
    system = [
        text_of(part.content) for each in messages for part in each.parts if isinstance(part, pa.SystemPromptPart)
    ]
    told = [each.instructions for each in messages if isinstance(each, pa.ModelRequest) and each.instructions]
    said = gathered([message for each in messages for message in _messages(each)])
    temperature, most = settings.get("temperature"), settings.get("max_tokens")
    return ModelRequest(
        model, said, "\n\n".join([*system, *told[-1:]]), _schema(asked), tuple(tools), temperature, most or 0
    )


def _schema(asked: ModelRequestParameters) -> JsonObject | None:
    """The schema of the answer that is wanted; None for text."""
    schemas = [each.parameters_json_schema for each in asked.output_tools]
    if len(schemas) > 1:
        return {"anyOf": schemas}
    if schemas:
        return schemas[0]
    return asked.output_object.json_schema if asked.output_object is not None else None


def _messages(message: pa.ModelMessage) -> Iterator[Message]:
    if isinstance(message, pa.ModelResponse):
        yield Message("assistant", _said(message), _calls(message))
        return
    for part in message.parts:
        if isinstance(part, pa.ToolReturnPart):
            failed = part.outcome != "success"
            yield Message("tool", part.model_response_str(wrap_if_error=False), call=part.tool_call_id, failed=failed)
        elif not isinstance(part, pa.SystemPromptPart) and (content := getattr(part, "content", None)) is not None:
            yield Message("user", text_of(content))


def _said(response: pa.ModelResponse) -> str:
    return "".join(part.content for part in response.parts if isinstance(part, pa.TextPart))


def _calls(response: pa.ModelResponse) -> tuple[ToolCall, ...]:
    parts = [part for part in response.parts if isinstance(part, pa.ToolCallPart)]
    return tuple(ToolCall(part.tool_call_id, part.tool_name, _args(part.args)) for part in parts)


def _args(args: Foreign) -> JsonValue:
    return {} if args is None or args == "" else json_or(args, args)


def answer_of(
    model: str, response: pa.ModelResponse, asked: ModelRequestParameters, cost_usd: float | None
) -> ModelAnswer:
    """What the model answered. The call of a tool that gives the output is the output."""
    final = {each.name for each in asked.output_tools}
    calls, text = _calls(response), _said(response)
    outputs = [call.args for call in calls if call.name in final]
    output: JsonValue = outputs[0] if outputs else msgspec.UNSET
    if asked.output_object is not None and not calls:
        output = json_or(text, msgspec.UNSET)
    usage = Usage(response.usage.input_tokens, response.usage.output_tokens, cost_usd)
    if not response.usage.has_values():
        usage = Usage(None, None, None)
    stop: Stop = "refused" if response.finish_reason == "content_filter" else ""
    return ModelAnswer(
        brain_of(model, scripted=model.partition(":")[0] in SCRIPTED), output,
        tuple(call for call in calls if call.name not in final), text, usage, response.finish_reason == "length", stop,
    )  # fmt: skip
