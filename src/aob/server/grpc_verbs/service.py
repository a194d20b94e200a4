"""The gRPC service of the verbs: each call becomes a request to the HTTP application, in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import grpc
import grpc.aio
import msgspec
from google.protobuf.message import DecodeError, Message

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import AobError, Invalid, Problem
from aob.core.problem import problem_of
from aob.ports.logger import Logger
from aob.rpc import aob_pb2
from aob.server.grpc_verbs.transcode import fill, json_of
from aob.server.http.app import App
from aob.server.http.route import EVENT_STREAM, AnyRoute

PASSED_ON: Final = frozenset({
    "authorization", "idempotency-key", "last-event-id", "prefer", "traceparent", "x-api-key", "x-correlation-id",
})  # fmt: skip
"""Metadata that becomes headers of the request."""
PROBLEM: Final = "aob-problem-bin"
STATUS: Final = "aob-status"
PROBLEM_MAX: Final = 4 * 1024  # of a problem, in bytes: clients refuse more than 8 KiB of metadata, and lose the status
DETAIL_MAX: Final = 1_000  # characters; each byte of one that is not ASCII is sent as three
CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT, 401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED, 404: grpc.StatusCode.NOT_FOUND, 409: grpc.StatusCode.FAILED_PRECONDITION,
    410: grpc.StatusCode.NOT_FOUND, 413: grpc.StatusCode.OUT_OF_RANGE, 415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT, 429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE, 504: grpc.StatusCode.DEADLINE_EXCEEDED,
}  # fmt: skip
"""The gRPC status of an HTTP status (the mapping of google.rpc.Code); any other is INTERNAL."""

log: Final = Logger("aob.server")
Context: TypeAlias = Any  # grpc.aio.ServicerContext: grpcio has no types
Got = MutableMapping[str, Any]


def method_of(operation: str) -> str:
    """The name of an operation's method: `start_run` is `StartRun`."""
    return "".join(part.title() for part in operation.split("_"))


def verb_handlers(app: App) -> grpc.GenericRpcHandler:
    """The handlers of the service `aob.v1.Aob`, for a `grpc.aio.Server`."""
    service = aob_pb2.DESCRIPTOR.services_by_name["Aob"]
    methods = {method.name: method for method in service.methods}
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for route in app.table.routes:
        method = methods.get(method_of(route.name))
        if route.verb and method is not None:
            takes, gives = (getattr(aob_pb2, kind.name) for kind in (method.input_type, method.output_type))
            operation = _Operation(app, route, takes, gives)
            made = (
                grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
            )
            handlers[method.name] = made(operation.stream if method.server_streaming else operation.answer)
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


