"""The law of workflows: the artifacts of a name and the targets of its tags. Streams `workflow/TENANT/NAME`."""

from collections import deque
from typing import Any, Final

import msgspec

from aob.core.errors import Conflict, Invalid, Problem, TooLarge
from aob.core.event import derived_id
from aob.core.policy import Caller
from aob.core.rights import require_decider
from aob.core.run.state import Ticket
from aob.core.value import Cell, Ref, digest_of, inline
from aob.journal import Law, Stream, Verdict
from aob.ports.store import Head

OVERLAYS_MAX: Final = 100
OPEN_MAX: Final = 100  # patches of a workflow's tags that may wait for a person at a time
MOVES_MAX: Final = 1_000  # newest moves of a workflow's tags that are reported
OVERLAY_BYTES_MAX: Final = 256 * 1024
"""All overlays of a tag together: every run under it carries them in its first record."""


class ArtifactPushed(msgspec.Struct, array_like=True, tag=1):
    """A version of a workflow; its document is stored by hash outside the record. `rules` is the rules number that
    accepted it: the same document pushed under newer rules is another version."""

    artifact: str
    version: str
    by: str
    at_ms: int
    document: str
    rules: int = 1
    key: str = ""


class TagMoved(msgspec.Struct, array_like=True, tag=2):
    """A tag names an artifact and its overlays from now on. `id` and `digest` make a patch count once; `key` is the id
    of the acting key; `at_ms` is 0 in records of old releases."""

    tag: str
    artifact: str
    version: str
    by: str
    overlay: tuple[Cell, ...] = ()
    reason: str = ""
    id: str = ""
    digest: str = ""
    rules: int = 1
    key: str = ""
    at_ms: int = 0


class OverlayProposed(msgspec.Struct, array_like=True, tag=3):
    """A patch of a tag waits for a person under a ticket. `shown` is its diff, `policy` the version of the rules that
    judged it; `roles` and `barred` are those of the approvals concerned."""

    ticket: str
    tag: str
    artifact: str
    before: tuple[Cell, ...]
    operations: Cell
    by: str
    text: str
    shown: Cell
    reason: str = ""
    id: str = ""
    digest: str = ""
    key: str = ""
    roles: list[str] = []
    barred: list[str] = []
    policy: str = ""


class OverlayDecided(msgspec.Struct, array_like=True, tag=4):
    """A person has decided on the patch of a tag; an approval is followed by a TagMoved."""

    ticket: str
    choice: str
    by: str
    reason: str = ""
    key: str = ""


CatalogEvent = ArtifactPushed | TagMoved | OverlayProposed | OverlayDecided


class Push(msgspec.Struct):
    """Store a document under its hash and move a tag to it."""

    artifact: str
    document: bytes
    digest: bytes
    tag: str
    by: str
    rules: int
    key: str = ""


class Overlay(msgspec.Struct):
    """Add an overlay to a tag, made on `artifact` with the overlays `before`; later runs under the tag get it. Applied
    once per `id`; `digest` is the hash of the request."""

    tag: str
    artifact: str
    before: tuple[Cell, ...]
    operations: Cell
    by: str
    reason: str
    id: str = ""
    digest: str = ""
    key: str = ""


class Ask(msgspec.Struct):
    """Open a ticket for an overlay: its text and diff, and who may decide it."""

    overlay: Overlay
    text: str
    shown: bytes
    roles: tuple[str, ...]
    barred: tuple[str, ...]
    policy: str


class Decide(msgspec.Struct):
    """A person's decision on the overlay of a ticket; `policy` is the version of the current rules."""

    ticket: str
    choice: str
    who: Caller
    reason: str
    policy: str


class Deed(msgspec.Struct, frozen=True):
    """Who moved a tag (name and key id), and why."""

    by: str
    key: str = ""
    reason: str = ""


class Move(msgspec.Struct, frozen=True):
    """A tag moved to a version."""

    tag: str
    version: str
    by: str
    at_ms: int


class Tag(msgspec.Struct):
    """The target of a tag. `authors` are names and keys of the authors of document and overlays; `deeds` are who moved
    the tag to the artifact, then who added each overlay."""

    artifact: str
    version: str
    rules: int
    overlay: tuple[Cell, ...] = ()
    authors: tuple[str, ...] = ()
    deeds: tuple[Deed, ...] = ()


