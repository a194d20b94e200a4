"""The ASGI application: finds the route and the caller, checks the role, acts, answers. Errors become problems."""

import asyncio
import re
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import msgspec

from aob.core.errors import AobError, Busy, OurError, Refused, TooLarge, Unauthorized, Unavailable
from aob.core.policy import Caller
from aob.core.problem import outward
from aob.core.rights import may, sees_home
from aob.core.verb import having
from aob.fanout import HEARTBEAT, Limits, Reader, Readers
from aob.ports.logger import Logger
from aob.ports.telemetry import TRACE, Telemetry, traced
from aob.server.api_keys import ApiKeys
from aob.server.http.answer import (
    CLOSES,
    DIRECT,
    REGISTRY,
    Answer,
    Direct,
    Header,
    Message,
    Receive,
    Send,
    Stream,
    problem_answer,
)
from aob.server.http.call import AnyCall, Call, Gone, clock_ms
from aob.server.http.headers import joined, secret_of, with_basic
from aob.server.http.problem import ReadsSpent, decode_error
from aob.server.http.refusals import Refusals
from aob.server.http.route import VERSION, AnyRoute, Table, no_route, pick
from aob.server.http.waits import Waits, hung_up
from aob.server.limits import ReadLimit

REQUESTS_MAX: Final = 2_000  # concurrent requests; streams are counted by `Limits.readers_max`
REQUESTS_TENANT_MAX: Final = 1_800  # concurrent requests of one tenant, so that a slow sender leaves places to others
HOST_PORT: Final = re.compile(r":\d*$")
HOSTS_SEEN_MAX: Final = 64
ANYBODY: Final = Caller("", "anybody", frozenset())  # who sends no key, where none is needed
HEALTH: Final = "show_health"  # the public route that tells more to who has a key
REVOKES: Final = "revoke_key"  # the route that ends the streams of revoked keys
FIRST_WAIT_S: Final = 0.05  # how long a stream delays its head, so that an error of its feed still gets its own status

log: Final = Logger("aob.server")