class _Operation:
    """One operation. Messages come and leave as bytes, so that what cannot be read is answered like any wrong call."""

    def __init__(self, app: App, route: AnyRoute, takes: type[Message], gives: type[Message]) -> None:
        self._app, self._route, self._takes, self._gives = app, route, takes, gives
        self._query = [field.encode_name for field in msgspec.structs.fields(route.query)]
        self._accepts = EVENT_STREAM if any(each.media == EVENT_STREAM for each in route.gives) else "application/json"

    async def answer(self, data: bytes, context: Context) -> bytes:
        """The answer of a call that has one."""
        scope, body = await self._asked(data, context)
        status, headers, parts = 0, dict[bytes, bytes](), list[bytes]()

        async def send(message: Got) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], dict(message["headers"])
            else:
                parts.append(bytes(message.get("body", b"")))

        await self._app(scope, _receiving(body), send)
        whole = b"".join(parts)
        if status >= 400:
            await _refuse(context, status, whole)
        context.set_trailing_metadata(((STATUS, str(status)),))
        return self._told(whole, headers.get(b"content-type", b"").decode("latin-1")).SerializeToString()

    async def stream(self, data: bytes, context: Context) -> AsyncIterator[bytes]:
        """The items of a stream, as many as the caller takes."""
        scope, body = await self._asked(data, context)
        sent: asyncio.Queue[Got | None] = asyncio.Queue(1)

        async def perform() -> None:
            try:
                await self._app(scope, _receiving(body), sent.put)
            except Exception:
                log.exception("stream_broke", path=scope["path"])
            await sent.put(None)

        task = asyncio.create_task(perform(), name="aob-grpc-stream")
        try:
            start = await sent.get()
            status, rest = (start["status"] if start else 500), b""
            while (message := await sent.get()) is not None:
                rest += bytes(message.get("body", b""))
                if status < 400:
                    *blocks, rest = rest.split(b"\n\n")
                    for item in filter(None, map(_item, blocks)):
                        yield item.SerializeToString()
            if status >= 400:
                await _refuse(context, status, rest)
            context.set_trailing_metadata(((STATUS, str(status)),))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _asked(self, data: bytes, context: Context) -> tuple[Got, bytes]:
        """The request as the application takes it. Ends the call when it cannot be one."""
        try:
            message = self._takes()
            message.ParseFromString(data)
            return self._request(json_of(message), dict(context.invocation_metadata() or ()))
        except (DecodeError, msgspec.DecodeError, RecursionError) as error:
            problem = Problem("", str(error)[:200], "bad_message")
            wrong: AobError = Invalid(f"the message is no {self._takes.DESCRIPTOR.name}", [problem])
        except AobError as error:
            wrong = error
        await _refuse(context, wrong.status, msgspec.json.encode(problem_of(wrong)))
        raise wrong

    def _request(self, fields: JsonObject, metadata: Mapping[str, str | bytes]) -> tuple[Got, bytes]:
        route, path = self._route, self._route.path
        for name in route.params:
            value = str(fields.pop(name, ""))
            if not value:
                raise Invalid(f"`{name}` is missing", [Problem(name, "is empty", "missing_field")])
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        query = [(name, text) for name in self._query if name in fields for text in _texts(fields.pop(name))]
        headers = [(b"accept", self._accepts.encode())]
        headers += [
            (name.encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in metadata.items() if name in PASSED_ON
        ]  # fmt: skip
        body = b""
        if route.takes_body:
            media = fields.pop("media", "") or route.body.media[0]
            raw = fields.pop("body", None)
            body = raw if isinstance(raw, bytes) else msgspec.json.encode(fields)
            if raw is None and not fields and route.body.optional:
                body = b""
            headers += [(b"content-type", str(media).encode()), (b"content-length", str(len(body)).encode())]
        scope = {
            "type": "http", "method": route.method, "path": path, "raw_path": path.encode(), "headers": headers,
            "query_string": urlencode(query).encode(), "scheme": "http",
        }  # fmt: skip
        return scope, body

    def _told(self, data: bytes, media: str) -> Message:
        message = self._gives()
        if self._gives is aob_pb2.Bytes:
            return aob_pb2.Bytes(data=data, media=media)
        if data and self._gives is not aob_pb2.Empty:
            value: JsonValue = msgspec.json.decode(data)
            fill(message, {"items": value} if isinstance(value, list) and self._gives is not aob_pb2.Json else value)
        return message


def _texts(value: JsonValue) -> list[str]:
    """A value as parameters of a query: one, or one for each item."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value if isinstance(value, str) else msgspec.json.encode(value).decode()]


def _receiving(body: bytes) -> Callable[[], Any]:
    """The caller's side: the body, whole; then nothing until the call is over."""
    first = True

    async def receive() -> Got:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


def _item(block: bytes) -> Any:
    """One block of an event stream; None for a heartbeat and for the time after which to come back."""
    told: dict[str, list[str]] = {}
    for line in block.decode().split("\n"):
        name, colon, value = line.partition(":")
        if name and colon:
            told.setdefault(name, []).append(value.removeprefix(" "))
    if not told.keys() & {"id", "event", "data"}:
        return None
    return aob_pb2.Item(**{name: "\n".join(told.get(name, ())) for name in ("id", "event", "data")})


async def _refuse(context: Context, status: int, problem: bytes) -> None:
    """End a call with the problem document of its HTTP answer: raises."""
    try:
        detail = str(msgspec.json.decode(problem).get("detail", ""))
    except (msgspec.DecodeError, AttributeError):
        detail = f"HTTP {status}"
    detail = detail[:DETAIL_MAX] if detail.isascii() else detail[: DETAIL_MAX // 8]
    await context.abort(
        CODES.get(status, grpc.StatusCode.INTERNAL), detail, ((STATUS, str(status)), (PROBLEM, small(problem)))
    )


def small(problem: bytes) -> bytes:
    """A problem document that fits into metadata: `left_out` says how many of its `problems` are missing."""
    if len(problem) <= PROBLEM_MAX:
        return problem
    told = msgspec.json.decode(problem)
    most = PROBLEM_MAX // 16
    short: JsonObject = {
        name: told[name][:most] if isinstance(told[name], str) else told[name]
        for name in ("type", "title", "status", "code", "detail", "hint", "retry_after_s") if name in told
    }  # fmt: skip
    rows, kept = told.get("problems") or [], list[JsonValue]()
    left = PROBLEM_MAX - len(msgspec.json.encode({**short, "problems": [], "left_out": len(rows)}))
    for row in rows:
        left -= len(msgspec.json.encode(row)) + 1
        if left < 0:
            break
        kept.append(row)
    return msgspec.json.encode({**short, "problems": kept, "left_out": len(rows) - len(kept)})
