"""The checkpointer of a graph that handles one record of an agent: its checkpoints go on from those of the record
before, and those of a record that came to nothing are removed."""

from collections.abc import Collection
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

from aob.core.agent_name import agent_thread
from aob.journal.entries import THREAD
from aob.langgraph.door import Calls, Door
from aob.langgraph.saver import KEEP, AobSaver
from aob.langgraph.serializer import Allowed
from aob.threads import ThreadCommand
from aob.threads.command import Delete, Put

RUN: Final = "run_id"
"""The member of a checkpoint's metadata that names the record it was written for."""


class OfAgent:
    """The threads of the keys of one agent, which its graph knows by the keys themselves."""

    def __init__(self, door: Door, agent: str) -> None:
        self._door, self._agent = door, agent

    async def ask(self, thread: str, command: ThreadCommand) -> Any:
        """Perform a command about the thread of a key."""
        return await self._door.ask(agent_thread(self._agent, thread), command)

    async def names(self, kind: str = THREAD) -> list[str]:
        """The keys that have a thread."""
        begin = agent_thread(self._agent, "")
        return [name.removeprefix(begin) for name in await self._door.names(kind) if name.startswith(begin)]


class RecordSaver(AobSaver):
    """A saver for one record. A record may write more checkpoints than a thread keeps, and the one that it began from
    must stay until it is handled: so only its first one removes what is over."""

    def __init__(self, door: Door, calls: Calls, agent: str, allow: Allowed = ()) -> None:
        super().__init__(OfAgent(door, agent), calls, keep=0, allow=allow)

    async def begin(self, key: str, run: str, bases: Collection[str]) -> bool:
        """Whether a former attempt at the record has left checkpoints to go on from. What records wrote that came to
        nothing is removed: `bases` are the checkpoints that one may begin from."""
        config: RunnableConfig = {"configurable": {"thread_id": key, "checkpoint_ns": ""}}
        while (newest := await self.aget_tuple(config)) is not None:
            wrote = str(newest.metadata.get(RUN) or "")
            if wrote == run:
                return True
            if newest.checkpoint["id"] in bases or not wrote:
                break
            await self._calls.here(self._door.ask(key, Delete([wrote])))
        self._keep = KEEP
        return False

    def _put(self, *given: Any) -> tuple[str, Put]:
        put = super()._put(*given)
        self._keep = 0
        return put