class Workflow:
    """A workflow's artifacts by hash and rules number, its tags, and the patches of tags by id."""

    def __init__(self, name: str) -> None:
        self.tenant, _, self.name = name.removeprefix("workflow/").partition("/")
        self.artifacts: dict[tuple[str, int], ArtifactPushed] = {}
        self.tags: dict[str, Tag] = {}
        self.patches: dict[str, TagMoved] = {}
        self.tickets: dict[str, Ticket] = {}
        self.asked: dict[str, OverlayProposed] = {}
        self.moves: deque[Move] = deque(maxlen=MOVES_MAX)

    def barred(self, ticket: Ticket) -> dict[str, set[str]]:
        """The names and key ids that a ticket bars, by reason."""
        asked = self.asked[ticket.id]
        found = {"proposer": {asked.key} - {""}}
        if "author" in ticket.barred:
            found["author"] = {*self.tags[asked.tag].authors, asked.by, asked.key} - {""}
        return found


def same_patch(state: Workflow, id: str, tag: str, digest: str) -> TagMoved | None:
    """The result of the patch with this id; None if there is none. Raises Conflict if it had other content."""
    known = state.patches.get(id) if id else None
    if known is not None and (known.tag, known.digest) != (tag, digest):
        raise Conflict(f"{id} exists with other content", code="patch_exists", patch=id)
    return known


def _overlaid(state: Workflow, command: Overlay, now_ms: int = 0) -> list[CatalogEvent]:
    if same_patch(state, command.id, command.tag, command.digest):
        return []
    at = state.tags[command.tag]
    if at.artifact != command.artifact or list(map(bytes, at.overlay)) != list(map(bytes, command.before)):
        raise Conflict(f"the tag {command.tag} has moved meanwhile", code="tag_moved",
                       hint="look at the workflow again and write the patch against it")  # fmt: skip
    overlay = (*command.before, command.operations)
    if len(overlay) > OVERLAYS_MAX or sum(len(bytes(cell)) for cell in overlay) > OVERLAY_BYTES_MAX:
        why = f"a tag carries at most {OVERLAYS_MAX} patches of together {OVERLAY_BYTES_MAX:,} bytes"
        raise TooLarge(why, hint="push what they make as a version of its own: aob workflow show NAME --tag TAG")
    version = f"{at.version.partition('.')[0]}.{len(overlay)}"
    return [
        TagMoved(
            command.tag, at.artifact, version, command.by, overlay, command.reason, command.id, command.digest,
            at.rules, command.key, now_ms,
        )
    ]  # fmt: skip


def _asked(state: Workflow, command: Ask) -> tuple[list[CatalogEvent], dict[bytes, bytes]]:
    """The ticket of a patch; reuses an existing ticket for the same patch."""
    mine = command.overlay
    for known in state.asked.values():
        if mine.id and known.id == mine.id and (known.tag, known.digest) != (mine.tag, mine.digest):
            raise Conflict(f"{mine.id} exists with other content", code="patch_exists", patch=mine.id)
    ticket = ticket_of(state, mine)
    if ticket in state.tickets:
        return [], {}
    _overlaid(state, mine)
    if sum(not each.answer for each in state.tickets.values()) >= OPEN_MAX:
        raise TooLarge(f"{OPEN_MAX} patches of {state.name} wait for a person",
                       hint="decide those first: aob approve lists them")  # fmt: skip
    digest = digest_of(command.shown)
    held = {} if inline(command.shown) else {digest: command.shown}
    shown = Ref(digest, len(command.shown)).cell() if held else Cell(command.shown)
    event = OverlayProposed(
        ticket, mine.tag, mine.artifact, mine.before, mine.operations, mine.by, command.text, shown, mine.reason,
        mine.id, mine.digest, mine.key, list(command.roles), list(command.barred), command.policy,
    )  # fmt: skip
    return [event], held


def ticket_of(state: Workflow, overlay: Overlay) -> str:
    """The id of the ticket of a patch; a rejected patch may be proposed again."""
    base = [overlay.artifact, *(digest_of(bytes(cell)).hex() for cell in overlay.before)]
    parts = ("ticket", state.tenant, state.name, overlay.tag, overlay.id, overlay.digest, *base)
    count = 0
    while (found := derived_id(*parts, count)) in state.tickets and state.tickets[found].answer == "reject":
        count += 1
    return found


