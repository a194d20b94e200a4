"""Serves the application on a port by uvicorn, with a guard on each connection that cuts off slow and greedy peers."""

import asyncio
import functools
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Final, cast

import httptools
import msgspec
import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from aob.core.errors import Malformed, Unavailable
from aob.core.problem import problem_of
from aob.server.http import App
from aob.server.http.answer import CLOSES, DIRECT, Header, Message, Receive, Send, encode, problem_answer
from aob.server.starting import Starting
from aob.server.upgrade import body_parser

HEAD_BYTES_MAX: Final = 64 * 1024
HEAD_S: Final = 20.0
"""Time to send a whole request head, and the rest of a body whose request was answered before its end."""
PIPELINED_MAX: Final = 256
"""Pipelined requests that wait on a connection. Beyond it the connection closes once they are answered; the client
retries the others (RFC 9112, 9.3.2)."""
COUNTED: Final = -(1 << 40)
UNREADABLE: Final = "Invalid HTTP request received."
KEEP_ALIVE_S: Final = 75
CONNECTIONS_MAX: Final = 4_096
FILES_SHARE: Final = 0.5
"""Of the files that this process may have open, so many may be connections: the home needs the others."""
DRAIN_S: Final = 5  # how long a stopping server waits for answers that are on their way
GUARDS: Final = (("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"))
"""On every answer: no browser guesses what it is, none shows it inside a page of somebody else."""
BACKLOG: Final = 2_048
JOINED_BYTES_MAX: Final = 64 * 1024  # answers up to this size leave in one piece
JOINED: Final = frozenset((
    b"location", b"retry-after", b"ratelimit-limit", b"ratelimit-remaining", b"ratelimit-reset", b"ratelimit-policy",
    b"www-authenticate", b"allow", b"etag", b"cache-control",
))  # fmt: skip
"""Response headers that do not concern the connection: an answer with only these may be sent in one write."""


