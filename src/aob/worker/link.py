"""The stream of a worker, in a thread of its own: a handler that blocks its loop does not lose its leases. Opens it,
sends and receives frames, and opens it again with growing pauses until it is closed or the server refuses for good."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Final

import grpc

from aob.core.errors import AobError, CallerError, Conflict, Invalid, Problem, Refused, Unauthorized, said
from aob.rpc import BEAT_MS, BYTES_MAX, CHANNEL_OPTIONS, FLUSH_ITEMS, METHOD
from aob.worker.holding import Holding, Out
from aob.worker.listens import ADDRESS_HINT, distrusted, listens
from aob.worker.plan import Plan
from aob.worker.wire import pb

NO_WORKERS: Final = "no_workers_here"
PAUSE_FIRST_S: Final = 0.05
PAUSE_MAX_S: Final = 2.0
WELCOME_S: Final = 10.0  # how long a server may take to welcome
WAITED_S: Final = 5.0
"""How often it is told again what is waited for, before the first welcome; and how long what ends each connection there
may be a balancer whose home is not up yet."""
SAID_AGAIN_S: Final = 60.0  # the same in an outage
SILENT_BEATS: Final = 3  # a server that is silent for so many beats is taken for gone
ROOM: Final = 64 * 1024  # of a frame, besides its values

_FINAL: Final[dict[grpc.StatusCode, type[AobError]]] = {
    grpc.StatusCode.UNAUTHENTICATED: Unauthorized,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.FAILED_PRECONDITION: CallerError,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.UNIMPLEMENTED: CallerError,
}
_HINTS: Final = {
    "unauthorized": "give a key with the role `work`: AOB_API_KEY=..., made by aob key create NAME --role work",
    "refused": "the key needs the role `work`, and `execute` too for built-in kinds: "
    "aob key create NAME --role work --role execute",
}


class Link:
    """`waits(why)` is told now and then while there is no stream, `refused(error)` when the server will never take this
    worker, or when what listens there is no server of workers; both in the thread of the link."""

    def __init__(
        self, plan: Plan, holding: Holding, waits: Callable[[str], None], refused: Callable[[AobError], None]
    ) -> None:
        self._plan, self._holding, self._waits, self._refused = plan, holding, waits, refused
        self._over = threading.Event()
        self._call: grpc.Call | None = None
        self._out: Out | None = None
        self._heard = 0.0
        self._welcome: pb.Welcome | None = None
        self._found = plan.found
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="aob-worker-link", daemon=True)

    def open(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, wait_s: float = 2.0) -> None:
        """End the stream in order. Idempotent."""
        self._over.set()
        if self._out is not None:
            self._out.put([])  # it may be waiting for something to send
        self._thread.join(wait_s)

    # -- its thread

    def _run(self) -> None:
        pause_s, tell_at = PAUSE_FIRST_S, 0.0
        while not self._over.is_set():
            why = "the server has ended the stream"
            try:
                self._attend()
            except grpc.RpcError as error:
                final = final_error(error)
                if final is not None and not self._over.is_set():
                    self._refused(final)
                    return
                why = _why(error)
            except Exception as error:  # the thread must not end: nobody else would come back
                why = f"{type(error).__name__}: {said(error)}"
            if self._welcome is not None:
                pause_s, tell_at, self._found = PAUSE_FIRST_S, 0.0, True
            if self._over.is_set():
                return
            if not self._found:
                at = self._plan.address
                other = distrusted(at, why) or listens(at, self._plan.tls, self._plan.ca)
                if other is not None and (other.sure or time.monotonic() - self._began > WAITED_S):
                    self._refused(Invalid(other.what, code=NO_WORKERS, hint=other.hint))
                    return
                why = why if other is None else other.what
            if time.monotonic() >= tell_at:
                tell_at = time.monotonic() + (SAID_AGAIN_S if self._found else WAITED_S)
                self._waits(why)
            self._over.wait(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    def _attend(self) -> None:
        with self._channel() as channel:
            attach = channel.stream_stream(
                METHOD,
                request_serializer=pb.WorkerFrame.SerializeToString,
                response_deserializer=pb.ServerFrame.FromString,
            )
            self._welcome = None
            stream, out, hello = self._holding.opens()
            self._out = out
            self._heard = time.monotonic()
            key = (("authorization", f"Bearer {self._plan.key}"),) if self._plan.key else ()
            call = self._call = attach(self._frames(out, hello), metadata=key)
            try:
                for frame in call:
                    self._heard = time.monotonic()
                    if self._welcome is None:
                        self._welcome = next((each.welcome for each in frame.items if each.HasField("welcome")), None)
                    self._holding.arrives(stream, frame)
            finally:
                out.put(None)
                call.cancel()

    def _channel(self) -> grpc.Channel:
        if self._plan.tls:
            # Read at each attempt: a renewed authority counts without a restart.
            roots = Path(self._plan.ca).read_bytes() if self._plan.ca else None
            return grpc.secure_channel(self._plan.address, grpc.ssl_channel_credentials(roots), CHANNEL_OPTIONS)
        return grpc.insecure_channel(self._plan.address, CHANNEL_OPTIONS)

    def _frames(self, out: Out, hello: pb.WorkerItem) -> Iterator[pb.WorkerFrame]:
        """The frames of one stream: what is there goes together; a sign of life when nothing is."""
        yield pb.WorkerFrame(items=[hello])
        while True:
            welcome = self._welcome
            beat_s = ((welcome.beat_ms if welcome is not None else 0) or BEAT_MS) / 1_000
            try:
                items = out.get(timeout=beat_s / 2 if not self._over.is_set() else 0)
            except Empty:
                if self._over.is_set():
                    return  # everything is sent: the stream ends in order
                if time.monotonic() - self._heard > max(SILENT_BEATS * beat_s, WELCOME_S if welcome is None else 0):
                    self._hang_up()
                    return
                yield pb.WorkerFrame()
                continue
            if items is None:
                return
            while len(items) < FLUSH_ITEMS and not out.empty():
                more = out.get()
                if more is None:
                    return
                items += more
            yield from frames_of(items, (welcome.bytes_max if welcome is not None else 0) or BYTES_MAX)

    def _hang_up(self) -> None:
        call = self._call
        if call is not None:
            call.cancel()


def frames_of(items: list[pb.WorkerItem], bytes_max: int) -> Iterator[pb.WorkerFrame]:
    """Items in order, in frames of at most so many items and bytes."""
    room, part, size = bytes_max - ROOM, list[pb.WorkerItem](), 0
    for item in items:
        own = item.ByteSize() + 8
        if part and (len(part) >= FLUSH_ITEMS or size + own > room):
            yield pb.WorkerFrame(items=part)
            part, size = [], 0
        part.append(item)
        size += own
    if part:
        yield pb.WorkerFrame(items=part)


def final_error(error: grpc.RpcError) -> AobError | None:
    """The error of a server that will never take this worker; None where it is worth coming back."""
    status = error.code()
    kind = _FINAL.get(status)
    if kind is None:
        return None
    detail = error.details() or status.name
    code = next((str(value) for name, value in error.trailing_metadata() or () if name == "aob-code"), kind.code)
    hint = _HINTS.get(code, _HINTS.get(kind.code, ""))
    if status is grpc.StatusCode.UNIMPLEMENTED:
        detail, code = "what listens there takes no workers", NO_WORKERS
        hint = ADDRESS_HINT
    if kind is Invalid:
        return Invalid("the server refuses this worker", [Problem("worker", detail, code, hint=hint)], code=code)
    return kind(detail, code=code, hint=hint)


def _why(error: grpc.RpcError) -> str:
    detail = (error.details() or "").strip()
    return f"{error.code().name.lower()}: {detail}"[:300]
