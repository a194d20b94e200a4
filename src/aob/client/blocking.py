"""The async client on the calling thread: over blocking httpx no call waits for a loop."""

import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

import httpx

from aob.client.async_client import AsyncClient
from aob.client.place import find_place

Found = TypeVar("Found")


class _Answer:
    """An answer whose body is read in pieces."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status_code = answer.status_code
        self._answer = answer

    async def aread(self) -> bytes:
        return self._answer.read()

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for piece in self._answer.iter_bytes():
            yield piece


class _Http:
    """A blocking httpx client with the interface that `AsyncWire` uses."""

    def __init__(self, inner: httpx.Client) -> None:
        self.inner = inner

    async def __aenter__(self) -> None:
        self.inner.__enter__()

    async def aclose(self) -> None:
        self.inner.close()

    async def request(self, method: str, path: str, **named: Any) -> httpx.Response:
        return self.inner.request(method, path, **named)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **named: Any) -> AsyncIterator[_Answer]:
        with self.inner.stream(method, path, **named) as answer:
            yield _Answer(answer)


def _ended(call: Coroutine[object, None, Found]) -> Found:
    """The result of a coroutine that never suspends."""
    try:
        call.send(None)
    except StopIteration as end:
        return cast(Found, end.value)
    raise AssertionError("a blocking call waits for a loop")


def _each(items: AsyncGenerator[Found, None]) -> Iterator[Found]:
    """The items of an async iterator that never suspends."""
    try:
        while True:
            try:
                item = _ended(cast(Coroutine[object, None, Found], anext(items)))
            except StopAsyncIteration:
                return
            yield item
    finally:
        _ended(items.aclose())


def _blocking(function: Callable[..., object]) -> Callable[..., object]:
    @wraps(function)
    def call(self: Blocking, *given: object, **named: object) -> object:
        found = function(self._calls, *given, **named)
        if isinstance(found, AsyncGenerator):
            return _each(found)
        return _ended(cast(Coroutine[object, None, object], found))

    return call


class Blocking:
    """A client of one server. Every method raises errors of the AobError tree only."""

    _kind: ClassVar[type[AsyncClient]]

    def __init__(self, *given: Any, **named: Any) -> None:
        self._calls = self._kind(*given, **named)

    @classmethod
    def of_home(cls, home: Path) -> Self:
        """The client of the server that runs on a home, with the home's own key. Raises Unavailable, Unauthorized."""
        place = find_place(home)
        return cls(place.url, place.key)

    def __enter__(self) -> Self:
        _ended(self._calls.__aenter__())
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Idempotent."""
        _ended(self._calls.aclose())


def blocking(kind: type[AsyncClient]) -> type[Blocking]:
    """A client with the calls of an async one, each finished when it returns."""

    class Calls(kind):  # type: ignore[misc,valid-type]  # whatever the async client is
        def _opened(self, **options: Any) -> httpx.AsyncClient:
            return cast(httpx.AsyncClient, _Http(httpx.Client(**options)))

        async def _pause(self, seconds: float) -> None:
            time.sleep(seconds)  # noqa: ASYNC251  # its thread has no loop to hold up

    public = {name: call for name, call in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
    calls = {name: _blocking(call) for name, call in public.items() if name != "aclose"}
    return type("Client", (Blocking,), {"_kind": Calls, "__doc__": Blocking.__doc__, **calls})