class Guard(HttpToolsProtocol):
    """uvicorn's protocol with limits: a head in time and in size, and a peer that reads what it asked for."""

    stall_s = 30.0
    connections_max = CONNECTIONS_MAX

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin the clock of the first head."""
        self._in_head, self._head_bytes, self._stalled_at = True, 0, -1
        self._body_came, self._framing_bytes, self._full, self._ending = False, 0, False, False
        self._stall: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_S, transport.abort)
        if len(self.connections) > self.connections_max:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._clear_head_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser. Refuses anything but HTTP, and a head that is too large."""
        self._unset_keepalive_if_required()
        if self._ending:
            return
        if self._head_bytes < 0:
            self._head_bytes = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(UNREADABLE)
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(f"The request head is larger than {HEAD_BYTES_MAX} bytes.")
        elif self.cycle.more_body or self.cycle.response_complete:
            self._past_head(len(data))

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if len(self.pipeline) >= PIPELINED_MAX:
            self._full = True
            raise OverflowError
        self._in_head = False
        self._clear_head_timer()
        super().on_headers_complete()
        self.headers = TRAILERS
        cycle = self.cycle
        if cycle.scope is self.scope:  # else it is no request, or one that waits for another
            self.scope[DIRECT] = _Cycle(cycle)  # type: ignore[typeddict-unknown-key]  # ours, not ASGI's

    def on_body(self, body: bytes) -> None:
        """As uvicorn's own, without upgrades."""
        self._body_came = True
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """As uvicorn's own. The rest of this read belongs to the next head; its size is unknown."""
        self._head_bytes = COUNTED
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _past_head(self, size: int) -> None:
        """Bounds bytes within or after a body that are neither body nor the next head (trailers, chunk sizes); and
        their time once the answer was sent."""
        self._framing_bytes = 0 if self._body_came else self._framing_bytes + size
        self._body_came = False
        cycle = self.cycle
        if self._framing_bytes > HEAD_BYTES_MAX:
            self._refuse(f"There are more than {HEAD_BYTES_MAX} bytes that are no body.")
        elif not cycle.response_complete:
            return
        elif self._head_bytes < 0:  # the rest of a body that was answered early has arrived
            self._clear_head_timer()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stay(self, rest: bytes) -> None:
        """Handles a request with `Upgrade` (Java's client sends it always) like any other, with its body."""
        parser = body_parser(self, self.cycle.scope["headers"])
        if parser is not None:
            self.parser, self.cycle.more_body, self._head_bytes = parser, True, 0
        if rest:
            self.data_received(rest)

    def _refuse(self, words: str) -> None:
        """Stops reading. Requests that arrived whole are answered first, in order; then the refusal is sent."""
        self._ending = True
        self.flow.pause_reading()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and cycle.more_body and not self._in_head:
            if self.pipeline:
                self.pipeline[0] = (cycle, functools.partial(_refused, words))
            elif cycle.response_started:
                self.transport.close()
            else:
                self.send_400_response(words)
        elif cycle is None or cycle.response_complete:
            self.send_400_response(words)
        elif self._full:
            cycle.keep_alive = False
        else:
            cycle.on_response = functools.partial(self.send_400_response, words)

    def send_400_response(self, msg: str) -> None:
        """Bytes that are not HTTP get a problem too."""
        if self.transport.is_closing():
            return
        body = encode(problem_of(Malformed(msg, code="bad_request")))
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
        head += b"".join(b"%b: %b\r\n" % (name.encode(), value.encode()) for name, value in GUARDS)
        self.transport.write(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        self.transport.close()

    def pause_writing(self) -> None:
        """The peer does not read as fast as we write: it has `stall_s` to take a byte."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """The peer caught up."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self.flow is not None:
            super().resume_writing()

    def _watch(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        if self._stall is not None and waiting >= self._stalled_at:
            self.transport.abort()
            return
        self._stalled_at = waiting
        self._stall = self.loop.call_later(self.stall_s, self._watch)

    def _clear_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


async def _refused(words: str, scope: Message, receive: Receive, send: Send) -> None:
    """An application that refuses a request whose body cannot be read."""
    answer = problem_answer(Malformed(words, code="bad_request"), "")
    await msgspec.structs.replace(answer, headers=(CLOSES,)).leave(send)


class _Trailers(list[Header]):
    """Trailer fields, discarded: treated as headers they would bypass checks of a proxy."""

    def append(self, header: Header) -> None:
        """Discards it."""


TRAILERS: Final = _Trailers()


class _Cycle:
    """The direct path of one request: the same as uvicorn's messages when nothing has to wait."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def body(self) -> bytes | None:
        """The body, if it has arrived whole."""
        cycle = self._cycle
        if (
            cycle.more_body or cycle.disconnected or cycle.response_complete or cycle.flow.read_paused
            or cycle.waiting_for_100_continue
        ):  # fmt: skip
            return None
        cycle.message_event.clear()
        body, cycle.body = bytes(cycle.body), bytearray()
        return body

    def answer(self, status: int, media: bytes, body: bytes, headers: tuple[Header, ...]) -> bool:
        """Head and body in one write: two would be two packets and wake the caller twice."""
        cycle = self._cycle
        if (
            cycle.response_started or cycle.flow.write_paused or cycle.disconnected or not cycle.keep_alive
            or len(body) > JOINED_BYTES_MAX or cycle.scope["method"] == "HEAD"
        ):  # fmt: skip
            return False
        more = b""
        for name, value in headers:
            if name not in JOINED or HEADER_VALUE_RE.search(value):
                return False
            more += b"%b: %b\r\n" % (name, value)
        if media:
            more += b"content-type: %b\r\n" % media
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(
            b"%b%bcontent-length: %d\r\n%b\r\n%b"
            % (STATUS_LINE[status], _joined(tuple(cycle.default_headers)), len(body), more, body)
        )
        cycle.message_event.set()
        cycle.on_response()
        return True


@functools.lru_cache(4)
def _joined(headers: tuple[Header, ...]) -> bytes:
    """The headers of every answer; the date among them changes once a second."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers; `up` is set once it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]  # signals belong to the command
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    def replace(self, app: App) -> None:
        """Another application answers from now on, on connections that are open too."""
        self.config.loaded_app = app
        for connection in self.server_state.connections:
            connection.app = app  # type: ignore[union-attr]  # every protocol of ours has one


def listen(
    host: str = "127.0.0.1", port: int = 0, hint: str = "choose another with --port N, or --port 0 for any free one"
) -> socket.socket:
    """A bound socket. Raises Unavailable `port_taken`, with this hint."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: asyncio sends at once (TCP_NODELAY) only then, and an answer of two pieces would wait 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        why = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise Unavailable(why, code="port_taken", hint=hint) from error
    return bound


def connections_max(most: int = CONNECTIONS_MAX, share: float = FILES_SHARE) -> int:
    """Connections at once: with as many as there may be open files, nothing could be written or read any more."""
    if sys.platform == "win32":
        return most
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if files == resource.RLIM_INFINITY else min(most, int(files * share))


@asynccontextmanager
async def serving(app: App | Starting, sock: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve on a bound socket (any free port of loopback by default); gives the URL and stops when it is left.

    Leaving ends all streams first, then waits up to 5 s for answers that are on their way.
    """
    bound = sock or listen()
    guard = type("Guard", (Guard,), {"stall_s": app.limits.stall_s, "connections_max": connections_max()})
    config = uvicorn.Config(
        app,
        http=guard,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=list(GUARDS),
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
    )
    server = _Server(config)
    if isinstance(app, Starting):
        app.replace = server.replace
    task = asyncio.create_task(server.serve([bound]))
    waiting = asyncio.create_task(server.up.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            raise Unavailable("the server did not start")
        host, port = bound.getsockname()[:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        waiting.cancel()
        app.stop()
        server.should_exit = True
        await asyncio.gather(task, waiting, return_exceptions=True)
        bound.close()
