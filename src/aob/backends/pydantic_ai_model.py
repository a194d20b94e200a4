"""`PROVIDER:MODEL`: any provider of pydantic-ai, one HTTP request for each request, usage as reported by the provider.
The key comes from the environment by the library (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, ...). `openai:MODEL` speaks
OpenAI's responses; a compatible server is `openai-chat:MODEL` with a base URL. The library takes seconds to import and
is loaded at the first request, in a thread. Costs are stated only for servers in the price list."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Final

import msgspec

from aob.backends.provider_answer import json_in, tidied, why_stopped
from aob.core.errors import AobError, CallerError, NotFound
from aob.ports.model import Brain, Json, Message, ModelAnswer, ModelRequest, ToolCall, Usage, unavailable

if TYPE_CHECKING:
    from pydantic_ai import messages as pa
    from pydantic_ai.models import Model as ProviderModel
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.providers import Provider
    from pydantic_ai.settings import ModelSettings

ANSWER_TOOL: Final = "final_answer"  # the tool by which providers without native structured output give their answer
WRAPPED: Final = "answer"  # the key that wraps a schema that is not an object: providers accept objects only
REQUEST_S_MAX: Final = 300.0
TEMPORARY_STATUS: Final = frozenset({408, 409, 425, 429})


class PydanticAiModel(AbstractAsyncContextManager["PydanticAiModel"]):
    """Calls providers. An async context manager that owns their HTTP clients; leaving it is idempotent. `base_urls`
    maps a provider (`openai-chat`, `anthropic`, ...) to the URL of another server that speaks its protocol. `key_of`
    returns the key of a provider, or None to read it from the environment."""

    def __init__(
        self,
        base_urls: Mapping[str, str] | None = None,
        key_of: Callable[[str], str] | None = None,
        *,
        request_s: float = REQUEST_S_MAX,
    ) -> None:
        self._base_urls, self._key_of = dict(base_urls or {}), key_of
        self._keys: set[str] = set()
        self._request_s = request_s
        self._models: dict[str, ProviderModel] = {}
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aexit__(self, *exc: object) -> None:
        self._models.clear()
        await self._stack.aclose()

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """One request to the provider, never repeated by the client; see `Model.ask` for the errors."""
        model = await self._model(request.model)
        from pydantic_ai.direct import model_request
        from pydantic_ai.exceptions import AgentRunError, UserError

        messages, settings, parameters = list(_messages(request)), self._settings(request), _parameters(request)
        try:
            response = await model_request(
                model, messages, model_settings=settings, model_request_parameters=parameters
            )
            answer = await asyncio.to_thread(_answer, response, request)
        except (AgentRunError, UserError) as error:
            raise self._masked(_fault(error, request.model)) from None
        except (Warning, AobError):
            raise
        except Exception as error:
            # Adapters raise arbitrary errors for answers that break the provider's protocol.
            raise unavailable(f"{request.model}: not an answer of the provider: {error!r}"[:2_000], "server") from error
        return answer

    def _masked(self, error: AobError) -> AobError:
        """An error of a provider, with its key masked."""
        for key in self._keys:
            if key in error.detail:
                error.detail = error.detail.replace(key, "{secret}")
                error.args = (error.detail,)
        return error

    async def _model(self, name: str) -> "ProviderModel":
        async with self._lock:
            if name not in self._models:
                model = await asyncio.to_thread(self._load, name)
                self._models[name] = await self._stack.enter_async_context(model)
            return self._models[name]

    def _load(self, name: str) -> "ProviderModel":
        try:
            from pydantic_ai.exceptions import UserError
            from pydantic_ai.models import infer_model
        except ImportError as error:
            why = f"{name} needs the library of providers, which is not installed"
            raise NotFound(
                why, code="model_unknown", hint="pip install 'agentic-orchestration-builder[models]'"
            ) from error
        try:
            return _tidying(infer_model(name, self._provider))
        except UserError as error:
            hint = "set the provider's key in the environment"
            raise CallerError(f"{name} cannot be used: {error}", code="model_refused", hint=hint) from error
        except (ImportError, ValueError) as error:
            raise NotFound(f"there is no model {name[:80]!r}: {error}", code="model_unknown") from error

    def _provider(self, name: str) -> "Provider[Json]":
        from pydantic_ai.providers import infer_provider, infer_provider_class

        key = self._key_of(name) if self._key_of is not None else ""
        self._keys |= {key} - {""}
        given = {"base_url": self._base_urls.get(name), "api_key": key}
        if not any(given.values()):
            return infer_provider(name)
        factory: Json = infer_provider_class(name)  # each provider has its own constructor
        provider: Provider[Json] = factory(**{option: value for option, value in given.items() if value})
        return provider

    def _settings(self, request: ModelRequest) -> "ModelSettings":
        # Retries are the run's decision, where they are journaled; here they would be invisible.
        settings: ModelSettings = {"max_retries": 0, "timeout": self._request_s}
        if request.temperature is not None:
            settings["temperature"] = request.temperature
        if request.tokens_max:
            settings["max_tokens"] = request.tokens_max
        return settings


def _tidying(model: "ProviderModel") -> "ProviderModel":
    """The same model, with a client that normalises answers first; other models are returned unchanged."""
    hooks: Json = getattr(getattr(getattr(model, "client", None), "_client", None), "event_hooks", None)
    if isinstance(hooks, dict) and _tidy not in hooks.setdefault("response", []):
        hooks["response"].append(_tidy)
    return model


async def _tidy(response: Json) -> None:
    if response.status_code == 200 and "event-stream" not in response.headers.get("content-type", ""):
        response._content = tidied(await response.aread())


def _parameters(request: ModelRequest) -> "ModelRequestParameters":
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    tools = [
        ToolDefinition(name=tool.name, parameters_json_schema=tool.schema, description=tool.description)
        for tool in request.tools
    ]
    if request.output is None:
        return ModelRequestParameters(function_tools=tools)
    schema = request.output if _is_object(request.output) else _wrapped(request.output)
    about = "The answer to the task."
    return ModelRequestParameters(
        function_tools=tools,
        output_mode="auto",
        output_object=OutputObjectDefinition(schema, ANSWER_TOOL, about),
        output_tools=[
            ToolDefinition(name=ANSWER_TOOL, parameters_json_schema=schema, description=about, kind="output")
        ],
        allow_text_output=False,
    )


def _is_object(schema: Mapping[str, Json]) -> bool:
    return schema.get("type") == "object"


def _wrapped(schema: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {WRAPPED: dict(schema)},
        "required": [WRAPPED],
        "additionalProperties": False,
    }


def _messages(request: ModelRequest) -> "Iterator[pa.ModelMessage]":
    from pydantic_ai import messages as pa

    names = {call.id: call.name for message in request.messages for call in message.calls}
    parts: list[pa.ModelRequestPart] = [pa.SystemPromptPart(request.system)] if request.system else []
    for message in request.messages:
        if message.role == "assistant":
            if parts:
                yield pa.ModelRequest(parts)
                parts = []
            yield pa.ModelResponse(list(_said(message)))
        elif message.role == "tool":
            outcome: Json = "failed" if message.failed else "success"
            parts.append(pa.ToolReturnPart(names[message.call], message.text, message.call, outcome=outcome))
        else:
            parts.append(pa.UserPromptPart(message.text))
    if parts:
        yield pa.ModelRequest(parts)


def _said(message: Message) -> "Iterator[pa.ModelResponsePart]":
    from pydantic_ai import messages as pa

    if message.text:
        yield pa.TextPart(message.text)
    for call in message.calls:
        # Providers accept objects only: other arguments of a model are sent back as text.
        args = call.args if isinstance(call.args, dict) else {"arguments": msgspec.json.encode(call.args).decode()}
        yield pa.ToolCallPart(call.name, args, call.id)


def _answer(response: "pa.ModelResponse", request: ModelRequest) -> ModelAnswer:
    from pydantic_ai import messages as pa

    parts = [part for part in response.parts if isinstance(part, pa.ToolCallPart)]
    text = "".join(part.content for part in response.parts if isinstance(part, pa.TextPart))
    raw, said = _stop_word(response)
    stop = why_stopped(response.finish_reason or "", raw)
    calls = tuple(ToolCall(part.tool_call_id, part.tool_name, _args(part.args)) for part in parts)
    brain = Brain("live", f"live {request.model}", request.model)
    if stop == "refused" or stop == "context" or stop == "paused":
        words = text or said or msgspec.json.encode([call.args for call in calls]).decode() * bool(calls)
        return ModelAnswer(
            brain, text=words, usage=_usage(response), stop=stop, stop_word=raw or str(response.finish_reason)
        )
    if stop == "error" or not (text.strip() or calls or stop == "cut"):
        what = f"broke off ({raw})" if stop == "error" else "answered nothing"
        raise unavailable(f"{request.model} {what}: {text}"[:2_000], "server")
    final = [call for call in calls if call.name == ANSWER_TOOL and request.output is not None]
    output: Json = msgspec.UNSET
    if final:
        output = final[0].args
        text = msgspec.json.encode(output).decode()
        if isinstance(output, str):
            output = json_in(output, object_wanted=True)
    elif request.output is not None and text and not calls:
        output = json_in(text, object_wanted=_is_object(request.output))
    if request.output is not None and not _is_object(request.output) and isinstance(output, dict):
        output = output.get(WRAPPED, output)
    return ModelAnswer(
        brain, output, tuple(call for call in calls if call not in final), text, _usage(response), stop == "cut"
    )


def _stop_word(response: "pa.ModelResponse") -> tuple[str, str]:
    """The provider's own stop reason, and its text about a refusal."""
    details: Mapping[str, Json] = response.provider_details or {}
    raw, said = details.get("finish_reason"), details.get("refusal")
    word = raw if isinstance(raw, str) else ""
    word = "refusal" if said and word in {"", "stop", "completed"} else word
    return word, said if isinstance(said, str) else ""


