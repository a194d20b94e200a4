"""One entity: changes in, whatever their order, its state now or at an instant out.

The newest `CHANGES_MAX` changes are kept as they are; older ones are kept merged, as the state they lead to.
"""

from bisect import insort
from typing import Final

import msgspec

from aob.core.metric.entity.change import Change, Stamp

CHANGES_MAX: Final = 32
"""Changes of one entity that are kept one by one; further back its history has to be read from the log."""
ENTITY_BYTES: Final = 500
CHANGE_BYTES: Final = 400
"""What an entity and a change take in memory, roughly."""
_NEVER: Final[Stamp] = (-(2**62), -1, 0)


class EntityState(msgspec.Struct, frozen=True):
    """What an entity is at an instant. `changed_at_ms` is when it came to be so; None when nothing is known of it."""

    type: str
    id: str
    exists: bool
    state: dict[str, object]
    changed_at_ms: int | None


class Entity(msgspec.Struct, array_like=True, gc=False):
    """`merged` are attributes with the stamp of their last write; `written` and `removed` the last time that anything
    was written and that the entity was removed, among the changes up to `merged_to`. `changes` are the later ones."""

    merged: dict[str, tuple[Stamp, object]] = {}
    written: Stamp = _NEVER
    removed: Stamp = _NEVER
    merged_to: Stamp = _NEVER
    changes: list[Change] = []

    def put(self, change: Change) -> None:
        """Take a change in where its stamp says."""
        if change.stamp <= self.merged_to:
            self._merge(change)
            return
        if not self.changes or self.changes[-1].stamp < change.stamp:
            self.changes.append(change)
        else:
            insort(self.changes, change, key=lambda each: each.stamp)
        if len(self.changes) > CHANGES_MAX:
            oldest = self.changes.pop(0)
            self.merged_to = oldest.stamp
            self._merge(oldest)

    def state(self, type: str, id: str, at_ms: int | None = None) -> EntityState | None:
        """What it is, or was at an instant; None when that lies further back than what is kept."""
        if at_ms is not None and at_ms < self.merged_to[0]:
            return None
        removed, written = self.removed, self.written
        values = {name: value for name, (_, value) in self.merged.items()}
        for change in self.changes:
            if at_ms is not None and change.stamp[0] > at_ms:
                break
            if change.removes:
                removed, values = change.stamp, {}
            else:
                written = change.stamp
                values.update(change.set)
        newest = max(removed, written)
        return EntityState(type, id, written > removed, values, None if newest == _NEVER else newest[0])

    @property
    def complete(self) -> bool:
        """Whether `changes` are all there ever were."""
        return self.merged_to == _NEVER

    def _merge(self, change: Change) -> None:
        stamp = change.stamp
        if change.removes:
            if stamp > self.removed:
                self.removed = stamp
                self.merged = {name: held for name, held in self.merged.items() if held[0] > stamp}
            return
        self.written = max(self.written, stamp)
        if stamp < self.removed:
            return
        for name, value in change.set.items():
            held = self.merged.get(name)
            if held is None or held[0] < stamp:
                self.merged[name] = (stamp, value)
