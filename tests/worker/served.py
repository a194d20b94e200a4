"""The model server behind real gRPC, on a free port of this machine."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from aob.rpc import METHOD
from aob.rpc import worker_pb2 as pb
from tests.worker.model import Home

KEY = "secret-key"
WAIT_S = 20.0


class Served:
    """`home` is what it knows; `turn` guards it. `refuse` is the status that streams end with."""

    def __init__(self) -> None:
        self.home, self.turn = Home(), threading.Condition()
        self.streams = 0
        self.refuse: tuple[grpc.StatusCode, str] | None = None
        self.dumb = False  # says nothing more
        self._cut = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(16))
        service, name = METHOD.strip("/").split("/")
        handler = grpc.stream_stream_rpc_method_handler(
            self._attach, request_deserializer=pb.WorkerFrame.FromString,
            response_serializer=pb.ServerFrame.SerializeToString,
        )  # fmt: skip
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: handler}),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> "Served":
        self._server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.cut()
        self._server.stop(0).wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End the present streams."""
        with self.turn:
            self._cut.set()
            self._cut = threading.Event()
            self.turn.notify_all()

    def until(self, ready: Callable[[Home], Any]) -> Any:
        """What `ready` says, once it is true."""
        until = time.monotonic() + WAIT_S
        with self.turn:
            while not (said := ready(self.home)):
                assert self.turn.wait(until - time.monotonic()), f"it never came: {self.home.answers}"
            return said

    def give(self, handler: str, **more: Any) -> tuple[str, str, int]:
        """Give a job once the worker asks for one."""
        task = b'{"id":"a","kind":"function","config":{"handler":"x"},"spec":{},"hash":"h","rules":9}'
        given = {"handler": handler, "effect": "keyed", "key": "k", "tenant": "t", "task": task, "depth": 1, **more}
        key: tuple[str, str, int] = self.until(lambda home: home.give(**given))
        with self.turn:
            self.turn.notify_all()
        return key

    def answer(self, key: tuple[str, str, int]) -> pb.WorkerItem:
        """The answer of a job."""
        item: pb.WorkerItem = self.until(lambda home: home.results.get(key))
        return item

    def _attach(self, frames: Iterator[pb.WorkerFrame], context: Any) -> Iterator[pb.ServerFrame]:
        metadata = dict(context.invocation_metadata())
        if metadata.get("authorization") != f"Bearer {KEY}":
            context.set_trailing_metadata((("aob-code", "unauthorized"),))
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "we do not know this key")
        if self.refuse is not None:
            context.abort(*self.refuse)
        with self.turn:
            cut = self._cut
            self.streams += 1
            number = self.streams
            self.home.anew()
        threading.Thread(target=self._read, args=(frames, number), daemon=True).start()
        context.add_callback(lambda: self._ends(number))
        while context.is_active() and not cut.is_set() and number == self.streams:
            with self.turn:
                self.turn.wait_for(lambda: self.home.to_worker or cut.is_set() or number != self.streams, 0.3)
                if cut.is_set() or number != self.streams:
                    break
                items = list(self.home.to_worker)
                self.home.to_worker.clear()
            if not self.dumb:
                yield pb.ServerFrame(items=items)
        context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    def _ends(self, number: int) -> None:
        with self.turn:
            self.turn.notify_all()

    def _read(self, frames: Iterator[pb.WorkerFrame], number: int) -> None:
        try:
            for frame in frames:
                with self.turn:
                    if number != self.streams:
                        return
                    for item in frame.items:
                        self.home.takes(item)
                    self.turn.notify_all()
        except Exception:
            return


@contextmanager
def served() -> Iterator[Served]:
    """A server on a free port."""
    with Served() as made:
        yield made
