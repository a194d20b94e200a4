"""A worker as the owner of jobs knows it: what it offers, what it holds, and the stream it is reached by."""

from functools import lru_cache
from hashlib import sha256
from typing import Final, cast

from aob.core.answers import JsonObject
from aob.core.errors import CallerError, TooLarge
from aob.core.graph import HandlerFacts
from aob.core.graph.compiled import Effect
from aob.core.policy import Caller
from aob.core.value import decode
from aob.ports.workers import AWAY, KIND, OF_AGENT, Lane
from aob.rpc import DOC_MAX
from aob.rpc import worker_pb2 as pb
from aob.work.handlers import EFFECTS
from aob.work.pool import HOLDER
from aob.work.remote.lease import Lease, Line

AGENT_MAX: Final = 300  # characters of the name and version of an agent
NAME_MAX: Final = 100  # characters of a worker's name, of its build, of a label
INCARNATION_MAX: Final = 64
HANDLERS_MAX: Final = 1_000
LABELS_MAX: Final = 32
SLOTS_MAX: Final = 10_000
HELD_MAX: Final = 20_000
SECRETS_MAX: Final = 200


class Worker:
    """One worker: its name is its own within a tenant. `handlers` has the built-in kinds that it performs, too;
    `offers` is what it has for them. `line` is None while it is away; `lanes` remembers which lanes it serves."""

    def __init__(self, hello: pb.Hello, who: Caller, all_tenants: bool) -> None:
        self.name, self.incarnation, self.build = hello.worker, hello.incarnation, hello.build
        self.who, self.tenant = who, "" if all_tenants else who.tenant
        self.offers = frozenset(hello.offers)
        self.handlers = handlers_of(hello) | kinds_of(hello)
        self.labels = dict(hello.labels)
        self.slots = hello.slots
        self.leases: dict[tuple[str, str], Lease] = {}
        self.line: Line | None = None
        self.credit = 0
        self.draining = False
        self.seen_s = self.since_s = 0.0
        self.done = 0
        self.lanes: dict[Lane, bool] = {}
        self.declined: dict[str, float] = {}  # handlers that it does not want now, until then
        self.alone: Lease | None = None  # a job that may end it, and since when it is there
        self.alone_s = 0.0

    @property
    def holder(self) -> bytes:
        """Its name and incarnation, as the list of what is at workers has them."""
        return _half(self.id) + _half(self.incarnation)

    @property
    def id(self) -> str:
        """Its name, in its tenant."""
        return f"{self.tenant}/{self.name}"

    @property
    def free(self) -> bool:
        """Whether it takes a job now."""
        return self.credit > 0 and self.line is not None and not self.draining and not self.line.behind

    def told(self, now_s: float) -> JsonObject:
        """What it is and what it does, for people and tools."""
        away = "away" if self.line is None else "attached"
        return {
            "worker": self.name, "build": self.build, "state": "draining" if self.draining else away,
            "handlers": sorted(self.handlers), "labels": self.labels, "slots": self.slots, "running": len(self.leases),
            "done": self.done, "key": self.who.name, "attached_s": round(now_s - self.since_s, 1),
        }  # fmt: skip

    def is_of(self, lane: Lane) -> bool:
        """Whether its build is what a lane asks for."""
        return lane.build == self.build if lane.build else bool(self.build) or not lane.pins

    def has(self, needs: tuple[str, ...]) -> bool:
        """Whether it has all that a built-in kind needs."""
        return all(need in self.offers or need in self.handlers for need in needs)

    def serves(self, lane: Lane) -> bool:
        """Whether it has what a lane asks for."""
        known = self.lanes.get(lane)
        if known is None:
            known = self.lanes[lane] = self._serves(lane)
        return known

    def _serves(self, lane: Lane) -> bool:
        return self.is_of(lane) and self.may_have(lane.handler, lane) and self.has(lane.needs)

    def may_have(self, handler: str, lane: Lane) -> bool:
        """Whether it may go on with a call of a handler for a job of a lane: it has both that and all labels. Builds
        count only for what begins: a run may be pinned to another one meanwhile."""
        return handler in self.handlers and all(self.labels.get(name) == value for name, value in lane.labels)


