"""A provider of models on loopback that speaks the real protocols and gives the answers that a test sets.

Speaks OpenAI chat completions, OpenAI responses and Anthropic messages: gives the set turns in order, in the provider's
own shapes, and refuses a request that the real provider would refuse. No model is behind it.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aob.ports.model import Json
from aob.testing.conformance.model import Turn

KEY: Final = "sk-local-test"
ANSWER_TOOL: Final = "final_answer"


class RejectedError(Exception):
    """The request breaks the protocol; the message says where."""


class Provider:
    """The server, while it is entered. `requests` are the bodies received; `asked` is set at each."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = deque(turns)
        self.requests: list[dict[str, Json]] = []
        self.asked = asyncio.Event()
        self.port = 0
        self._ended = asyncio.Event()

    @property
    def openai_url(self) -> str:
        """The base URL for clients of OpenAI chat completions."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base URL for clients of Anthropic messages."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        routes = [
            Route("/v1/chat/completions", self._openai, methods=["POST"]),
            Route("/v1/responses", self._responses, methods=["POST"]),
            Route("/v1/messages", self._anthropic, methods=["POST"]),
        ]
        # Named as TCP: asyncio sends at once only then, and an answer of two pieces would wait 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off", ws="none")
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self._server.ready.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.ending.set()
        await self._task
        self._socket.close()

    async def _openai(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _openai_error(401, "Incorrect API key provided", "invalid_api_key")
        return await self._serve(request, check_openai, openai_answer, _openai_error)

    async def _responses(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _openai_error(401, "Incorrect API key provided", "invalid_api_key")
        return await self._serve(request, check_responses, responses_answer, _openai_error)

    async def _anthropic(self, request: Request) -> Response:
        # The API takes the key either way; clients of version 2 send it as a bearer token.
        if KEY not in {request.headers.get("x-api-key"), request.headers.get("authorization", "")[len("Bearer ") :]}:
            return _anthropic_error(401, "invalid x-api-key")
        if not request.headers.get("anthropic-version"):
            return _anthropic_error(400, "anthropic-version: header is required")
        return await self._serve(request, check_anthropic, anthropic_answer, _anthropic_error)

    async def _serve(
        self,
        request: Request,
        check: Callable[[dict[str, Json]], None],
        answer: Callable[[Turn, dict[str, Json], int], dict[str, Json]],
        fail: Callable[[int, str, str | None], Response],
    ) -> Response:
        body = await request.json()
        self.requests.append(body)
        self.asked.set()
        try:
            check(body)
        except RejectedError as error:
            return fail(400, str(error), None)
        if not self.turns:
            return fail(500, "the test gave no more turns", None)
        turn = self.turns.popleft()
        if turn.hang:
            await self._ended.wait()
        if turn.status != 200:
            response = fail(turn.status, "the test says so", turn.code or None)
            if turn.retry_after_s:
                response.headers["retry-after"] = str(turn.retry_after_s)
            return response
        if turn.raw is not msgspec.UNSET:
            body_bytes = turn.raw if isinstance(turn.raw, bytes) else msgspec.json.encode(turn.raw)
            return Response(body_bytes, media_type="application/json")
        if turn.garbage:
            return JSONResponse({"hello": "world"})
        return JSONResponse(answer(turn, body, len(self.requests)))


class _Server(uvicorn.Server):
    """Reports when it listens, so that callers need not poll, and ends at once: uvicorn's own waits 0.2 s each time."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready, self.ending = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


def check_openai(body: dict[str, Json]) -> None:
    """What OpenAI refuses in a chat completion. Raises RejectedError."""
    _require(isinstance(body.get("model"), str) and body["model"], "you must provide a model parameter")
    _require(isinstance(body.get("messages"), list) and body["messages"], "[] is too short - 'messages'")
    open_calls: set[str] = set()
    for message in body["messages"]:
        if message["role"] == "tool":
            _require(
                message.get("tool_call_id") in open_calls,
                "messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
            )
            open_calls.remove(message["tool_call_id"])
            continue
        _require(not open_calls, "an assistant message with 'tool_calls' must be followed by tool messages")
        _require(message["role"] in {"system", "developer", "user", "assistant"}, f"unknown role {message['role']}")
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    _require(not open_calls, "an assistant message with 'tool_calls' must be followed by tool messages")
    for tool in body.get("tools") or ():
        function = tool["function"]
        _require(function["parameters"].get("type") == "object", "schema must be a JSON Schema of 'type: object'")
    style = body.get("response_format") or {}
    if style.get("type") == "json_schema":
        _require(style["json_schema"].get("name"), "missing required parameter: response_format.json_schema.name")


def openai_answer(turn: Turn, body: dict[str, Json], number: int) -> dict[str, Json]:
    """A turn as a chat completion."""
    calls = list(_calls(turn, {tool["function"]["name"] for tool in body.get("tools") or ()}))
    reason = "length" if turn.cut else "tool_calls" if calls else "stop"
    answer: dict[str, Json] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _text(turn, calls) or None, "refusal": None},
                "logprobs": None,
                "finish_reason": reason,
            }
        ],
    }
    if calls:
        answer["choices"][0]["message"]["tool_calls"] = [
            {
                "id": f"call_{number}_{n}",
                "type": "function",
                "function": {"name": name, "arguments": msgspec.json.encode(args).decode()},
            }
            for n, (name, args) in enumerate(calls)
        ]
    if turn.measured:
        total = turn.tokens_in + turn.tokens_out
        answer["usage"] = {"prompt_tokens": turn.tokens_in, "completion_tokens": turn.tokens_out, "total_tokens": total}
    return answer


