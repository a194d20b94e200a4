"""Ready tokens of a shard whose owner was cut off. Their jobs may have begun there, and one of them may be what ended
it: each counts as a lost attempt before it begins here, so that none is begun for ever."""

from collections import deque
from collections.abc import Callable
from typing import Final

from aob.core.graph.compiled import Node
from aob.core.run.record import commands as cmd
from aob.core.run.state import READY, Token
from aob.journal import Stream
from aob.runs.queue.parked import Queue

CRASH: Final = "crash"
Key = tuple[str, str]


class LeftBehind:
    """`queue` has the runs of the shard, `node` gives the node of a token. At most `most` are counted and not over at a
    time, as many as may run: what waits has not begun. 0: the owner before gave the shard up in order."""

    def __init__(self, queue: Queue, node: Callable[[Stream, Token], Node]) -> None:
        self.most = 0
        self._queue, self._node = queue, node
        self._waiting = deque[tuple[Key, int]]()
        self._counted = set[Key]()
        self._began = False

    def __bool__(self) -> bool:
        return bool(self._counted)

    def takes(self, stream: Stream, token: Token) -> bool:
        """Whether the job of a token is to begin once it is counted: it was there when the shard was opened."""
        if self._began or not self.most or not self._queue.calls_here(stream, self._node(stream, token)):
            return False
        self._waiting.append(((stream.name, token.visit), token.attempt))
        return True

    def go_on(self) -> None:
        """Count those that may begin. None is taken from now on."""
        self._began = True
        while self._waiting and len(self._counted) < self.most:
            (run, visit), attempt = self._waiting.popleft()
            stream = self._queue.find(run)
            token: Token | None = stream.state.tokens.get(visit) if stream is not None else None
            if token is not None and token.state == READY and token.attempt == attempt:
                self._counted.add((run, visit))
                self._queue.tell(run, cmd.Lost(visit, attempt, CRASH))

    def over(self, run: str, visit: str) -> None:
        """The job of a visit has ended, or is not to be done."""
        if (run, visit) in self._counted:
            self._counted.remove((run, visit))
            self.go_on()
