"""A small law to try the journal with: streams `t_...` count, set timers, break, and end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec

from aob.core.errors import Conflict
from aob.core.value import Ref
from aob.journal import Committed, Journal, Law, Recovered, Stream, Verdict
from aob.journal.law import Changes, Wanted
from aob.ports.store import Head, Store, TimerRow
from aob.testing.world.loop import VirtualLoop, run_virtual

T = TypeVar("T")
T0_MS = 1_000_000


class Add(msgspec.Struct):
    n: int = 1


class Refuse(msgspec.Struct):
    """The law says no."""


class Boom(msgspec.Struct):
    """The law breaks."""


class Need(msgspec.Struct):
    """The law needs a value."""

    digest: bytes


class Later(msgspec.Struct):
    """A timer."""

    id: str
    due_ms: int


class Fire(msgspec.Struct):
    id: str


class End(msgspec.Struct):
    pass


class Tally:
    """Events: `[what, n]`."""

    def __init__(self, name: str) -> None:
        self.name, self.count, self.over, self.aside = name, 0, False, ""
        self.timers: dict[str, int] = {}
        self.begun = False


class TallyLaw(Law):
    kind, prefix = "tally", "t_"

    def __init__(self) -> None:
        self.at_hand: set[bytes] = set()
        self.lazy = False
        self.seen: list[tuple[str, int]] = []

    def fresh(self, name: str) -> Tally:
        return Tally(name)

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        self.seen.append((type(command).__name__, now_ms))
        stream.lazy = self.lazy
        match command:
            case Add(n):
                return Verdict([["add", n]], {})
            case Refuse():
                raise Conflict("no")
            case Boom():
                raise ZeroDivisionError("oh")
            case Need(digest):
                if digest not in self.at_hand:
                    raise Wanted(Ref(digest, 0))
                return Verdict([["add", 100]], {})
            case Later(id, due_ms):
                return Verdict([["timer", id, due_ms]], {})
            case Fire(id):
                due = stream.state.timers.get(id)
                return Verdict([["fired", id]] if due is not None and due <= now_ms else [], {})
            case _:
                return Verdict([["end"]], {})

    def fire(self, timer: str) -> Fire:
        return Fire(timer)

    def fold(self, stream: Stream, events: list[Any]) -> None:
        state: Tally = stream.state
        state.begun = True
        for event in events:
            match event:
                case ["add", n]:
                    state.count += n
                case ["timer", id, due]:
                    state.timers[id] = due
                case ["fired", id]:
                    state.timers.pop(id, None)
                    state.count += 1_000
                case ["aside", reason]:
                    state.aside = reason
                case _:
                    state.over = True

    def adopt(self, stream: Stream, context: Any) -> None:
        raise AssertionError("nothing to adopt")

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        name = stream.name
        timers = [TimerRow(name, event[1], event[2]) for event in events if event[0] == "timer"]
        done = [(name, event[1]) for event in events if event[0] == "fired"]
        if stream.state.over:
            done = [(name, "")]
        return Changes(events, "OVER" if stream.state.over else "ON", timers or None, done or None, stream.state.over)

    def head(self, stream: Stream) -> Head:
        state: Tally = stream.state
        return Head(stream.name, "tally", "default", "w", stream.status, state.aside, 0, int(state.over), stream.seq)

    def over(self, stream: Stream) -> bool:
        return bool(stream.state.over)

    def quarantine(self, stream: Stream, reason: str) -> list[Any]:
        return [] if stream.state.aside else [["aside", reason]]

    def encode(self, events: list[Any]) -> bytes:
        return msgspec.json.encode(events)

    def decode(self, data: bytes | msgspec.Raw) -> list[Any]:
        found: list[Any] = msgspec.json.decode(data)
        return found

    async def restore(self, stream: Stream) -> None:
        stream.lazy = self.lazy


class Shell:
    """A journal with that law, and everything that left it."""

    def __init__(self, store: Store, law: TallyLaw | None = None) -> None:
        self.law = law or TallyLaw()
        self.commits: list[Committed] = []
        self.recovered: list[Recovered] = []
        self.skew_ms = 0
        self.values: dict[bytes, Exception | None] = {}
        self.journal = Journal(
            store, [self.law], clock_ms=self.now_ms, on_commit=self.commits.append, on_recovered=self.recovered.append,
            put_blob=self._put, get_value=self._get,
        )  # fmt: skip

    def now_ms(self) -> int:
        return T0_MS + self.skew_ms + round(asyncio.get_running_loop().time() * 1_000)

    async def _put(self, tenant: str, digest: bytes, data: bytes) -> None:
        raise AssertionError("there are no blobs here")

    async def _get(self, tenant: str, digest: bytes) -> bytes:
        error = self.values.get(digest)
        if error is not None:
            raise error
        self.law.at_hand.add(digest)
        return b""

    def count(self, stream: str) -> int:
        """What a stream counts in memory."""
        return int(self.journal.streams[stream].state.count)

    @property
    def told(self) -> list[tuple[str, list[Any]]]:
        """All that was told, in order."""
        return [(told.stream.name, told.events) for commit in self.commits for told in commit.told]


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test whose waits cost nothing and whose wake-ups are always the same."""

    def run() -> None:
        run_virtual(VirtualLoop(), test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def passes(seconds: float) -> None:
    """So much of the loop's own time passes: none of ours."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_later(seconds, over.set_result, None)
    await over
