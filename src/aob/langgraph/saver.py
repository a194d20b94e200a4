"""LangGraph's checkpointer over the threads of a home or file. Values are encoded in the caller's thread; a call
returns when what it wrote is durable and can be read."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from aob.core.errors import Invalid, Problem
from aob.langgraph.door import Calls, Door
from aob.langgraph.encoding import Encoding, decoded, framed, unframed
from aob.langgraph.serializer import Allowed, StrictSerializer
from aob.threads.command import Copied, Delete, Find, Found, Listed, Listing, Prune, Put, PutWrites, Rows, Written

if TYPE_CHECKING:
    from aob.langgraph.background import Background

KEEP: Final = 20
"""Checkpoints of the outermost graph that a thread keeps."""
PAGE: Final = 100
Places = list[tuple[str, str, str]]
Page = list[Listed]


class AobSaver(BaseCheckpointSaver[int]):
    """A checkpointer, sync and async. `keep` is how many checkpoints of a thread stay (0: all), `allow` the types of
    your own that a state may have. Make one by `AobSaver.open(url)`, or by `app.saver()` in a home."""

    def __init__(
        self, door: Door, calls: Calls, *, keep: int = KEEP, allow: Allowed = (),
        serde: SerializerProtocol | None = None, background: "Background | None" = None,
    ) -> None:  # fmt: skip
        super().__init__(serde=serde or StrictSerializer(allow))
        self._door, self._calls, self._keep, self._background = door, calls, keep, background
        self._encoding = Encoding()

    @classmethod
    def open(cls, url: str, *, keep: int = KEEP, allow: Allowed = (), serde: SerializerProtocol | None = None) -> Self:
        """A saver with a file or database of its own: `sqlite:///state.db`, `postgresql://…`, `memory:`. One process
        has it at a time. Close it, or use it as a context. Raises Conflict `file_in_use` or `home_in_use` when another
        process has it, Unavailable when it cannot be opened."""
        from aob.langgraph.background import Background

        background = Background(url)
        return cls(background.door, background.calls, keep=keep, allow=allow, serde=serde, background=background)

    def close(self) -> None:
        """Close what `open` opened. Idempotent; a saver of a home has nothing to close."""
        if self._background is not None:
            self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    # -- reading ------------------------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """A checkpoint by its id, or the newest of its thread and namespace."""
        thread, ns, id = _place(config)
        return self._tuple(thread, ns, self._calls.wait(self._door.ask(thread, Find(ns, id))))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The same, async."""
        thread, ns, id = _place(config)
        return self._tuple(thread, ns, await self._calls.here(self._door.ask(thread, Find(ns, id))))

    def list(
        self, config: RunnableConfig | None, *, filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None, limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:  # fmt: skip
        """Checkpoints, the newest first: of a thread, or of all without a config; those whose metadata have what
        `filter` says, and whose id is less than that of `before`."""
        for thread, ns, id in self._calls.wait(self._matching(config, filter, before, limit)):
            found = self._tuple(thread, ns, self._calls.wait(self._door.ask(thread, Find(ns, id))))
            if found is not None:
                yield found

    async def alist(
        self, config: RunnableConfig | None, *, filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None, limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:  # fmt: skip
        """The same, async."""
        for thread, ns, id in await self._calls.here(self._matching(config, filter, before, limit)):
            found = self._tuple(thread, ns, await self._calls.here(self._door.ask(thread, Find(ns, id))))
            if found is not None:
                yield found

    async def _matching(
        self, config: RunnableConfig | None, filter: dict[str, Any] | None, before: RunnableConfig | None,
        limit: int | None,
    ) -> Places:  # fmt: skip
        """Thread, namespace and id of the checkpoints of a list."""
        configurable = (config or {}).get("configurable", {})
        ns, wanted = configurable.get("checkpoint_ns"), configurable.get("checkpoint_id")
        least = (get_checkpoint_id(before) or "") if before else ""
        threads = [str(configurable["thread_id"])] if "thread_id" in configurable else await self._door.names()
        found: Places = []
        for thread in threads:
            after: tuple[str, str] | None = None
            mine = 0
            while limit is None or mine < limit:
                page: Page = await self._door.ask(thread, Listing(ns, least, after, PAGE))
                for each in page:
                    if (not wanted or each.id == wanted) and self._matches(each, filter):
                        found.append((thread, each.ns, each.id))
                        mine += 1
                if len(page) < PAGE:
                    break
                after = (page[-1].id, page[-1].ns)
        found.sort(key=lambda each: (each[2], each[1]), reverse=True)
        return found if limit is None else found[: max(0, limit)]

    def _matches(self, each: Listed, filter: Mapping[str, Any] | None) -> bool:
        if not filter:
            return True
        metadata = unframed(self.serde, each.metadata)
        return all(metadata.get(key) == value for key, value in filter.items())

    def _tuple(self, thread: str, ns: str, found: Found | None) -> CheckpointTuple | None:
        if found is None:
            return None
        body = unframed(self.serde, found.body)
        values = {channel: decoded(self.serde, kind, items) for channel, (kind, items) in found.values.items()}
        return CheckpointTuple(
            _config(thread, ns, found.id),
            cast(Checkpoint, {**body, "channel_values": values}),
            unframed(self.serde, found.metadata),
            _config(thread, ns, found.parent) if found.parent else None,
            [(write.task, write.channel, decoded(self.serde, write.kind, write.items)) for write in found.writes],
        )

    # -- writing ------------------------------------------------------------------------------------------------------

    def put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:  # fmt: skip
        """Write a checkpoint; its config is returned once it is durable. Raises Invalid `type_not_allowed`."""
        thread, put = self._put(config, checkpoint, metadata, new_versions)
        if missing := self._calls.wait(self._door.ask(thread, put)):
            self._calls.wait(self._door.ask(thread, self._whole(put, checkpoint, missing)))
        return _config(config["configurable"]["thread_id"], put.ns, put.id)

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:  # fmt: skip
        """The same, async."""
        thread, put = self._put(config, checkpoint, metadata, new_versions)
        if missing := await self._calls.here(self._door.ask(thread, put)):
            await self._calls.here(self._door.ask(thread, self._whole(put, checkpoint, missing)))
        return _config(config["configurable"]["thread_id"], put.ns, put.id)

    def _put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> tuple[str, Put]:  # fmt: skip
        thread, ns, parent = _place(config)
        values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
        told = cast(dict[str, Any], get_serializable_checkpoint_metadata(config, metadata))
        kept = {name for name in values if parent and name not in new_versions and name in versions}
        body = {name: value for name, value in checkpoint.items() if name != "channel_values"}
        counters = told.get("counters_since_delta_snapshot") or {}
        given = {
            name: (str(versions.get(name, "")), self._encoding.of(self.serde, values[name]))
            for name in values
            if name not in kept
        }
        put = Put(
            ns, checkpoint["id"], parent, framed(self.serde, body), framed(self.serde, told),
            given, {name: str(versions[name]) for name in sorted(kept)}, str(told.get("run_id") or ""),
            str((told.get("parents") or {}).get("") or ""), sorted(counters.keys() - values.keys()), self._keep,
        )  # fmt: skip
        return thread, put

    def _whole(self, put: Put, checkpoint: Checkpoint, missing: Sequence[str]) -> Put:
        """The same with the values of channels that the parent does not have."""
        values = checkpoint["channel_values"]
        for name in missing:
            put.values[name] = (put.kept.pop(name), self._encoding.of(self.serde, values[name]))
        return put

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Write what a task has written after a checkpoint."""
        thread, put = self._written(config, writes, task_id, task_path)
        self._calls.wait(self._door.ask(thread, put))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """The same, async."""
        thread, put = self._written(config, writes, task_id, task_path)
        await self._calls.here(self._door.ask(thread, put))

    def _written(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> tuple[str, PutWrites]:
        thread, ns, id = _place(config)
        written = []
        for place, (channel, value) in enumerate(writes):
            place = WRITES_IDX_MAP.get(channel, place)
            written.append(Written(task_id, place, channel, self._encoding.of(self.serde, value), task_path))
        return thread, PutWrites(ns, id, written)

    # -- removing and copying -----------------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Remove a thread."""
        self._calls.wait(self._door.ask(str(thread_id), Delete()))

    async def adelete_thread(self, thread_id: str) -> None:
        """The same, async."""
        await self._calls.here(self._door.ask(str(thread_id), Delete()))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints that runs wrote, in all threads. It looks through all of them."""
        self._calls.wait(self._delete_for_runs(run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """The same, async."""
        await self._calls.here(self._delete_for_runs(run_ids))

    async def _delete_for_runs(self, run_ids: Sequence[str]) -> None:
        runs = [str(run) for run in run_ids]
        for thread in await self._door.names() if runs else ():
            await self._door.ask(thread, Delete(runs))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy everything of a thread into another."""
        self._calls.wait(self._copy(str(source_thread_id), str(target_thread_id)))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """The same, async."""
        await self._calls.here(self._copy(str(source_thread_id), str(target_thread_id)))

    async def _copy(self, source: str, target: str) -> None:
        if source == target:
            return
        copied: Copied = await self._door.ask(source, Rows())
        await self._door.ask(target, copied)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace of threads, and the ancestors whose writes make the values of
        its delta channels; `delete` keeps nothing."""
        self._calls.wait(self._prune(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """The same, async."""
        await self._calls.here(self._prune(thread_ids, strategy))

    async def _prune(self, thread_ids: Sequence[str], strategy: str) -> None:
        if strategy not in ("keep_latest", "delete"):
            why = f"{strategy!r} is no strategy: keep_latest, delete"
            raise Invalid(why, [Problem("strategy", why)])
        for thread in thread_ids:
            await self._door.ask(str(thread), Delete() if strategy == "delete" else Prune())


def _place(config: RunnableConfig) -> tuple[str, str, str]:
    """The thread, namespace and checkpoint id (or nothing) of a config."""
    configurable = config.get("configurable", {})
    if "thread_id" not in configurable:
        why = "a config of a graph with a checkpointer has configurable.thread_id"
        raise Invalid(why, [Problem("configurable.thread_id", "is missing")])
    return (
        str(configurable["thread_id"]), configurable.get("checkpoint_ns") or "", configurable.get("checkpoint_id") or ""
    )  # fmt: skip


def _config(thread: str, ns: str, id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": id}}