def check_responses(body: dict[str, Json]) -> None:
    """What OpenAI refuses in a request for a response. Raises RejectedError."""
    _require(isinstance(body.get("model"), str) and body["model"], "you must provide a model parameter")
    items = body.get("input")
    _require(items, "one of 'input' or 'previous_response_id' must be provided")
    open_calls: set[str] = set()
    for item in items if isinstance(items, list) else ():
        kind = item.get("type", "message")
        if kind == "function_call":
            args = msgspec.json.decode(item["arguments"])
            _require(isinstance(args, dict), "arguments of a function call are an object")
            open_calls.add(item["call_id"])
        elif kind == "function_call_output":
            _require(item.get("call_id") in open_calls, f"no tool call found for {item.get('call_id')}")
            open_calls.discard(item["call_id"])
        else:
            _require(item["role"] in {"system", "developer", "user", "assistant"}, f"unknown role {item['role']}")
    _require(not open_calls, f"no tool output found for function call {', '.join(open_calls)}")
    for tool in body.get("tools") or ():
        _require(tool["parameters"].get("type") == "object", "schema must be a JSON Schema of 'type: object'")
    style = (body.get("text") or {}).get("format") or {}
    if style.get("type") == "json_schema":
        _require(style.get("name"), "missing required parameter: text.format.name")


def responses_answer(turn: Turn, body: dict[str, Json], number: int) -> dict[str, Json]:
    """A turn as a response of OpenAI."""
    calls = list(_calls(turn, {tool["name"] for tool in body.get("tools") or ()}))
    text = _text(turn, calls)
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": [part]}
    output: list[dict[str, Json]] = [message] if text else []
    output += [
        {"type": "function_call", "id": f"fc_{number}_{n}", "call_id": f"call_{number}_{n}", "name": name,
         "arguments": msgspec.json.encode(args).decode(), "status": "completed"}
        for n, (name, args) in enumerate(calls)
    ]  # fmt: skip
    answer: dict[str, Json] = {
        "id": f"resp_{number}", "object": "response", "created_at": 1_767_225_600, "model": body["model"],
        "status": "incomplete" if turn.cut else "completed", "error": None, "output": output,
        "incomplete_details": {"reason": "max_output_tokens"} if turn.cut else None,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "temperature": 1.0,
    }  # fmt: skip
    if turn.measured:
        answer["usage"] = {
            "input_tokens": turn.tokens_in, "output_tokens": turn.tokens_out,
            "total_tokens": turn.tokens_in + turn.tokens_out,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
        }  # fmt: skip
    return answer


def check_anthropic(body: dict[str, Json]) -> None:
    """What Anthropic refuses in a message. Raises RejectedError."""
    _require(isinstance(body.get("model"), str) and body["model"], "model: field required")
    _require(isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 0, "max_tokens: field required")
    messages: list[dict[str, Json]] = body.get("messages") or []
    _require(messages, "messages: at least one message is required")
    _require(messages[0]["role"] == "user", "messages: first message must use the user role")
    open_calls: set[str] = set()
    for message in messages:
        _require(message["role"] in {"user", "assistant"}, f"messages: unexpected role {message['role']}")
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        _require(answered == open_calls, "messages: `tool_use` ids and the `tool_result` blocks after them differ")
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
    for tool in body.get("tools") or ():
        _require(tool["input_schema"].get("type") == "object", "tools: input_schema must be an object")


def anthropic_answer(turn: Turn, body: dict[str, Json], number: int) -> dict[str, Json]:
    """A turn as an Anthropic message."""
    calls = list(_calls(turn, {tool["name"] for tool in body.get("tools") or ()}))
    text = _text(turn, calls)
    content: list[dict[str, Json]] = [{"type": "text", "text": text}] if text else []
    content += [
        {"type": "tool_use", "id": f"toolu_{number}_{n}", "name": name, "input": args}
        for n, (name, args) in enumerate(calls)
    ]
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": "max_tokens" if turn.cut else "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": turn.tokens_in, "output_tokens": turn.tokens_out},
    }


def _calls(turn: Turn, offered: set[str]) -> Iterator[tuple[str, dict[str, Json]]]:
    yield from turn.calls
    if turn.output is not msgspec.UNSET and ANSWER_TOOL in offered:
        yield ANSWER_TOOL, turn.output


def _text(turn: Turn, calls: list[tuple[str, dict[str, Json]]]) -> str:
    if turn.output is msgspec.UNSET or any(name == ANSWER_TOOL for name, _ in calls):
        return turn.text
    return msgspec.json.encode(turn.output).decode()


def _require(holds: object, sentence: str) -> None:
    if not holds:
        raise RejectedError(sentence)


def _openai_error(status: int, message: str, code: str | None = None) -> Response:
    kind = {429: "rate_limit_exceeded", 401: "invalid_request_error", 400: "invalid_request_error"}
    error = {"message": message, "type": kind.get(status, "server_error"), "param": None, "code": code}
    return JSONResponse({"error": error}, status_code=status)


def _anthropic_error(status: int, message: str, code: str | None = None) -> Response:
    kinds = {
        400: "invalid_request_error",
        401: "authentication_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    error = {"type": kinds.get(status, "api_error"), "message": message}
    return JSONResponse({"type": "error", "error": error, "request_id": "req_local"}, status_code=status)
