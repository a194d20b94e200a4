"""A saver's own file or database, open on a loop in a thread of its own, so that sync and async callers are alike."""

import asyncio
import importlib
import threading
from typing import Any

from aob.langgraph.door import Calls, Door


class Background:
    """Open until `close`. Raises in the caller what opening raises."""

    def __init__(self, url: str) -> None:
        self.door: Door
        self.calls: Calls
        self._url, self._error = url, list[BaseException]()
        self._ready, self._end = threading.Event(), threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="aob-saver", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error:
            self._thread.join()
            raise self._error[0]

    def close(self) -> None:
        """End what was begun, close the file. Idempotent."""
        if self._loop is not None and self._leave is not None and not self._end.is_set():
            self._end.set()
            self._loop.call_soon_threadsafe(self._leave.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._ready.is_set():
                raise
            self._error.append(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        # Rooms below import nothing of `compose`, which alone knows the backends: found when it is needed.
        opening: Any = importlib.import_module("aob.compose.alone")
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        async with opening.alone(self._url) as door:
            self.door, self.calls = door, Calls(self._loop)
            self._ready.set()
            await self._leave.wait()
