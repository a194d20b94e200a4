"""Metrics and entities: read, read many at one position, explain why a number moved; alerts: silence; contracts: push
and check. Answers are typed."""

from collections.abc import Iterable, Mapping

from aob.client.async_wire import AsyncWire
from aob.client.request import Instant, dimensions, instant, names, part
from aob.core.answers import JsonObject
from aob.core.metric_answers import Changelog, ContractsPushed, EntityView, MetricAnswer, Pushes


class Metrics(AsyncWire):
    """Calls about metrics, entities, alerts and contracts. Instants are ms since 1970, RFC 3339, or a `datetime`."""

    async def metric(
        self,
        metric: str,
        *,
        window: str = "",
        since: Instant = None,
        until: Instant = None,
        step: str = "",
        by: Iterable[str] = (),
        where: Mapping[str, str] | None = None,
        as_of: Instant = None,
        known_at: Instant = None,
        min_position: str = "",
        compare: str = "",
        version: int = 0,
        limit: int = 1_000,
    ) -> MetricAnswer:
        """One number, by dimensions, or as a series."""
        query = {
            "window": window or None, "since": instant(since), "until": instant(until), "step": step or None,
            "by": names(by), "where": dimensions(where), "as_of": instant(as_of), "known_at": instant(known_at),
            "min_position": min_position or None, "compare": compare or None, "version": version or None,
            "limit": limit,
        }  # fmt: skip
        found: MetricAnswer = await self._call("GET", f"/v1/metrics/{part(metric)}", query=query)
        return found

    async def batch(self, reads: Iterable[Mapping[str, object]]) -> JsonObject:
        """Many reads at one position: `{position, answers}`. A read has the fields of a metric query (`metric`,
        `window`, `by`, `where`, `since_ms` …), or is `{entity, id}`."""
        found: JsonObject = await self._call("POST", "/v1/batch", body={"reads": [dict(read) for read in reads]})
        return found

    async def entity(
        self, type: str, id: str, *, as_of: Instant = None, history: int = 0, min_position: str = ""
    ) -> EntityView:
        """The state of an entity, now or as of an event time."""
        query = {"as_of": instant(as_of), "history": history, "min_position": min_position or None}
        found: EntityView = await self._call("GET", f"/v1/entity/{part(type)}/{part(id)}", query=query)
        return found

    async def pushes(self, *, since: Instant = None, until: Instant = None, limit: int = 100) -> Pushes:
        """Pushes (contracts, workflows) with author and time: in the last day, or between two instants."""
        query = {"from": instant(since), "to": instant(until), "limit": limit}
        found: Pushes = await self._call("GET", "/v1/changelog", query=query)
        return found

    async def changelog(
        self,
        metric: str,
        *,
        since: Instant = None,
        until: Instant = None,
        where: Mapping[str, str] | None = None,
        window: str = "",
        limit: int = 100,
    ) -> Changelog:
        """Why a number moved: in the last hour, or between two instants, over one window of it."""
        query = {"metric": metric, "from": instant(since), "to": instant(until), "where": dimensions(where)}
        more = {"window": window or None, "limit": limit}
        found: Changelog = await self._call("GET", "/v1/changelog", query={**query, **more})
        return found

    async def silence_alert(
        self, name: str, *, until: Instant = None, for_: str | None = None, reason: str = ""
    ) -> JsonObject:
        """Silence it until an instant (0: end the silence), for a duration, or for an hour."""
        body = {"until": instant(until), "for": for_, "reason": reason}
        found: JsonObject = await self._call("POST", f"/v1/alerts/{part(name)}/silence", body=body)
        return found

    async def push_contracts(
        self, files: Mapping[str, str], *, dry_run: bool = False, allow_breaking: bool = False
    ) -> ContractsPushed:
        """Push contracts. Raises Invalid with every problem, Conflict `breaking_change` unless allowed."""
        query = {"dry_run": dry_run, "allow_breaking": allow_breaking}
        found: ContractsPushed = await self._call("PUT", "/v1/contracts", query=query, body={"files": dict(files)})
        return found

    async def check_contracts(self, files: Mapping[str, str]) -> JsonObject:
        """Check contracts without pushing them: `{valid, problems, new?, warnings?}`."""
        found: JsonObject = await self._call("POST", "/v1/contracts:check", body={"files": dict(files)})
        return found
