"""One way to call a saver: by its sync methods in a thread, or by its async ones."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from langgraph.checkpoint.base import Checkpoint, CheckpointTuple, empty_checkpoint

from aob.langgraph import AobSaver

Config = dict[str, Any]


def config(thread: str, id: str = "", ns: str = "") -> Any:
    """The config of a thread, or of one of its checkpoints."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ns, **({"checkpoint_id": id} if id else {})}}


def thread_name() -> str:
    """A thread of one's own."""
    return f"t-{uuid.uuid4()}"


def made(values: dict[str, Any], versions: dict[str, Any] | None = None) -> Checkpoint:
    """A checkpoint with these values."""
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = values
    checkpoint["channel_versions"] = versions or dict.fromkeys(values, 1)
    return checkpoint


class Both:
    """A saver with the methods that tests use, whichever they are made of."""

    def __init__(self, saver: AobSaver, *, sync: bool) -> None:
        self.saver, self.sync = saver, sync

    async def _call(self, name: str, *args: Any, **named: Any) -> Any:
        if self.sync:
            return await asyncio.to_thread(getattr(self.saver, name), *args, **named)
        return await getattr(self.saver, f"a{name}")(*args, **named)

    async def put(
        self, thread: str, values: dict[str, Any], parent: str = "", *, metadata: dict[str, Any] | None = None,
        ns: str = "", versions: dict[str, Any] | None = None, new: dict[str, Any] | None = None,
    ) -> str:  # fmt: skip
        """Put a checkpoint; returns its id."""
        checkpoint = made(values, versions)
        told: Any = {"source": "loop", "step": 1, "parents": {}, **(metadata or {})}
        new = checkpoint["channel_versions"] if new is None else new
        stored = await self._call("put", config(thread, parent, ns), checkpoint, told, new)
        assert stored == config(thread, checkpoint["id"], ns)
        return str(checkpoint["id"])

    async def write(
        self, thread: str, id: str, task: str, *writes: tuple[str, Any], path: str = "", ns: str = ""
    ) -> None:
        """Put writes of a task."""
        await self._call("put_writes", config(thread, id, ns), list(writes), task, path)

    async def get(self, thread: str, id: str = "", ns: str = "") -> CheckpointTuple:
        """A checkpoint that is there."""
        found = await self.get_tuple(thread, id, ns)
        assert found is not None
        return found

    async def get_tuple(self, thread: str, id: str = "", ns: str = "") -> CheckpointTuple | None:
        """A checkpoint."""
        found: CheckpointTuple | None = await self._call("get_tuple", config(thread, id, ns))
        return found

    async def list(self, given: Any, **named: Any) -> list[CheckpointTuple]:
        """All that a list gives."""
        if self.sync:
            return await asyncio.to_thread(lambda: [*self.saver.list(given, **named)])
        return [each async for each in self.saver.alist(given, **named)]

    async def ids(self, thread: str, **named: Any) -> Sequence[str]:
        """The ids that a list of a thread gives."""
        return [each.checkpoint["id"] for each in await self.list(config(thread), **named)]

    async def delete(self, thread: str) -> None:
        await self._call("delete_thread", thread)

    async def delete_runs(self, *runs: str) -> None:
        await self._call("delete_for_runs", runs)

    async def copy(self, source: str, target: str) -> None:
        await self._call("copy_thread", source, target)

    async def prune(self, *threads: str, strategy: str = "keep_latest") -> None:
        await self._call("prune", threads, strategy=strategy)

    async def history(self, thread: str, id: str, channel: str) -> Any:
        """What makes the value of a delta channel."""
        name = "get_delta_channel_history"
        return (await self._call(name, config=config(thread, id), channels=[channel]))[channel]