class App:
    """The HTTP interface of one engine. One instance serves one loop; `stop` ends its streams."""

    def __init__(
        self,
        verbs: Any,
        table: Table,
        limits: Limits,
        *,
        metrics: Any = None,
        shards: Any = None,
        read_limit: ReadLimit | None = None,
        api_keys: ApiKeys | None = None,
        now_ms: Callable[[], int] = clock_ms,
        telemetry: Telemetry | None = None,
        hosts: frozenset[str] | None = None,
    ) -> None:
        self._hosts, self._hosts_seen = hosts, set[bytes]()
        self._telemetry = telemetry
        self.table, self.limits = table, limits
        self.readers = Readers(limits)
        self._metrics, self._now_ms = metrics, now_ms
        self._read_limit, self._api_keys = read_limit, api_keys
        self._shards = shards
        self.serve(verbs)
        self._under_way = 0
        self._of_tenant: dict[str, int] = {}
        self.waits = Waits()
        self._refusals = Refusals()

    def bound_reads(self, per_minute: int, per_tenant: int) -> None:
        """Bound the reads of a key and of a tenant in any minute from now on; 0: no bound."""
        if self._read_limit is None or not (per_minute or per_tenant):
            self._read_limit = ReadLimit(per_minute, per_tenant) if per_minute or per_tenant else None
        else:
            self._read_limit.change(per_minute, per_tenant)

    def serve(self, verbs: Any) -> None:
        """From now on requests are for this engine. Streams of the one before end; their readers come again."""
        self.readers.end()
        self._verbs = verbs
        names = {route.verb for route in (*self.table.routes, *self.table.aside) if route.verb}
        self._rooms = having(names, verbs, self._metrics, self._shards)

    def stop(self) -> None:
        """Ends all streams and waits, so that a server can drain."""
        self.readers.stop()
        self.waits.stop()
        self._refusals.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        self._under_way += 1
        direct: Direct | None = scope.get(DIRECT)
        headers, scheme = dict(scope["headers"]), scope.get("scheme", "http")
        call: AnyCall = Call(
            self._verbs, path, headers, receive, scheme, self._metrics, self._now_ms, self.waits, self._rooms, direct
        )
        begun = time.perf_counter()
        try:
            answer = await self._traced(scope, call)
        except Gone:
            return
        except Exception as error:
            whole = call.counted and sees_home(call.who)
            answer = problem_answer(self._known(error, path, whole), path)
            if answer.status == TooLarge.status:
                await call.drain()
            elif call.asks_first:
                answer = msgspec.structs.replace(answer, headers=(*answer.headers, CLOSES))
        finally:
            self._under_way -= 1
            if call.counted:
                self._of_tenant[call.who.tenant] -= 1
        if self._telemetry is not None and isinstance(answer, Answer):
            failed = answer.status >= 500
            self._telemetry.stage(_stage(scope["method"], path), time.perf_counter() - begun, 1, failed)
        if isinstance(answer, Answer):
            await answer.leave(send, direct)
        else:
            await self._stream(answer, call.who, scope, receive, send)

    async def _traced(self, scope: Message, call: AnyCall) -> Answer | Stream:
        """The answer, under a span where spans are collected; continues the caller's trace."""
        telemetry = self._telemetry
        if telemetry is None:
            return await self._answer(scope, call)
        parent = traced(call.header(b"traceparent"))
        if parent is None and not telemetry.tracing:
            return await self._answer(scope, call)
        correlation = call.header(b"x-correlation-id") or call.header(b"x-request-id") or ""
        with telemetry.span(f"{scope['method']} {scope['path']}", parent, **{"aob.correlation": correlation[:200]}):
            return await self._answer(scope, call)

    async def _answer(self, scope: Message, call: AnyCall) -> Answer | Stream:
        if self._under_way - len(self.waits) > REQUESTS_MAX:
            raise Busy(f"{REQUESTS_MAX} requests are under way", hint="come again, or send batches")
        if len(call.headers) != len(scope["headers"]):
            call.headers = joined(scope["headers"])
        if call.path.startswith(REGISTRY):
            call.headers = with_basic(call.headers)
        if self._hosts is not None and call.headers.get(b"host", b"") not in self._hosts_seen:
            self._refuse_host(call.headers.get(b"host", b""), self._hosts)
        path, raw = call.path, scope.get("raw_path")
        found = self.table.methods(path, raw.decode("latin-1").partition("?")[0] if raw else path)
        if found is None:
            moved = self._moved(scope)
            if moved:
                return moved
            self._caller(call)
            raise no_route(path)
        methods, call.params = found
        route = methods.get(scope["method"])
        if route is None:
            route = self._other_method(methods, scope["method"], call)
        spent: tuple[Header, ...] = ()
        if route.role is not None:
            call.who = self._caller(call)
            self._count_in(call)
            trace = TRACE.get()
            if trace is not None:
                TRACE.set(msgspec.structs.replace(trace, tenant=call.who.tenant))
            if route.cost > 0 and self._read_limit is not None and not call.who.owns_home:
                spent = self._count(call, route.cost)
            if route.role not in call.who.roles:
                may(call.who, route.role)
        elif route.name == HEALTH:
            call.who = self._known_by(call) or ANYBODY
        answer = await route.perform(call, scope["query_string"])
        if spent and call.cost > 0:
            spent = self._count(call, call.cost, done=True)
        if route.name == REVOKES:
            self.end_dead()
        return msgspec.structs.replace(answer, headers=(*answer.headers, *spent)) if spent else answer

    def _count_in(self, call: AnyCall) -> None:
        """Counts a request for its tenant. Raises Busy when the tenant has reached its limit."""
        tenant = call.who.tenant
        held = self._of_tenant.get(tenant, 0)
        if held >= REQUESTS_TENANT_MAX and held - self.waits.held(tenant) >= REQUESTS_TENANT_MAX:
            raise Busy(f"{held} requests of this tenant are under way", hint="come again, or send batches")
        self._of_tenant[tenant] = held + 1
        call.counted = True

    def _count(self, call: AnyCall, cost: int, *, done: bool = False) -> tuple[Header, ...]:
        """What is left to this key, as headers. Raises ReadsSpent when less is left than the request costs;
        the further cost of an answer is counted when it is `done`."""
        limit = self._read_limit
        if limit is None:
            return ()
        key = sha256((secret_of(call.headers) or "").encode()).hexdigest()
        left = limit.take(call.who.tenant, key, cost, done=done)
        headers = tuple((name.encode(), value.encode()) for name, value in left.headers().items())
        if left.spent:
            raise ReadsSpent(left.per_minute, left.reset_s, headers, left.whose)
        return headers

    def _other_method(self, methods: Any, method: str, call: AnyCall) -> AnyRoute:
        if all(route.role is not None for route in methods.values()):
            self._caller(call)
        return pick(methods, method, call.path)

    def _known_by(self, call: AnyCall) -> Caller | None:
        """Whose key was sent, if that is known."""
        secret = secret_of(call.headers)
        who: Caller | None = self._verbs.authenticate(secret) if secret else None
        if who is None and secret and self._api_keys is not None:
            who = self._api_keys.authenticate(secret)
        return who

    def _caller(self, call: AnyCall) -> Caller:
        who = self._known_by(call)
        if who is None:
            raise Unauthorized(
                "this key is unknown or revoked" if secret_of(call.headers) else "no key was sent",
                hint="send X-API-Key: SECRET; `aob key create NAME --role view` makes one",
            )
        return who

    def _refuse_host(self, said: bytes, hosts: frozenset[str]) -> None:
        """Raises Refused for a host name that is not ours: DNS rebinding by a foreign page."""
        name = HOST_PORT.sub("", said.decode("latin-1").strip().lower())
        if said and name not in hosts:
            why = f"{name[:100]!r} is not a name of this server"
            raise Refused(why, code="bad_host", hint="use the address that `aob up` printed, or set public_url")
        if len(self._hosts_seen) < HOSTS_SEEN_MAX:
            self._hosts_seen.add(said)

    def end_dead(self) -> None:
        """Ends the streams of keys that are no longer valid."""
        self.readers.end_dead(self._alive)

    def _alive(self, key: str) -> bool:
        """Whether a key is still valid; a caller without a key has none to revoke."""
        if not key or self._verbs.holder(key) is not None:
            return True
        return self._api_keys is not None and self._api_keys.holder(key) is not None

    def _moved(self, scope: Message) -> Answer | None:
        """Redirects paths without a version to the current one, for every method."""
        path: str = scope["path"]
        if path == "/":
            return Answer(b"", 307, b"", ((b"location", b"/docs"),))
        raw: bytes = scope.get("raw_path") or path.encode()
        raw = raw.partition(b"?")[0]
        if (
            path.startswith(VERSION + "/")
            or self.table.methods(VERSION + path, VERSION + raw.decode("latin-1")) is None
        ):
            return None
        query: bytes = scope["query_string"]
        location = VERSION.encode() + raw + (b"?" + query if query else b"")
        return Answer(b"", 308, b"", ((b"location", location),))

    async def _stream(self, stream: Stream, who: Caller, scope: Message, receive: Receive, send: Send) -> None:
        try:
            reader = self.readers.admit(stream.feed, who.id, who.tenant)
        except Busy as error:
            await problem_answer(error, scope["path"]).leave(send)
            return
        try:
            async with reader:
                await self._pump(reader, stream, who, scope, receive, send)
        finally:
            self.readers.leave(reader)

    async def _pump(
        self, reader: Reader, stream: Stream, who: Caller, scope: Message, receive: Receive, send: Send
    ) -> None:
        try:
            block = await reader.take(FIRST_WAIT_S)
        except Exception as error:
            known = self._known(error, scope["path"], sees_home(who))
            await problem_answer(known, scope["path"]).leave(send)
            return
        head = [(b"content-type", stream.media), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": [*head, *stream.headers]})
        gone = asyncio.create_task(_until_gone(receive, reader))
        try:
            await send({"type": "http.response.body", "body": stream.opening, "more_body": True})
            while block is not None and scope["method"] != "HEAD" and self._alive(reader.key):
                if block is not HEARTBEAT or stream.beats:
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                block = await reader.take()
            # A server that stops sends no end: readers reconnect and resume.
            ending = stream.ending if reader.finished else b""
        except Exception as error:
            known = self._known(error, scope["path"], sees_home(who))
            ending = stream.failed(known) if stream.failed else b""
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        await send({"type": "http.response.body", "body": ending})

    def _known(self, error: Exception, path: str, whole: bool) -> AobError:
        """Any exception as one of ours. A foreign one is logged with its trace and answered without it; what is wrong
        inside of the server is told to whom it is not the whole in words only."""
        if isinstance(error, AobError):
            if isinstance(error, Unavailable):
                self._refusals.count(path, error)
            elif error.status >= 500:
                log.error("request_failed", path=path, code=error.code, detail=error.detail)
            return error if whole else outward(error)
        if isinstance(error, RecursionError):
            return decode_error(error, "the input")
        log.exception("request_broke", path=path)
        return OurError("something broke on our side", hint="the server's log has the trace; please report it")


def _stage(method: str, path: str) -> str:
    """The stage that a request belongs to."""
    if path.startswith(("/v1/metrics", "/v1/entity")) or path == "/v1/batch":
        return "serve"
    if path == "/v1/events" and method == "POST":
        return "ingest"
    return "query" if path == "/v1/query" else "http"


async def _until_gone(receive: Receive, reader: Reader) -> None:
    await hung_up(receive)
    reader.end()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