def _longest(name: str) -> int:
    """How many characters the name of a handler may have: an agent's is longer, and its version is with it."""
    return AGENT_MAX if name.startswith(OF_AGENT) else NAME_MAX


@lru_cache(4_096)
def _half(text: str) -> bytes:
    return sha256(text.encode()).hexdigest()[: HOLDER // 2].encode()


def same_name(holder: bytes, worker: Worker) -> bool:
    """Whether a holder of the life before was a process of this worker."""
    return holder[: HOLDER // 2] == worker.holder[: HOLDER // 2]


def secrets_of(hello: pb.Hello) -> list[str]:
    """The names of all secrets that its handlers need."""
    return sorted({name for each in hello.handlers for name in each.secrets})


def handlers_of(hello: pb.Hello) -> dict[str, HandlerFacts]:
    """What a worker declares. A handler whose effect it does not say counts as one that must not be repeated."""
    found: dict[str, HandlerFacts] = {}
    for each in hello.handlers:
        effect: Effect = cast(Effect, each.effect) if each.effect in EFFECTS else "once"
        schema = decode(each.input) if each.input else None
        found[each.name] = HandlerFacts(
            each.name, each.version[:NAME_MAX], effect, each.deterministic and effect != "once", False,
            each.doc[:DOC_MAX], schema if isinstance(schema, dict) else None,
        )  # fmt: skip
    return found


def kinds_of(hello: pb.Hello) -> dict[str, HandlerFacts]:
    """The built-in kinds that a worker performs, as a lane names them. What a call does is as its node says."""
    kinds = [KIND + kind for kind in AWAY if kind in hello.offers]
    return {name: HandlerFacts(name, "", "none", True, False) for name in kinds}


def check_hello(hello: pb.Hello, protocol: int) -> None:
    """Raises CallerError with what is wrong about the first item of a worker."""
    if hello.protocol != protocol:
        raise CallerError(
            f"this home speaks protocol {protocol} of workers, not {hello.protocol}", code="worker_protocol",
            hint="use a worker of the same release",
        )  # fmt: skip
    for what, text, most in (("worker", hello.worker, NAME_MAX), ("incarnation", hello.incarnation, INCARNATION_MAX)):
        if not text or len(text) > most:
            raise CallerError(f"Hello.{what} has {len(text)} characters: 1 to {most}", code="worker_hello")
    for what, number, most in (
        ("handlers", len(hello.handlers), HANDLERS_MAX), ("labels", len(hello.labels), LABELS_MAX),
        ("slots", hello.slots, SLOTS_MAX), ("held", len(hello.held), HELD_MAX), ("build", len(hello.build), NAME_MAX),
        ("offers", len(hello.offers), HANDLERS_MAX), ("offer", max(map(len, hello.offers), default=0), 2 * NAME_MAX),
    ):  # fmt: skip
        if number > most:
            raise TooLarge(f"Hello.{what}: {number} is over {most}", code="worker_hello")
    if sum(len(each.secrets) for each in hello.handlers) > SECRETS_MAX:
        raise TooLarge(f"Hello names more than {SECRETS_MAX} secrets", code="worker_hello")
    if not hello.handlers and not hello.offers:
        raise CallerError("a worker offers at least one handler", code="worker_hello")
    taken = [each.name for each in hello.handlers if each.name in {KIND + kind for kind in AWAY}]
    if taken:
        raise CallerError(f"no handler is called {taken[0]!r}: it stands for a built-in kind", code="worker_hello")
    long = [each.name for each in hello.handlers if not 0 < len(each.name) <= _longest(each.name)]
    long += [text for pair in hello.labels.items() for text in pair if len(text) > NAME_MAX]
    if long:
        raise CallerError(f"{long[0][:40]!r} has {len(long[0])} characters: 1 to {NAME_MAX}", code="worker_hello")
    for each in hello.handlers:
        if each.input:
            try:
                decode(each.input)
            except Exception as error:
                raise CallerError(f"the input of handler {each.name!r} is no JSON", code="worker_hello") from error