def _args(args: Json) -> Json:
    """Arguments as the model gave them; anything but a JSON object is passed on to be refused."""
    if not isinstance(args, str):
        return args
    if not args.strip():
        return {}
    read = json_in(args, object_wanted=True)
    return args if read is msgspec.UNSET else read


def _usage(response: "pa.ModelResponse") -> Usage:
    usage = response.usage
    if usage.unmeasured_requests or not usage.has_values():
        return Usage(None, None, None)
    return Usage(usage.input_tokens, usage.output_tokens, _cost(response))


def _cost(response: "pa.ModelResponse") -> float | None:
    from genai_prices import calc_price

    if not response.provider_url or not response.model_name:
        return None
    try:
        # By address only: by name, another server under a base URL would be priced as the original.
        price = calc_price(response.usage, response.model_name, provider_api_url=response.provider_url)
    except (LookupError, ValueError):
        return None
    return float(price.total_price)


def _fault(error: Exception, name: str) -> AobError:
    from pydantic_ai import exceptions as pe

    said = f"{name}: {error}"[:2_000]
    if isinstance(error, pe.ModelTimeoutError | pe.ModelRequestTimeout):
        return unavailable(said, "timeout")
    wait = (error.retry_after or 0.0) if isinstance(error, pe.ModelAPIError) else 0.0
    if isinstance(error, pe.ModelQuotaExceededError) or _is_quota(error):
        hint = "look at the account's plan and balance at the provider"
        return CallerError(f"the provider refuses: {said}", code="model_refused", kind="quota", hint=hint)
    if isinstance(error, pe.ModelRateLimitError):
        return unavailable(said, "rate_limited", wait)
    if isinstance(error, pe.ModelUnavailableError):
        return unavailable(said, "overloaded", wait)
    if isinstance(error, pe.ModelConnectionError):
        return unavailable(said, "connection", wait)
    status = error.status_code if isinstance(error, pe.ModelHTTPError) else 0
    if isinstance(error, pe.ModelServerError) or status >= 500 or status in TEMPORARY_STATUS:
        return unavailable(said, "server", wait)
    if isinstance(error, pe.ModelNotFoundError):
        return NotFound(said, code="model_unknown", hint="look the model's name up at the provider")
    wrong = str(getattr(error, "provider_error_code", None) or "").startswith("invalid_")
    if isinstance(error, pe.UnexpectedModelBehavior) or (type(error) is pe.ModelAPIError and not status and not wrong):
        # The answer broke the provider's protocol: the next one may not.
        return unavailable(said, "server")
    return CallerError(f"the provider refuses: {said}", code="model_refused")


def _is_quota(error: Exception) -> bool:
    """Whether the quota is used up: a 429 like a rate limit, but waiting does not help."""
    body: Json = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else {}
    words = {inner.get("code"), inner.get("type")} if isinstance(inner, dict) else set()
    return bool(words & {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
