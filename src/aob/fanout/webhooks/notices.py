"""Notices for webhooks, and the feed from which a hook that lags reads them again. A notice is encoded once for all
hooks. Positions never go back within a tenant and a kind; several notices of one commit may share one."""

from collections.abc import Collection
from hashlib import sha256
from typing import Final, Protocol

import msgspec

from aob.core.accepted_event import Event, shown
from aob.core.instant import iso

LOGGED: Final = ("event", "run", "alert")
"""Kinds that are read from a log and never skipped; of a `metric` only the current value is sent."""
BODY_MAX: Final = 300_000  # bytes of one message; a larger one is sent without its data
NOWHERE: Final = -1  # the position before the first
UNKNOWN: Final = -2  # in place of a position: a feed without a known position is read from its end on


def feeds_of(kind: str, shards: int, partitions: int = 1) -> tuple[str, ...]:
    """The names of the feeds of a kind: each shard has one of its own runs, each partition of the log one of events."""
    many = {"run": shards, "event": partitions}.get(kind, 1)
    return (kind, *(f"{kind}/{number}" for number in range(1, many)))


_encode = msgspec.json.Encoder().encode


class Notice(msgspec.Struct, frozen=True, gc=False):
    """One notice: its kind (`event metric run alert`), the key that hooks select it by (type, name, state, name),
    its position, its time, its type in the message, and the message's body (JSON). `feed`: the feed that its
    position is of; empty: the one that has the name of its kind."""

    kind: str
    key: str
    position: int
    at_ms: int
    type: str
    body: bytes
    feed: str = ""

    @property
    def source(self) -> str:
        """The name of its feed."""
        return self.feed or self.kind

    def message_id(self, hook_id: str) -> str:
        """The id of the message to a hook, the same for each redelivery and each reading."""
        what = f"{hook_id}|{self.kind}|{self.key}|{self.type}|{self.position}|{self.at_ms}|".encode()
        if self.kind != "event":
            what += self.body  # a number has no position, and two runs may end in one commit
        return f"msg_{sha256(what).hexdigest()[:24]}"


class Chunk(msgspec.Struct, frozen=True):
    """A part of a feed: notices in order, the position up to which it was searched, and whether that was its end."""

    notices: tuple[Notice, ...]
    through: int
    end: bool


class Feed(Protocol):
    """Committed notices by tenant and feed (`feeds_of` the kinds in `LOGGED`). Raises Unavailable when the store cannot
    be read. `partitions`: those of the log of events."""

    partitions: int

    async def end(self, tenant: str, feed: str) -> int:
        """The position of the last one; -1 when there is none."""

    async def read(self, tenant: str, feed: str, after: int, keys: Collection[str], limit: int) -> Chunk:
        """Those with these keys (`*` among them: all) after a position, at most about `limit`. `through` is at least
        the position of the last notice; it is `after` when there is nothing more. A position is never divided: all of
        its notices are in one chunk."""


def notice(kind: str, key: str, position: int, at_ms: int, data: object, feed: str = "") -> Notice:
    """A notice with a body that JSON can hold."""
    named = {"event": key, "run": f"run.{key.lower()}", "metric": "metric.moved"}.get(kind, "alert.changed")
    body = _body(named, at_ms, data)
    if len(body) > BODY_MAX:
        body = _body(named, at_ms, {"position": position, "omitted": f"the data is larger than {BODY_MAX} bytes"})
    return Notice(kind, key, position, at_ms, named, body, feed)


def notice_of(event: Event, line: bytes, feed: str = "") -> Notice:
    """The notice of an accepted event: its line as received, and the gate's verdict and enrichment."""
    return notice("event", event.type, event.offset, event.at_ms, shown(event, line), feed=feed)


def _body(type: str, at_ms: int, data: object) -> bytes:
    return _encode({"type": type, "timestamp": iso(at_ms), "data": data})
