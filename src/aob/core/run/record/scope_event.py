"""Events of body passes and of graph moves, in the form of all events of a run."""

import msgspec

from aob.core.value import Cell


class _Event(msgspec.Struct, array_like=True, gc=False):
    pass


class ScopeOpened(_Event, tag=21):
    """One pass of a body begins."""

    path: str
    visit: str
    index: int
    item: Cell
    version: int
    ready: list[str] = []
    skipped: list[str] = []
    agents: int = 0


class ScopeClosed(_Event, tag=22):
    """One pass of a body has ended with its output, or with an error."""

    path: str
    visit: str
    index: int
    output: Cell
    failed: bool = False


class BodyOpened(_Event, tag=23):
    """A map or a loop begins; `items` is the list (or a blob of NDJSON), `count` its length. At most `window` passes of
    a map are open at a time; in old records it is 0, which means the highest number ever open."""

    visit: str
    kind: str
    items: Cell
    count: int
    window: int = 0


class PageClosed(_Event, tag=30):
    """A page of 1,000 results of a map is complete and stored in the CAS as a JSON list."""

    visit: str
    page: int
    ref: Cell


class ScopeMoved(_Event, tag=31):
    """A live body scope continues under a new version that changed its body; fields as in PatchApplied."""

    path: str
    version: int
    ready: list[str] = []
    skipped: list[str] = []
    reset: dict[str, tuple[int, int]] = {}
    undone: list[str] = []
    signalled_taken: list[str] = []
    signalled_skipped: list[str] = []


class NodeRefused(_Event, tag=32):
    """The current rules refuse a node that a patch added; it fails with this reason. `rules` is their version."""

    visit: str
    reason: str
    rules: str = ""