def _decided(state: Workflow, command: Decide, now_ms: int) -> list[CatalogEvent]:
    ticket, asked, who = state.tickets[command.ticket], state.asked[command.ticket], command.who
    if ticket.answer:
        if ticket.answer == command.choice and ticket.by == who.name:
            return []
        raise Conflict(f"{ticket.id} is already decided: {ticket.answer} by {ticket.by}", code="ticket_closed",
                       choice=ticket.answer, by=ticket.by)  # fmt: skip
    if command.choice not in ticket.choices:
        raise Invalid(f"{command.choice!r} is not a choice of {ticket.id}",
                      [Problem("/choice", f"choose one of {', '.join(ticket.choices)}", "unknown_choice")])  # fmt: skip
    require_decider(who, ticket.id, ticket.needed, state.barred(ticket))
    events: list[CatalogEvent] = [OverlayDecided(ticket.id, command.choice, who.name, command.reason, who.id)]
    if command.choice == "approve":
        if asked.policy != command.policy:
            raise Conflict("the rules of the home have changed since this patch was shown", code="rules_changed",
                           hint="reject it and propose it again, so that it is judged by the rules of now")  # fmt: skip
        overlay = Overlay(asked.tag, asked.artifact, asked.before, asked.operations, asked.by, asked.reason, asked.id,
                          asked.digest, asked.key)  # fmt: skip
        events += _overlaid(state, overlay, now_ms)
    return events


def _authors(state: Workflow, moved: TagMoved) -> tuple[str, ...]:
    """The authors of a tag's new target: of the document and of later changes."""
    pushed = state.artifacts[(moved.artifact, moved.rules)]
    before = state.tags[moved.tag].authors if moved.overlay and moved.tag in state.tags else (pushed.by, pushed.key)
    return tuple(dict.fromkeys(name for name in (*before, moved.by, moved.key) if name))


def _deeds(state: Workflow, moved: TagMoved) -> tuple[Deed, ...]:
    before = state.tags[moved.tag].deeds if moved.overlay and moved.tag in state.tags else ()
    return (*before, Deed(moved.by, moved.key, moved.reason))


class CatalogLaw(Law):
    """The law of workflows."""

    kind = "workflow"
    prefix = "workflow/"
    decoder = msgspec.json.Decoder(list[CatalogEvent])

    def __init__(self) -> None:
        self.held: dict[str, str] = {}  # the stream of each ticket
        self.of: dict[str, dict[str, None]] = {}  # the streams of each tenant

    def fresh(self, name: str) -> Workflow:
        return Workflow(name)

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """Pushing an existing artifact changes nothing."""
        state: Workflow = stream.state
        stream.tenant = state.tenant
        if isinstance(command, Overlay):
            return Verdict(_overlaid(state, command, now_ms), {})
        if isinstance(command, Ask):
            return Verdict(*_asked(state, command))
        if isinstance(command, Decide):
            return Verdict(_decided(state, command, now_ms), {})
        events: list[CatalogEvent] = []
        known = state.artifacts.get((command.artifact, command.rules))
        version = known.version if known else f"v{len(state.artifacts) + 1}.0"
        values: dict[bytes, bytes] = {}
        if known is None:
            pushed = ArtifactPushed(command.artifact, version, command.by, now_ms, command.digest.hex(), command.rules)
            pushed.key = command.key
            events.append(pushed)
            values[command.digest] = command.document
        tag = state.tags.get(command.tag)
        if tag is None or (tag.artifact, tag.rules) != (command.artifact, command.rules) or tag.overlay:
            by, key = command.by, command.key
            rules = command.rules
            events.append(TagMoved(command.tag, command.artifact, version, by, rules=rules, key=key, at_ms=now_ms))
        return Verdict(events, values)

    def fold(self, stream: Stream, events: list[CatalogEvent]) -> None:
        state: Workflow = stream.state
        self.of.setdefault(state.tenant, {})[stream.name] = None
        for event in events:
            if isinstance(event, ArtifactPushed):
                state.artifacts[(event.artifact, event.rules)] = event
            elif isinstance(event, OverlayProposed):
                self.held[event.ticket] = stream.name
                state.asked[event.ticket] = event
                state.tickets[event.ticket] = Ticket(
                    event.ticket, "", "patch", "approve", event.text, ["approve", "reject"], {}, event.shown, 0, "", "",
                    roles=event.roles, barred=event.barred,
                )  # fmt: skip
            elif isinstance(event, OverlayDecided):
                ticket = state.tickets[event.ticket]
                ticket.answer, ticket.by, ticket.reason = event.choice, event.by, event.reason
            else:
                authors, deeds = _authors(state, event), _deeds(state, event)
                state.tags[event.tag] = Tag(event.artifact, event.version, event.rules, event.overlay, authors, deeds)
                if event.id:
                    state.patches[event.id] = event
                if event.at_ms:
                    state.moves.append(Move(event.tag, event.version, event.by, event.at_ms))

    def head(self, stream: Stream) -> Head:
        state: Workflow = stream.state
        first = min((artifact.at_ms for artifact in state.artifacts.values()), default=0)
        return Head(stream.name, "workflow", state.tenant, state.name, "active", "", first, 0, stream.seq)

    async def restore(self, stream: Stream) -> None:
        stream.tenant = stream.state.tenant
