"""The law of workflows: which artifacts a name has, which tag names which. Streams `workflow/TENANT/NAME`."""

from typing import Any, Final

import msgspec

from aob.core.errors import Conflict, TooLarge
from aob.core.event.value import Cell
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.ports.store import Head

KEPT_TAG = "main"
OVERLAYS_MAX: Final = 100
OVERLAY_BYTES_MAX: Final = 256 * 1024
"""All overlays of a tag together: every run that starts under it carries them in its first record."""


class ArtifactPushed(msgspec.Struct, array_like=True, tag=1):
    """A version of a workflow; its document lies beside the record under its hash. `rules` is the rules number that
    it was accepted under: a document that is pushed again under newer rules is another version."""

    artifact: str
    version: str
    by: str
    at_ms: int
    document: str
    rules: int = 1
    key: str = ""


class TagMoved(msgspec.Struct, array_like=True, tag=2):
    """A tag names an artifact from now on, and the overlays that runs under it get. `id` and `digest` are there when a
    patch moved it: what makes that patch count once. `key` is the id of the key that did it."""

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


CatalogEvent = ArtifactPushed | TagMoved
_decoder = msgspec.json.Decoder(list[CatalogEvent])
_encode = msgspec.json.Encoder().encode


class Push(msgspec.Struct):
    """Store a document under its hash and let a tag name it."""

    artifact: str
    document: bytes
    digest: bytes
    tag: str
    by: str
    rules: int
    key: str = ""


class Overlay(msgspec.Struct):
    """Lets a tag carry one overlay more, made on `artifact` under `before`; later runs under the tag get it. Once an
    `id`, when it has one: `digest` is the hash of what was asked for."""

    tag: str
    artifact: str
    before: tuple[Cell, ...]
    operations: Cell
    by: str
    reason: str
    id: str = ""
    digest: str = ""
    key: str = ""


class Tag(msgspec.Struct):
    """Where a tag points. `authors` are the names and keys of those who wrote what it names: document and overlays."""

    artifact: str
    version: str
    rules: int
    overlay: tuple[Cell, ...] = ()
    authors: tuple[str, ...] = ()


class Workflow:
    """A workflow's artifacts by hash and rules number, its tags, and the patches of tags that came with an id."""

    def __init__(self, name: str) -> None:
        self.tenant, _, self.name = name.removeprefix("workflow/").partition("/")
        self.artifacts: dict[tuple[str, int], ArtifactPushed] = {}
        self.tags: dict[str, Tag] = {}
        self.patches: dict[str, TagMoved] = {}


def same_patch(state: Workflow, id: str, tag: str, digest: str) -> TagMoved | None:
    """What a patch of this id did; None when there is none. Raises Conflict when it asked for something else."""
    known = state.patches.get(id) if id else None
    if known is not None and (known.tag, known.digest) != (tag, digest):
        raise Conflict(f"{id} exists with other content", code="patch_exists", patch=id)
    return known


def _overlaid(state: Workflow, command: Overlay) -> list[CatalogEvent]:
    if same_patch(state, command.id, command.tag, command.digest):
        return []
    at = state.tags[command.tag]
    if at.artifact != command.artifact or list(map(bytes, at.overlay)) != list(map(bytes, command.before)):
        raise Conflict(f"the tag {command.tag} has moved meanwhile", code="tag_moved",
                       hint="look at the workflow again and write the patch against it")  # fmt: skip
    overlay = (*command.before, command.operations)
    if len(overlay) > OVERLAYS_MAX or sum(len(bytes(cell)) for cell in overlay) > OVERLAY_BYTES_MAX:
        raise TooLarge(
            f"a tag carries at most {OVERLAYS_MAX} patches of together {OVERLAY_BYTES_MAX:,} bytes",
            hint="push what they make as a version of its own: aob workflow show NAME --tag TAG",
        )
    version = f"{at.version.partition('.')[0]}.{len(overlay)}"
    return [
        TagMoved(
            command.tag,
            at.artifact,
            version,
            command.by,
            overlay,
            command.reason,
            command.id,
            command.digest,
            at.rules,
            command.key,
        )
    ]


def _authors(state: Workflow, moved: TagMoved) -> tuple[str, ...]:
    """Who wrote what a tag names from now on: whoever pushed the document, and whoever changed it since."""
    pushed = state.artifacts[(moved.artifact, moved.rules)]
    before = state.tags[moved.tag].authors if moved.overlay and moved.tag in state.tags else (pushed.by, pushed.key)
    return tuple(dict.fromkeys(name for name in (*before, moved.by, moved.key) if name))


class CatalogLaw(Law):
    """The law of workflows."""

    kind = "workflow"
    prefix = "workflow/"

    def fresh(self, name: str) -> Workflow:
        """A workflow without artifacts."""
        return Workflow(name)

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """A push of what is there already changes nothing."""
        state: Workflow = stream.state
        stream.tenant = state.tenant
        if isinstance(command, Overlay):
            return Verdict(_overlaid(state, command), {})
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
            events.append(TagMoved(command.tag, command.artifact, version, by, rules=command.rules, key=key))
        return Verdict(events, values)

    def fold(self, stream: Stream, events: list[CatalogEvent]) -> None:
        """Folds events."""
        state: Workflow = stream.state
        for event in events:
            if isinstance(event, ArtifactPushed):
                state.artifacts[(event.artifact, event.rules)] = event
            else:
                authors = _authors(state, event)
                state.tags[event.tag] = Tag(event.artifact, event.version, event.rules, event.overlay, authors)
                if event.id:
                    state.patches[event.id] = event

    def adopt(self, stream: Stream, context: Any) -> None:
        """Nothing is derived."""

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """Only the row that lists show: it changes with each event."""
        return Changes(None, str(stream.seq))

    def over(self, stream: Stream) -> bool:
        """A workflow has no end."""
        return False

    def head(self, stream: Stream) -> Head:
        """What lists show of a workflow."""
        state: Workflow = stream.state
        first = min((artifact.at_ms for artifact in state.artifacts.values()), default=0)
        return Head(stream.name, "workflow", state.tenant, state.name, "active", "", first, 0, stream.seq)

    def quarantine(self, stream: Stream, reason: str) -> list[Any]:
        """A workflow cannot be set aside."""
        return []

    def encode(self, events: list[Any]) -> bytes:
        """Events as one JSON list."""
        return _encode(events)

    def decode(self, data: bytes | msgspec.Raw) -> list[Any]:
        """Events of this or any older release."""
        return _decoder.decode(data)

    async def restore(self, stream: Stream) -> None:
        """Nothing is derived."""
        stream.tenant = stream.state.tenant
