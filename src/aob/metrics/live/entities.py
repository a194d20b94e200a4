"""Verbs of entities: their state now or at an event time, and its history. Memory has the state and the newest changes
of each; older ones are in the columnar copy of the log."""

from typing import Any, Final

from aob.core.answers import JsonObject
from aob.core.errors import Invalid, NotFound, Problem
from aob.core.instant import iso
from aob.core.metric_answers import EntityIds, EntityView
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import metric_verbs as verbs
from aob.metrics.live.live import Live
from aob.ports.serving import Question, Serving

HISTORY_MAX: Final = 1_000
IDS_MAX: Final = 1_000  # ids of one page


class EntityReads:
    """The verb `entity`."""

    def __init__(self, live: Live, serving: Serving) -> None:
        self._live, self._serving = live, serving

    @performs(verbs.ENTITY)
    async def entity(self, who: Caller, args: verbs.ReadEntity) -> EntityView:
        """The state of an entity."""
        type, id, as_of_ms = args.type, args.id, args.as_of_ms
        if args.min_position:
            await self._live.reach(args.min_position)
        entities = self._live.numbers(who.tenant).entities
        found = entities.state(type, id) if as_of_ms is None else entities.as_of(type, id, as_of_ms)
        if found is None:
            told = await self._serving.entity(who.tenant, type, id, as_of_ms=as_of_ms, rows_min=self._live.ends)
            view = _view(type, id, told, self._live)
        else:
            view = _view(type, id, {"state": found.state, "changed_at": found.changed_at_ms}, self._live)
            view["exists"] = found.exists
        if as_of_ms is not None:
            view["as_of"] = as_of_ms
        if args.history:
            view["history"] = await self._history(who, type, id, min(args.history, HISTORY_MAX), as_of_ms)
        return view

    @performs(verbs.ENTITIES)
    async def entity_ids(self, who: Caller, args: verbs.ListEntities) -> EntityIds:
        """A page of the ids of a type, by id. Raises NotFound `entity_not_found`."""
        type = args.type
        if args.min_position:
            await self._live.reach(args.min_position)
        views = await self._serving.views(who.tenant)
        view = next((view for view in views if (view.kind, view.of) == ("entity", type)), None)
        if view is None:
            raise NotFound(f"no contract speaks of an entity {type[:80]!r}", code="entity_not_found",
                           hint="GET /v1/entity lists the types")  # fmt: skip
        # The name is the view's own, quoted; the guard still checks it.
        sql = f'SELECT id FROM "{view.name}" WHERE id > ? ORDER BY id'  # noqa: S608
        limit = max(1, min(args.limit, IDS_MAX))
        table = await self._serving.query(
            Question(who.tenant, sql, [args.after], rows_max=limit, rows_min=self._live.ends)
        )
        ids = [str(row[0]) for row in table.rows]
        at = self._live.position(table.read_to)
        return {"type": type, "ids": ids, "next": ids[-1] if table.truncated else None, "position": at}

    async def of_batch(self, who: Caller, read: JsonObject) -> EntityView:
        """The state for a read of a batch, `{entity, id}`; at once if it is in memory."""
        type, id = read["entity"], read.get("id")
        if not (isinstance(type, str) and isinstance(id, str) and len(read) == 2):
            raise Invalid("this read is wrong", [Problem("", "an entity is read as {entity: type, id: id}")])
        return await self.entity(who, type, id)

    async def _history(self, who: Caller, type: str, id: str, limit: int, until_ms: int | None) -> list[JsonObject]:
        changes, complete = self._live.numbers(who.tenant).entities.history(type, id)
        if until_ms is not None:
            changes = [change for change in changes if change.stamp[0] <= until_ms]
        if complete or len(changes) >= limit:
            return [_change(change) for change in changes[:limit]]
        return await self._serving.history(
            who.tenant, type, id, until_ms=until_ms, limit=limit, rows_min=self._live.ends
        )


def _view(type: str, id: str, told: JsonObject | None, live: Live) -> EntityView:
    state = told or {"state": {}, "changed_at": None}
    return {
        "type": type, "id": id, "state": state["state"], "exists": told is not None,
        "changed_at": state["changed_at"], "position": live.position(),
    }  # fmt: skip


def _change(change: Any) -> JsonObject:
    at_ms, offset, _ = change.stamp
    return {"at": at_ms, "time": iso(at_ms), "number": offset, "event": change.type, "removed": change.removes,
            "changed": dict(change.set)}  # fmt: skip
