"""What the server asks of the engine: one verb a route. The engine has them; the server never looks behind them.

Every verb raises errors of the AobError tree only. `who` is always an authenticated caller.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from aob.core.answers import JsonObject, JsonValue, Pruned
from aob.core.errors import Problem
from aob.core.policy import Caller


class WorkflowVerbs(Protocol):
    """Verbs of workflows and their versions."""

    async def push(
        self, who: Caller, document: JsonObject | bytes, *, tag: str = "main", name: str | None = None
    ) -> JsonObject:
        """Check, store and tag a document (JSON or YAML bytes)."""

    async def validate(self, document: JsonObject | bytes) -> Sequence[Problem]:
        """Every problem of a document at once; pure, so not async."""

    async def workflows(self, who: Caller) -> Sequence[JsonObject]:
        """All workflows of the tenant."""

    async def workflow(self, who: Caller, name: str, tag: str = "main") -> JsonObject:
        """One version, by tag or artifact."""

    async def diff(self, who: Caller, name: str, a: str, b: str) -> JsonObject:
        """What changed from `a` to `b` (tags or artifacts)."""

    async def patch_tag(
        self,
        who: Caller,
        name: str,
        tag: str,
        operations: list[JsonObject],
        reason: str = "",
        *,
        base: str = "",
        kind: str = "person",
        id: str = "",
    ) -> JsonObject:
        """Put an overlay on a tag, once an id: runs that start later under the tag get it."""


class RunVerbs(Protocol):
    """Verbs of runs."""

    async def start(
        self,
        who: Caller,
        workflow: str | None,
        inputs: JsonValue,
        *,
        tag: str = "main",
        key: str | None = None,
        mode: str | None = None,
        priority: str | None = None,
        labels: Mapping[str, str] | None = None,
        run_id: str | None = None,
    ) -> JsonObject:
        """Start a run, once a key; answered after its commit."""

    async def start_many(self, who: Caller, items: list[JsonObject]) -> Sequence[JsonObject]:
        """Start many in few commits: a verdict each, in order."""

    async def runs(
        self,
        who: Caller,
        *,
        status: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> JsonObject:
        """A page of runs, newest first."""

    async def run(self, who: Caller, run_id: str, *, min_position: str | None = None) -> JsonObject:
        """A whole run, at least as fresh as `min_position`."""

    async def wait(self, who: Caller, run_id: str, within_ms: int) -> JsonObject:
        """The run as soon as it has ended, or as it stands after `within_ms`."""

    async def timeline(
        self, who: Caller, run_id: str, *, after: int = -1, limit: int = 1 << 62
    ) -> Sequence[JsonObject]:
        """Events of a run with a greater `seq` than `after`, by `seq`, at most `limit`."""

    async def cancel(self, who: Caller, run_id: str, *, reason: str = "", command: str | None = None) -> JsonObject:
        """Cancel a run, once a command id."""

    async def release(self, who: Caller, run_id: str) -> JsonObject:
        """Let a run that was set aside go on."""

    async def prune(
        self,
        who: Caller,
        before_ms: int,
        *,
        workflow: str | None = None,
        status: str | None = None,
        reason: str = "",
        dry_run: bool = False,
        cursor: str | None = None,
    ) -> Pruned:
        """One step of removing runs that ended before an instant."""

    async def why(self, who: Caller, run_id: str) -> JsonObject:
        """What the run waits for, in one sentence."""

    async def message(
        self, who: Caller, run_id: str, name: str, *, key: str = "", payload: JsonValue = None, id: str | None = None
    ) -> JsonObject:
        """Hand a message to a run that waits for it, or will."""

    async def replay(
        self,
        who: Caller,
        run_id: str,
        *,
        from_node: str,
        mode: str = "freeze",
        patches: JsonValue = None,
        assume: dict[str, JsonValue] | None = None,
    ) -> JsonObject:
        """Run again in a shadow from a node; nothing outside is touched."""

    async def fork(
        self,
        who: Caller,
        run_id: str,
        *,
        from_node: str,
        patches: JsonValue = None,
        assume: dict[str, JsonValue] | None = None,
    ) -> JsonObject:
        """A new run that copies what came before a node, and does not depend on what it changes."""


class PatchVerbs(Protocol):
    """Verbs of patches."""

    async def propose(self, who: Caller, run_id: str, body: JsonObject) -> JsonObject:
        """Propose a patch: applied, proposed for a person, or invalid with its problems."""

    async def patches(self, who: Caller, run_id: str) -> Sequence[JsonObject]:
        """The patches of a run, in order."""

    async def patch(self, who: Caller, patch_id: str) -> JsonObject:
        """A whole patch with its diff."""

    async def approve_patch(self, who: Caller, patch_id: str, *, reason: str = "") -> JsonObject:
        """Approve the diff that was shown."""

    async def reject_patch(self, who: Caller, patch_id: str, *, reason: str = "") -> JsonObject:
        """Reject it."""

    async def rollback(self, who: Caller, patch_id: str, *, cascade: bool = False) -> JsonObject:
        """Apply the stored inverse as a new patch."""


class PeopleVerbs(Protocol):
    """Verbs of tickets, blobs, keys and health."""

    async def tickets(
        self,
        who: Caller,
        *,
        open: bool = True,
        role: str | None = None,
        run_id: str | None = None,
        limit: int = 1 << 16,
        after: str = "",
    ) -> Sequence[JsonObject]:
        """Tickets, the soonest deadline first; at most `limit` after a place (`DUE.TICKET`, of a page before)."""

    async def ticket(self, who: Caller, ticket_id: str) -> JsonObject:
        """One ticket with its form and its input."""

    async def answer(
        self,
        who: Caller,
        ticket_id: str,
        choice: str,
        *,
        reason: str = "",
        values: dict[str, JsonValue] | None = None,
        command: str | None = None,
    ) -> JsonObject:
        """Decide a ticket, once."""

    async def deciding(self, who: Caller, ticket_id: str) -> JsonObject:
        """A ticket that `who` may decide: has its roles, and is not barred. Raises Refused."""

    async def blob(self, who: Caller, hash: str) -> bytes:
        """The bytes of a blob of the tenant."""

    async def items(self, who: Caller, cursor: str) -> JsonObject:
        """A page of the items of a map."""

    async def create_key(self, who: Caller, name: str, roles: tuple[str, ...], tenant: str | None = None) -> JsonObject:
        """A new key; its secret is in the answer and nowhere else."""

    async def list_keys(self, who: Caller) -> Sequence[JsonObject]:
        """All keys of the tenant, without secrets."""

    async def revoke_key(self, who: Caller, key_id: str) -> JsonObject | None:
        """The key opens nothing from now on."""

    def authenticate(self, secret: str) -> Caller | None:
        """Whose key this is, compared in constant time; from memory, so not async."""

    def holder(self, key_id: str) -> Caller | None:
        """Whose key this is, by its id; None once it is revoked. From memory, so not async."""

    async def health(self) -> JsonObject:
        """How the parts are: `status` is `ok` when all of them are."""


class FeedVerbs(Protocol):
    """Verbs that go on: what they give is asked for one by one, and they must stop when no one asks."""

    def logs(self, who: Caller, run_id: str, *, node: str | None = None, follow: bool = False) -> AsyncIterator[str]:
        """Lines of the handlers' logs, each one JSON object."""

    def follow(
        self,
        who: Caller,
        *,
        run_id: str | None = None,
        position: str | None = None,
        types: frozenset[str] | None = None,
        place: bool = False,
    ) -> AsyncIterator[tuple[str, str, JsonObject]]:
        """Events after a position: (position token, event name, event); with `place` and without a position an item
        without a name comes first and says where the feed of all runs begins. Ends after the last event of an ended
        run. What is refused (an unknown run, a position that is none of ours) raises on the first step."""


class Verbs(WorkflowVerbs, RunVerbs, PatchVerbs, PeopleVerbs, FeedVerbs, Protocol):
    """All that the server asks of the engine."""
