"""What one worker and the gateways of a cluster say to each other: each item goes to where its attempt is from. All
free slots are offered to every gateway; what comes beyond them waits a moment, then goes back."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from aob.core.errors import Busy
from aob.rpc import LEASE_MS
from aob.rpc import worker_pb2 as pb
from aob.server.relay.settings import ToldSettings

WAITS_S: Final = 0.2  # how long a job waits here for a free slot
UNKNOWN_S: Final = 5.0  # how long the new owner of a shard may take to claim what no gateway has
GONE_S: Final = 2.0  # a gateway that is away for less only opens its stream again
SWEPT_S: Final = 1.0  # how often attempts without a gateway are looked at
KEPT_MAX: Final = 1_000  # lines of one attempt kept while its gateway is away
KEPT_BYTES_MAX: Final = 64 * 1024 * 1024  # of lines, requests and results of one worker that no gateway has answered

Key = tuple[str, str, int]
"""Run, visit, attempt."""
Item = Any  # a message of protobuf: its oneof has no type of its own


class Line(Protocol):
    """The way to one gateway."""

    def put(self, item: pb.WorkerItem, /) -> None:
        """Send an item."""


class Held:
    """An attempt that the worker has, and the gateway it is from (empty: not known yet). `asks` have no answer,
    `result` no Ack; `lines` could not be sent. `presented`: the worker brought it along, and waits to hear of it;
    `unknown` are the gateways that do not have it, `told` those that heard of it since its gateway went."""

    __slots__ = ("asks", "lines", "presented", "result", "since_s", "source", "told", "unknown")

    def __init__(self, source: str, since_s: float, presented: bool = False) -> None:
        self.source, self.since_s, self.presented = source, since_s, presented
        self.asks: dict[int, pb.WorkerItem] = {}
        self.lines: deque[pb.WorkerItem] = deque(maxlen=KEPT_MAX)
        self.result: pb.WorkerItem | None = None
        self.unknown, self.told = set[str](), set[str]()

    def is_from(self, source: str) -> None:
        """This gateway answers for it from now on."""
        self.source = source
        self.told.clear()

    @property
    def size(self) -> int:
        """The bytes of what waits for an answer."""
        items = (*self.asks.values(), *self.lines, *([self.result] if self.result is not None else ()))
        return sum(item.ByteSize() for item in items)


class Upstream:
    """A gateway that is spoken to: how many jobs it may send yet, and whether it has answered."""

    def __init__(self, line: Line) -> None:
        self.line, self.credit, self.heard = line, 0, False


class Routing:
    """Of one stream of a worker. `down` sends it an item, `clock` gives seconds, `url` is where this process serves
    blobs (empty: as the gateway says)."""

    def __init__(
        self, hello: pb.Hello, down: Callable[[pb.ServerItem], None], clock: Callable[[], float], url: str = ""
    ) -> None:  # fmt: skip
        self._hello, self._down, self._clock, self._url = hello, down, clock, url
        self._up: dict[str, Upstream] = {}
        self._held = {_key(each): Held("", clock(), presented=True) for each in hello.held}
        for each in hello.held:
            if each.done:
                self._held[_key(each)].result = pb.WorkerItem()  # the worker sends it when it is told to keep it
        self._free, self._slots = 0, max(hello.slots, 1)
        self._kept, self._weighed = 0, KEPT_BYTES_MAX  # bytes at most, and when they are counted anew
        self._surplus: deque[tuple[float, str, pb.ServerItem]] = deque()
        self._draining, self._swept_s = False, clock()
        self._settings = ToldSettings()
        self.lease_s = LEASE_MS / 1_000
        self.welcomed = False

    # -- gateways come and go ---------------------------------------------------------------------------------------

    def attached(self, source: str, line: Line) -> pb.Hello:
        """A gateway is spoken to: the Hello for it. It is told of what is from it, of what no other one answers for
        (it may own the shard by now), and again of what it has not answered: its Keep may have been lost."""
        self._up[source] = Upstream(line)
        hello = pb.Hello()
        hello.CopyFrom(self._hello)
        del hello.held[:]
        for (run, visit, attempt), held in self._held.items():
            unanswered = source in held.told and source not in held.unknown
            if held.source == source or self._at(held.source) is None or unanswered:
                held.unknown.discard(source)
                held.told.add(source)
                hello.held.append(pb.Held(run=run, visit=visit, attempt=attempt, done=held.result is not None))
        return hello

    def detached(self, source: str, line: Line) -> None:
        """Its stream has ended. What it sent and the worker has not begun is the gateway's again."""
        up = self._up.get(source)
        if up is None or up.line is not line:
            return
        del self._up[source]
        self._surplus = deque(each for each in self._surplus if each[1] != source)
        now = self._clock()
        for held in self._held.values():
            if held.source == source and up.heard:
                held.since_s = now

    def unheard(self) -> list[str]:
        """The gateways that have not heard of an attempt whose own gateway has gone, or has it no more: they are to be
        greeted again, because the new owner of its shard judges it soon."""
        now = self._clock()
        left = [
            held for held in self._held.values()
            if not held.source or (self._at(held.source) is None and now - held.since_s > GONE_S)
        ]  # fmt: skip
        return [source for source, up in self._up.items() if up.heard and any(source not in held.told for held in left)]

    def tick(self) -> None:
        """Time has passed: what waited too long for a slot goes back, and what no gateway has claimed is given up."""
        now = self._clock()
        while self._surplus and now - self._surplus[0][0] >= WAITS_S:
            _, source, item = self._surplus.popleft()
            self._declined(source, item.job)
        if now - self._swept_s >= SWEPT_S:
            self._swept_s = now
            for key, held in list(self._held.items()):
                if self._at(held.source) is None and now - held.since_s > self._grace_s(held):
                    del self._held[key]
                    self._down(_given_up(key, held))
            self._says(self._settings.keep(self._up.keys() | {held.source for held in self._held.values()}))
        self._offer()

    def _grace_s(self, held: Held) -> float:
        """How long a gateway may take to claim it: less when none is away, and none has it."""
        none = all(up.heard and source in held.unknown for source, up in self._up.items())
        return min(UNKNOWN_S, self.lease_s) if none and self._up else self.lease_s

    def heard(self, source: str) -> bool:
        """Whether a gateway has answered."""
        return self._at(source) is not None

    def _at(self, source: str) -> Upstream | None:
        """A gateway that has answered."""
        up = self._up.get(source)
        return up if up is not None and up.heard else None

    # -- from the worker --------------------------------------------------------------------------------------------

    def take_worker(self, frame: pb.WorkerFrame) -> None:
        """A frame of the worker, after its Hello."""
        for item in frame.items:
            what = item.WhichOneof("item")
            if what == "want":
                self._free = min(self._free + item.want.jobs, self._slots)
                self._fill()
            elif what == "draining":
                self._drain(item)
            elif what is not None and what != "hello":
                self._send(what, item)
        self._offer()

    def _send(self, what: str, item: pb.WorkerItem) -> None:
        told = getattr(item, what)
        held = self._held.get(_key(told))
        if held is None:
            self._stray(what, told)
            return
        up = self._at(held.source)
        self._keeps(item)
        if what in ("done", "fail"):
            held.result = item
            held.asks.clear()
        elif getattr(told, "ask", 0):
            held.asks[told.ask] = item
        elif up is None and what != "beat":
            held.lines.append(item)
        if up is not None:
            up.line.put(item)

    def _keeps(self, item: pb.WorkerItem) -> None:
        """Count what is kept until it is answered. Raises Busy `worker_behind` when it is too much for one worker."""
        self._kept += item.ByteSize()
        if self._kept > self._weighed:
            self._kept = sum(held.size for held in self._held.values()) + item.ByteSize()
            self._weighed = max(KEPT_BYTES_MAX, self._kept + KEPT_BYTES_MAX // 8)
            if self._kept > KEPT_BYTES_MAX:
                detail = f"{KEPT_BYTES_MAX} bytes of this worker have no answer"
                raise Busy(detail, code="worker_behind", hint="come back, and send less at once")

    def _stray(self, what: str, told: Item) -> None:
        """Of an attempt that nobody has any more: the worker need not keep it."""
        name = {"run": told.run, "visit": told.visit, "attempt": told.attempt}
        if what in ("done", "fail", "decline"):
            self._down(pb.ServerItem(ack=pb.Ack(**name)))
        elif getattr(told, "ask", 0):
            refused = pb.Refused(**name, ask=told.ask, code="token_gone", message="this attempt is not here")
            self._down(pb.ServerItem(refused=refused))

    def _drain(self, item: pb.WorkerItem) -> None:
        self._draining, self._free = True, 0
        for up in self._up.values():
            up.credit = 0
            up.line.put(item)
        while self._surplus:
            _, source, job = self._surplus.popleft()
            self._declined(source, job.job)

    # -- from a gateway ---------------------------------------------------------------------------------------------

    def take_gateway(self, source: str, frame: pb.ServerFrame) -> None:
        """A frame of a gateway that is attached."""
        self._up[source].heard = True
        for item in frame.items:
            what = item.WhichOneof("item")
            if what == "welcome":
                self._welcome(item)
            elif what == "job":
                self._job(source, item)
            elif what == "pause":
                self._down(item)
            elif what == "settings":
                self._says(self._settings.say(source, item.settings))
            elif what is not None:
                self._told(source, what, item)
        self._offer()

    def _says(self, settings: pb.Settings | None) -> None:
        """What counts for built-in kinds from now on, if it has changed."""
        if settings is not None:
            self._down(pb.ServerItem(settings=settings))

    def _welcome(self, item: pb.ServerItem) -> None:
        self.lease_s = item.welcome.lease_ms / 1_000
        if not self.welcomed:
            self.welcomed = True
            if self._url:
                item.welcome.url = self._url
            self._down(item)

    def _job(self, source: str, item: pb.ServerItem) -> None:
        up = self._up[source]
        up.credit = max(0, up.credit - 1)
        held = self._held.get(_key(item.job))
        if held is not None:  # its shard has moved: the worker goes on, for the new owner
            held.is_from(source)
            if held.presented:
                held.presented = False
                self._down(_keep(item.job))
            else:
                self._again(held, up)
        elif self._draining:
            self._declined(source, item.job)
        else:
            self._surplus.append((self._clock(), source, item))
            self._fill()

    def _fill(self) -> None:
        """Jobs that wait here, in their order, for the slots that are free."""
        while self._free and self._surplus:
            now, source, item = self._surplus.popleft()
            self._free -= 1
            self._held[_key(item.job)] = Held(source, now)
            self._down(item)

    def _told(self, source: str, what: str, item: pb.ServerItem) -> None:
        told = getattr(item, what)
        key = _key(told)
        held = self._held.get(key)
        if held is None:
            self._surplus = deque(each for each in self._surplus if what != "cancel" or _key(each[2].job) != key)
            if what == "cancel":  # it had not begun
                self._declined(source, told)
        elif what == "keep":
            held.is_from(source)
            held.since_s = self._clock()
            if held.presented:
                held.presented = False
                self._down(item)
            else:
                self._again(held, self._up[source])
        elif what == "drop":
            self._drop(source, held)
        elif held.source == source:
            if what == "ack":
                del self._held[key]
            elif what != "cancel":
                held.asks.pop(told.ask, None)
            self._down(item)

    def _drop(self, source: str, held: Held) -> None:
        """This gateway does not have it: another one may, or will as soon as it owns the shard."""
        held.unknown.add(source)
        held.told.add(source)
        if held.source == source:
            held.source, held.since_s = "", self._clock()

    def _again(self, held: Held, up: Upstream) -> None:
        """What the gateway may not have got."""
        for item in held.lines:
            up.line.put(item)
        held.lines.clear()
        for item in held.asks.values():
            up.line.put(item)
        if held.result is not None and held.result.WhichOneof("item"):
            up.line.put(held.result)

    def _declined(self, source: str, job: Item) -> None:
        up = self._up.get(source)
        if up is not None:
            name = {"run": job.run, "visit": job.visit, "attempt": job.attempt}
            up.line.put(pb.WorkerItem(decline=pb.Decline(**name, reason="no free slot")))

    def _offer(self) -> None:
        """All slots that are free to every gateway."""
        if self._draining or self._surplus:
            return
        for up in self._up.values():
            if up.credit < self._free:
                up.line.put(pb.WorkerItem(want=pb.Want(jobs=self._free - up.credit)))
                up.credit = self._free


def _key(told: Item) -> Key:
    return told.run, told.visit, told.attempt


def _keep(job: Item) -> pb.ServerItem:
    return pb.ServerItem(keep=pb.Keep(run=job.run, visit=job.visit, attempt=job.attempt))


def _given_up(key: Key, held: Held) -> pb.ServerItem:
    """Nobody counts on it any more."""
    run, visit, attempt = key
    if held.result is not None and not held.presented:
        return pb.ServerItem(ack=pb.Ack(run=run, visit=visit, attempt=attempt))
    return pb.ServerItem(drop=pb.Drop(run=run, visit=visit, attempt=attempt))
