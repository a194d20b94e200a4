"""Rebases a patch on the patches committed since its base document, or reports conflicts.

Never merges texts: disjoint changes are kept, overlapping ones are reported."""

from collections.abc import Sequence

import msgspec

from aob.core.graph.patch.operation import Operation, apply
from aob.core.graph.patch.pointer import Document
from aob.core.graph.patch.touch_set import overlap, touch


class Rebased(msgspec.Struct, frozen=True):
    """The operations to apply to `document`, which is the base with all of theirs; `result` is the document after
    them."""

    operations: tuple[Operation, ...]
    document: Document
    result: Document


class Clash(msgspec.Struct, frozen=True):
    """The conflicting patches (indexes into `theirs`), and the entries that both touch."""

    theirs: tuple[int, ...]
    entries: tuple[str, ...]


def rebase(base: Document, theirs: Sequence[Sequence[Operation]], mine: Sequence[Operation]) -> Rebased | Clash:
    """Rebase `mine`, written against `base`, on top of `theirs`. Both are RFC 6902 operations, each valid where
    written.

    Raises PatchError if `mine` does not apply to `base`, or one of theirs to the document before it."""
    own = touch(base, mine)
    document, in_the_way, entries = base, [], set[str]()
    for index, operations in enumerate(theirs):
        shared = overlap(own, touch(document, operations))
        if shared:
            in_the_way.append(index)
            entries |= shared
        document = apply(document, operations)
    if in_the_way:
        return Clash(tuple(in_the_way), tuple(sorted(entries)))
    return Rebased(tuple(mine), document, apply(document, mine))
