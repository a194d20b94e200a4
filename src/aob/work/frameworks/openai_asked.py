"""What an agent of the OpenAI Agents SDK asks its model, and what that answers, in the shapes of the port of models.
Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.ports.model import Message, ModelAnswer, ModelRequest, ToolCall, Usage
from aob.work.frameworks.asking import brain_of, gathered, json_or, text_of, tool_of
from aob.work.frameworks.mapping import Foreign, jsonable


def name_of(model: Foreign) -> str:
    """The name of a model as a home has it: PROVIDER:MODEL for those of OpenAI, else the name that it has."""
    name, of = str(getattr(model, "model", type(model).__name__)), type(model).__module__
    if not of.startswith("agents.models.openai"):
        return name
    return f"openai-chat:{name}" if "chatcompletions" in of else f"openai:{name}"


def request_of(model: str, asked: Mapping[str, Foreign]) -> ModelRequest:
    """What the model is asked; `asked` are the arguments of its call by name."""
    items, settings, schema = asked["input"], asked["model_settings"], asked.get("output_schema")
    given = [{"role": "user", "content": items}] if isinstance(items, str) else items
    messages = gathered([message for each in given for message in _messages(jsonable(each))])
    tools = [
        tool_of(each.name, getattr(each, "description", ""), getattr(each, "params_json_schema", {}))
        for each in asked["tools"]
    ]
    tools += [tool_of(each.tool_name, each.tool_description, each.input_json_schema) for each in asked["handoffs"]]
    wanted = None if schema is None or schema.is_plain_text() else schema.json_schema()
    return ModelRequest(
        model, messages, asked["system_instructions"] or "", wanted, tuple(tools), settings.temperature,
        settings.max_tokens or 0,
    )  # fmt: skip


def _messages(item: JsonObject) -> Iterator[Message]:
    """The message of an item; what the provider thought is none."""
    kind = item.get("type", "message")
    if kind == "function_call":
        yield Message("assistant", calls=(_call(item),))
    elif kind == "function_call_output":
        yield Message("tool", text_of(item["output"]), call=str(item["call_id"]))
    elif item.get("role"):
        role: Foreign = "assistant" if item["role"] == "assistant" else "user"
        yield Message(role, text_of(item.get("content") or ""))


def _call(item: JsonObject) -> ToolCall:
    return ToolCall(str(item["call_id"]), str(item["name"]), json_or(item["arguments"] or "{}", item["arguments"]))


def answer_of(model: str, response: Foreign, request: ModelRequest) -> ModelAnswer:
    """What the model answered."""
    said = gathered([message for each in response.output for message in _messages(jsonable(each))])
    text = "\n".join(each.text for each in said if each.text)
    calls = tuple(call for each in said for call in each.calls)
    output: JsonValue = msgspec.UNSET if request.output is None or calls else json_or(text, msgspec.UNSET)
    into, out = response.usage.input_tokens, response.usage.output_tokens
    known = bool(response.usage.requests)
    usage = Usage(into if known else None, out if known else None, None)
    return ModelAnswer(brain_of(model), output, calls, text, usage)
