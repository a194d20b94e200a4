"""Keeps ready tokens whose jobs no worker may be given now: nobody has what they need, too many jobs wait already, or
their handler is paused. Keeps names only: the job is made when there is room for it, the oldest first."""

import asyncio
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.duration import format_duration
from aob.core.graph.compiled import Node, Task
from aob.core.run import Run
from aob.core.run.record import commands as cmd
from aob.core.run.state import READY, Token
from aob.core.value import canonical
from aob.journal import Stream
from aob.ports.workers import AWAY, KIND, NO_LABEL, PAUSED, RANK, Job, Lane, Turn

BATCH: Final = 200  # jobs that are made in one turn of the loop
COMING_MAX: Final = 32  # jobs of one turn whose values are being fetched
Key = tuple[str, str]


class Elsewhere(Protocol):
    """Workers of other processes."""

    def offers(self, handler: str) -> bool:
        """Whether one of them has a handler now."""

    @property
    def gathers(self) -> bool:
        """Whether workers of the process before may still be on their way."""

    def awaits(self, run: str, visit: str, attempt: int, key: str) -> bool:
        """Whether one may have this attempt and present it: it is submitted at once, and waits for that."""

    def knows(self, run: str, visit: str, attempt: int, key: str) -> bool:
        """Whether one has this attempt, or its result, or may present it: it is submitted at once."""

    def lacks(self, lane: Lane, tenant: str) -> str:
        """Why none takes jobs of a lane from a tenant; empty: one does."""

    def relane(self, run: str, visits: Iterable[str]) -> None:
        """What workers must have for the jobs of a run has changed."""

    def told(self, tenant: str) -> list[JsonObject]:
        """The workers of a tenant, as people see them."""

    def pause(self, names: frozenset[tuple[str, str]]) -> None:
        """No jobs of these handlers, by tenant and name, come from now on."""

    def room(self, turn: Turn) -> int:
        """How many more jobs of a turn may wait for them."""


class Parked(msgspec.Struct, eq=False):
    """A token that waits, since when by the loop's clock, and its queue timeout."""

    attempt: int
    turn: Turn
    since_s: float
    timer: asyncio.TimerHandle | None = None


