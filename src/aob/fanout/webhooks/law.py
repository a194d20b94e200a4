"""The law of webhooks: the subscriptions of a tenant, in streams `webhooks/TENANT`. Secrets are never part of them.
Deliveries and positions of hooks are pages (`Saver`): they are written many times a second, too often for a stream."""

from typing import Any, Final

import msgspec

from aob.core.errors import Conflict, NotFound, TooLarge
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.ports.store import Head

PREFIX: Final = "webhooks/"
HOOKS_MAX: Final = 500  # webhooks of one tenant


class Hook(msgspec.Struct, frozen=True):
    """A subscription: what it selects by kind, and from which positions on."""

    id: str
    url: str
    wants: dict[str, tuple[str, ...]]
    since: dict[str, int]
    description: str
    created_ms: int
    paused: bool = False


class HookMade(msgspec.Struct, array_like=True, tag=1):
    """A target was subscribed. `since`: positions by kind after which the subscription holds."""

    id: str
    url: str
    wants: dict[str, tuple[str, ...]]
    since: dict[str, int]
    description: str
    by: str
    at_ms: int = 0


class HookPaused(msgspec.Struct, array_like=True, tag=2):
    """A subscription was paused or resumed."""

    id: str
    paused: bool
    by: str
    at_ms: int = 0


class HookRemoved(msgspec.Struct, array_like=True, tag=3):
    """A subscription was deleted."""

    id: str
    by: str
    at_ms: int = 0


class SecretRotated(msgspec.Struct, array_like=True, tag=4):
    """A secret was rotated."""

    id: str
    by: str
    at_ms: int = 0


HookEvent = HookMade | HookPaused | HookRemoved | SecretRotated
"""Each is also the command that asks for it, without its time."""


class HookLaw(Law):
    """The law of webhooks. `hooks` is the latest known state by tenant and id, also while the store is unavailable."""

    kind = "webhooks"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[HookEvent])

    def __init__(self) -> None:
        self.hooks: dict[str, dict[str, Hook]] = {}

    def fresh(self, name: str) -> dict[str, Hook]:
        """No webhooks."""
        return {}

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """Pausing is idempotent; an id is used once."""
        stream.tenant = stream.name.removeprefix(PREFIX)
        state: dict[str, Hook] = stream.state
        hook = state.get(command.id)
        if isinstance(command, HookMade):
            if hook is not None:
                raise Conflict(f"webhook {command.id} exists", code="webhook_exists")
            if len(state) >= HOOKS_MAX:
                raise TooLarge(f"a tenant has at most {HOOKS_MAX} webhooks", hint="delete those that nobody reads")
        elif hook is None:
            raise NotFound(f"there is no webhook {command.id[:80]}", hint="aob webhook list")
        elif isinstance(command, HookPaused) and command.paused == hook.paused:
            return Verdict([], {})
        return Verdict([msgspec.structs.replace(command, at_ms=now_ms)], {})

    def fold(self, stream: Stream, events: list[HookEvent]) -> None:
        """Folds events."""
        state: dict[str, Hook] = stream.state
        for event in events:
            match event:
                case HookMade():
                    made = Hook(event.id, event.url, event.wants, event.since, event.description, event.at_ms)
                    state[event.id] = made
                case HookPaused():
                    state[event.id] = msgspec.structs.replace(state[event.id], paused=event.paused)
                case HookRemoved():
                    del state[event.id]
                case SecretRotated():
                    pass  # for the history; secrets are stored elsewhere

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """Only the row in the list of streams."""
        self.hooks[stream.name.removeprefix(PREFIX)] = stream.state
        return Changes(None, str(stream.seq))

    def head(self, stream: Stream) -> Head:
        """One row a tenant."""
        return Head(stream.name, "webhooks", stream.tenant, "webhooks", "active", "", 0, 0, stream.seq)
