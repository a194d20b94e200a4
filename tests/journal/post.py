"""A small law to try messages with: streams `p_...` send numbers to one another and keep what they got."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from aob.core.errors import Conflict
from aob.core.event import Message
from aob.core.value import Ref
from aob.journal import Journal, Law, Stream, Verdict
from aob.journal.law import Wanted
from aob.journal.messages import Outgoing
from aob.ports.store import Head, Store

T0_MS = 1_000_000


class Tell(msgspec.Struct):
    """Send these texts to these streams."""

    to: list[str]
    texts: list[str]
    urgent: bool = False


class Kept:
    """Events: `["sent", to, text]`, `["got", from, text]`, `["back", from, text, why]`, `["aside", why]`."""

    def __init__(self) -> None:
        self.events: list[list[str]] = []
        self.woken = 0

    def got(self) -> list[tuple[str, str]]:
        return [(event[1], event[2]) for event in self.events if event[0] == "got"]

    def back(self) -> list[tuple[str, ...]]:
        return [tuple(event[1:]) for event in self.events if event[0] == "back"]


class PostLaw(Law):
    kind, prefix, spread = "post", "p_", True

    def __init__(self) -> None:
        self.at_hand: set[bytes] = set()
        self.woken: list[str] = []

    def fresh(self, name: str) -> Kept:
        return Kept()

    def decide(self, stream: Stream, command: Tell, now_ms: int) -> Verdict:
        pairs = [(to, text) for to in command.to for text in command.texts]
        return Verdict(
            [["sent", *pair] for pair in pairs], {}, None,
            [Outgoing(to, text.encode(), {b"v" * 32: b"value"} if "value" in text else {}) for to, text in pairs],
        )  # fmt: skip

    def waits(self, command: Tell) -> bool:
        return not command.urgent

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        text = message.body.decode()
        if message.refused:
            return Verdict([["back", message.source, text, message.refused]], {})
        if "refuse" in text:
            raise Conflict("not that", code="no_messages")
        if "boom" in text:
            raise ZeroDivisionError("oh")
        if "need" in text and b"n" * 32 not in self.at_hand:
            raise Wanted(Ref(b"n" * 32, 0))
        answer = [Outgoing(message.source, b"re " + message.body)] if text.startswith("ask") else []
        return Verdict([["got", message.source, text]], dict(message.values), None, answer)

    def reached(self, name: str) -> None:
        self.woken.append(name)

    def fold(self, stream: Stream, events: list[Any]) -> None:
        stream.state.events += events

    def head(self, stream: Stream) -> Head:
        return Head(stream.name, "post", "default", "w", stream.status, "", 0, 0, stream.seq)

    def quarantine(self, stream: Stream, reason: str) -> list[Any]:
        return [["aside", reason]]


class Office:
    """A shard with that law: `holds` are its partitions."""

    def __init__(self, store: Store, holds: Callable[[int], bool] = lambda partition: True, life: int = 1) -> None:
        self.law = PostLaw()
        self.values: dict[bytes, Exception] = {}
        self.journal = Journal(
            store, [self.law], clock_ms=self.now_ms, on_commit=lambda commit: None, on_recovered=lambda found: None,
            put_blob=self._put, get_value=self._get,
        )  # fmt: skip
        self.journal.generation, self.journal.holds = life, holds

    def now_ms(self) -> int:
        return T0_MS + round(asyncio.get_running_loop().time() * 1_000)

    async def _put(self, tenant: str, digest: bytes, data: bytes) -> None:
        raise AssertionError("there are no blobs here")

    async def _get(self, tenant: str, digest: bytes) -> bytes:
        if digest in self.values:
            raise self.values[digest]
        self.law.at_hand.add(digest)
        return b""

    async def kept(self, name: str) -> Kept:
        """What a stream has kept."""
        stream = await self.journal.load(name)
        kept: Kept = stream.state if stream is not None else Kept()
        return kept