class Queue:
    """The parked tokens of a shard. `streams` has its runs, `submit` makes and submits the job of a ready token, `tell`
    sends a command to a run. `loaded` are the handlers of this process."""

    def __init__(
        self, loaded: Container[str], find: Callable[[str], Stream | None],
        submit: Callable[[Stream, Token], object], tell: Callable[[str, cmd.Fail | cmd.Lost], object],
    ) -> None:  # fmt: skip
        self._loaded, self.find, self._submit, self.tell = loaded, find, submit, tell
        self.elsewhere: Elsewhere | None = None
        self.needs: Callable[[Task], tuple[str, ...]] = lambda task: ()
        """What a worker needs for a node of a built-in kind."""
        self.kinds_wait = False
        """Whether built-in kinds wait for a worker while there is none, and are not performed here."""
        self.paused: frozenset[tuple[str, str]] = frozenset()
        """Handlers whose jobs are not given out, by tenant and name."""
        self.coming: dict[Key, Parked] = {}
        """Tokens that were parked and are being submitted."""
        self._parked: dict[Key, Parked] = {}
        self._turns: dict[Turn, dict[Key, Parked]] = {}

    def __len__(self) -> int:
        return len(self._parked) + len(self.coming)

    def pause(self, names: frozenset[tuple[str, str]]) -> None:
        """Handlers whose jobs are not given out, by tenant and name."""
        self.paused = names
        if self.elsewhere is not None:
            self.elsewhere.pause(names)

    def visits(self) -> set[Key]:
        """The run and visit of every parked token."""
        return set(self._parked)

    def lane_of(self, job: Job) -> Lane:
        """What a worker must have to be given a job."""
        if job.task.kind != "function":
            return self._lane_of_kind(job.task)
        stream = self.find(job.run)
        build, pins = _build(stream) if stream is not None else ("", False)
        return Lane(job.task.config.handler, job.task.spec.worker, build, pins)

    def lane(self, stream: Stream, node: Node) -> Lane:
        """What a worker must have to be given the job of a node."""
        if node.kind != "function":
            return self._lane_of_kind(node.task)
        return Lane(node.config.handler, node.spec.worker, *_build(stream))

    def _lane_of_kind(self, task: Task) -> Lane:
        return Lane(KIND + task.kind, task.spec.worker, needs=self.needs(task))

    def away(self, task: Task, run: str, visit: str, attempt: int, key: str, tenant: str) -> bool:
        """Whether an attempt of a node of a built-in kind is for a worker: one performs it, or has it already, or it
        may not be performed here."""
        elsewhere = self.elsewhere
        if elsewhere is None or task.kind not in AWAY:
            return False
        lane = self._lane_of_kind(task)
        return not self._here(lane, tenant, elsewhere) or elsewhere.knows(run, visit, attempt, key)

    def _here(self, lane: Lane, tenant: str, elsewhere: Elsewhere) -> bool:
        """Whether jobs of a lane are performed in this process now."""
        if not lane.kind:
            return self._loads(lane)
        own = f"{lane.kind}/"
        able = all(need.startswith(own) or need in self._loaded for need in lane.needs)
        return able and not self.kinds_wait and bool(elsewhere.lacks(lane, tenant))

    def _loads(self, lane: Lane) -> bool:
        """Whether this process performs the calls of a lane of a handler: it has no labels."""
        return lane.handler in self._loaded and not lane.labels

    def calls_here(self, stream: Stream, node: Node) -> bool:
        """Whether the job of a node calls a handler in this process now."""
        if node.kind != "function" or node.spec.worker or (stream.tenant, node.config.handler) in self.paused:
            return False
        return node.config.handler in self._loaded

    def reason(self, stream: Stream, node: Node) -> str:
        """Why no worker takes the job of a node now: PAUSED or what workers lack; empty: one does, or will when it is
        free."""
        run: Run = stream.state
        if node.kind != "function":
            if node.kind not in AWAY or self.elsewhere is None:
                return ""
            lane = self._lane_of_kind(node.task)
            here = self._here(lane, run.tenant, self.elsewhere)
            return "" if here else self.elsewhere.lacks(lane, run.tenant)
        if (run.tenant, node.config.handler) in self.paused:
            return PAUSED
        if self.elsewhere is None:
            return NO_LABEL if node.spec.worker else ""
        if node.config.handler in self._loaded and not node.spec.worker:
            return ""
        return self.elsewhere.lacks(self.lane(stream, node), run.tenant)

    def keeps(self, stream: Stream, token: Token, node: Node) -> bool:
        """Whether the job of a ready token of a function, or of a kind that is for workers, may not be submitted yet:
        then the token is parked."""
        run: Run = stream.state
        key, elsewhere = (stream.name, token.visit), self.elsewhere
        coming = self.coming.get(key) if self.coming else None
        if coming is not None and coming.attempt == token.attempt:
            return False
        turn = Turn(self.lane(stream, node), run.tenant, RANK.get(node.spec.priority or run.priority, RANK["medium"]))
        if (run.tenant, turn.lane.handler) not in self.paused:
            if elsewhere is None or self._loads(turn.lane):
                return False
            if turn not in self._turns and not elsewhere.lacks(turn.lane, turn.tenant) and elsewhere.room(turn) > 0:
                return False
        if elsewhere is not None and elsewhere.knows(*key, token.attempt, run.key(token.visit)):
            return False
        known = self._parked.get(key)
        if known is not None:
            if known.attempt == token.attempt and known.turn == turn:
                return True
            self.gone(*key)
        self._park(key, token.attempt, turn, node.spec.timeout.queue_ms)
        return True

    def _park(self, key: Key, attempt: int, turn: Turn, queue_ms: int) -> None:
        loop = asyncio.get_running_loop()
        parked = self._parked[key] = Parked(attempt, turn, loop.time())
        self._turns.setdefault(turn, {})[key] = parked
        if queue_ms:
            parked.timer = loop.call_later(queue_ms / 1_000, self._expire, key, parked, queue_ms)

    def _expire(self, key: Key, parked: Parked, queue_ms: int) -> None:
        self.gone(*key)
        lane, elsewhere = parked.turn.lane, self.elsewhere
        lacks = elsewhere is not None and elsewhere.lacks(lane, parked.turn.tenant)
        who = f"no worker performs {lane.kind}" if lane.kind else f"no worker has the handler {lane.handler!r}"
        what = who if lacks else "no worker was free"
        self.tell(key[0], late(key[1], parked.attempt, what, queue_ms))

    def relane(self, stream: Stream) -> None:
        """What workers must have for the jobs of a run has changed."""
        run: Run = stream.state
        for visit in run.tokens if self._parked else ():
            parked = self._parked.get((stream.name, visit))
            if parked is not None and not parked.turn.lane.kind:
                lane = Lane(parked.turn.lane.handler, parked.turn.lane.labels, *_build(stream))
                waiting = self._turns[parked.turn]
                del waiting[stream.name, visit]
                if not waiting:
                    del self._turns[parked.turn]
                parked.turn = parked.turn._replace(lane=lane)
                self._turns.setdefault(parked.turn, {})[stream.name, visit] = parked
        if self.elsewhere is not None:
            self.elsewhere.relane(stream.name, run.tokens)
        self.look()

    def gone(self, run: str, visit: str) -> None:
        """Nothing is to be done for a visit any more."""
        self.coming.pop((run, visit), None)
        parked = self._parked.pop((run, visit), None)
        if parked is not None:
            self._leave((run, visit), parked)

    def _leave(self, key: Key, parked: Parked) -> None:
        waiting = self._turns[parked.turn]
        del waiting[key]
        if not waiting:
            del self._turns[parked.turn]
        if parked.timer is not None:
            parked.timer.cancel()

    def look(self) -> None:
        """Submit what may be by now. Called when there may be room, and when workers came or went."""
        if not self._parked:
            return
        more = False
        for turn in list(self._turns):
            more |= self._release(turn)
        if more:
            asyncio.get_running_loop().call_soon(self.look)

    def _release(self, turn: Turn) -> bool:
        """Returns whether there would be room for more."""
        lane, elsewhere, waiting = turn.lane, self.elsewhere, self._turns[turn]
        if (turn.tenant, lane.handler) in self.paused:
            return False
        room = many = BATCH
        here = self._loads(lane) if elsewhere is None else self._here(lane, turn.tenant, elsewhere)
        if not here:
            if elsewhere is None or elsewhere.lacks(lane, turn.tenant):
                return False
            room = min(elsewhere.room(turn), COMING_MAX) - self._coming(turn)
            many = min(room, BATCH)
        while waiting and many > 0:
            key, parked = next(iter(waiting.items()))
            del self._parked[key]
            self._leave(key, parked)
            stream = self.find(key[0])
            token: Token | None = stream.state.tokens.get(key[1]) if stream is not None else None
            if stream is None or token is None or token.state != READY or token.attempt != parked.attempt:
                continue
            self.coming[key] = parked
            self._submit(stream, token)
            many -= 1
            if elsewhere is not None and not here:
                many = min(many, elsewhere.room(turn))
        return bool(waiting) and many <= 0 < room and (here or elsewhere is None or elsewhere.room(turn) > 0)

    def _coming(self, turn: Turn) -> int:
        """How many of a turn are being submitted; forgets those that failed."""
        count = 0
        for key, parked in list(self.coming.items()):
            if parked.turn == turn:
                stream = self.find(key[0])
                token = stream.state.tokens.get(key[1]) if stream is not None else None
                if token is None or token.state != READY or token.attempt != parked.attempt:
                    del self.coming[key]
                else:
                    count += 1
        return count

    def came(self, key: Key) -> int:
        """The job of a parked token is made. Returns how long it waited, in ms."""
        parked = self.coming.pop(key, None)
        return round((asyncio.get_running_loop().time() - parked.since_s) * 1_000) if parked is not None else 0

    def lanes(self) -> Iterator[tuple[Lane, int, float]]:
        """How many tokens are parked, by lane, and since when the oldest of them is."""
        for turn, waiting in self._turns.items():
            yield turn.lane, len(waiting), next(iter(waiting.values())).since_s


def _build(stream: Stream) -> tuple[str, bool]:
    """The build that a run is pinned to, and whether it is to be pinned by its first job."""
    run: Run = stream.state
    if run.build:
        return run.build, False
    return "", stream.derived.graphs.ir(0).spec.handlers == "pinned"


def late(visit: str, attempt: int, what: str, queue_ms: int) -> cmd.Fail:
    """The end of an attempt whose queue timeout has passed."""
    error = Raw(canonical({"code": "timeout_queue", "message": f"{what} after {format_duration(queue_ms)}"}))
    return cmd.Fail(visit, attempt, error, True)
