"""Answers queries from memory where tiles suffice, else by a scan of the log. A read from memory never waits for a
scan, which runs in a thread."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError, CallerError, Invalid, NotFound, Problem, TooLarge, Unavailable
from aob.core.metric import NeedsScan, Reading
from aob.core.metric_answers import EntityView, MetricAnswer, MetricInfo
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.problem import problem_of
from aob.core.value import canonical, decode, digest_of
from aob.core.verb import NoArgs, performs
from aob.core.verbs import metric_verbs as verbs
from aob.metrics.contracts import metric_unknown
from aob.metrics.live.live import Live
from aob.metrics.live.scanning import Scans
from aob.metrics.live.tenant import Numbers
from aob.ports.cache import Cache

BATCH_MAX: Final = 200  # reads of one batch
CACHE_MS: Final = 60_000


class Answers:
    """The verbs that read numbers."""

    def __init__(self, live: Live, cache: Cache | None = None) -> None:
        self.live, self._cache, self.scans = live, cache, Scans(live)
        self.on_read: Callable[[str, str, bool], None] = lambda tenant, metric, good: None
        """Called after each read with its success."""
        self.read_entity: Callable[[Caller, JsonObject], Awaitable[EntityView]]
        """Reads the entity named by a read of a batch."""

    @performs(verbs.LIST)
    async def metrics(self, who: Caller, args: NoArgs) -> list[MetricInfo]:
        """All metrics of the tenant, the platform's own included."""
        known = self.live.contracts.of(who.tenant)
        numbers = self.live.numbers(who.tenant)
        unmoved = numbers.unmoved()
        return [info(known, name, name in numbers.filling, unmoved.get(name, 0)) for name in sorted(known.metrics)]

    @performs(verbs.READ)
    async def metric(self, who: Caller, args: verbs.ReadMetric) -> MetricAnswer:
        """One number."""
        return await self.read_metric(who.tenant, args.query)  # type: ignore[return-value]  # an answer is plain JSON

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        """One number of a tenant. Raises NotFound `metric_not_found`, Invalid, TooLarge `scan_too_large`."""
        known = self._known(tenant, query)
        try:
            answer = await self._told(tenant, query, known)
        except CallerError:
            raise  # the question was wrong: the number was available
        except AobError:
            self.on_read(tenant, query.metric, False)
            raise
        self.on_read(tenant, query.metric, True)
        return answer

    async def _told(self, tenant: str, query: MetricQuery, known: ContractSet) -> JsonObject:
        if query.min_position:
            await self._reach(tenant, query)
        if _is_live(query, known):
            with suppress(NeedsScan):
                return await self._cached(tenant, query)
        return await self._scan(tenant, query, known, self.live.ends)

    async def _reach(self, tenant: str, query: MetricQuery) -> None:
        """Waits until a position is folded, and restatements caused by it are done."""
        await self.live.reach(query.min_position)
        if self.live.numbers(tenant).fold.waits(query.metric):
            await self.live.restating.settled(tenant, query.metric)

    async def _cached(self, tenant: str, query: MetricQuery) -> JsonObject:
        """The answer from the cache while the metric has not moved and its window has no new edge."""
        numbers = self.live.numbers(tenant)
        if self._cache is None or query.metric in numbers.filling:
            return self.read_now(tenant, query)
        numbers.settle()  # the key contains the metric's last move
        position = self.live.position()
        asked = msgspec.structs.replace(query, min_position="")
        key = digest_of(
            canonical([asked, numbers.moves.get(query.metric, 0), numbers.filled_by, self.live.born_ms])
        ).hex()
        try:
            found = await self._cache.get(tenant, key)
        except Unavailable:
            return self.read_now(tenant, query) | {"cache": "unavailable"}
        now_ms = self.live.now_ms()
        if found is not None:
            answer: JsonObject = decode(found)
            newest_at = answer.pop("newest_at")
            if answer["valid_until"] is None or answer["valid_until"] > now_ms:
                age = None if newest_at is None else max(0, now_ms - newest_at)
                return answer | {"position": position, "freshness_ms": age, "cached": True}
        answer = self.read_now(tenant, query)
        until = answer["valid_until"]
        ttl_ms = CACHE_MS if until is None else min(CACHE_MS, until - now_ms)
        if ttl_ms > 0:
            fresh = answer["freshness_ms"]
            kept = canonical(answer | {"newest_at": None if fresh is None else now_ms - fresh})
            with suppress(Unavailable):
                await self._cache.put(tenant, key, kept, ttl_ms=ttl_ms)
        return answer

    def read_now(self, tenant: str, query: MetricQuery) -> JsonObject:
        """One number from memory, at once. Raises NeedsScan if memory does not suffice."""
        numbers = self.live.numbers(tenant)
        known = self._known(tenant, query)
        if query.metric in numbers.filling:
            share = numbers.filling[query.metric]
            why = f"{query.metric} is being filled from the log: {share:.0%} done"
            raise NotFound(why, code="metric_filling", hint="ask again in a moment", filling=share)
        now_ms = self.live.now_ms()
        reading = numbers.fold_of(query.metric).read(query, now_ms)
        return self._answer(numbers, known, query, reading, now_ms, "live")

    @performs(verbs.BATCH)
    async def batch(self, who: Caller, args: verbs.ReadMany) -> JsonObject:
        """Many reads at one position: nothing is folded between those answered from memory."""
        reads = args.reads
        if len(reads) > BATCH_MAX:
            raise TooLarge(f"{len(reads)} reads in one batch, at most {BATCH_MAX} are taken")
        asked = [_parsed(number, read) for number, read in enumerate(reads)]
        for number, query in enumerate(asked):
            if isinstance(query, MetricQuery) and query.min_position:
                try:
                    await self._reach(who.tenant, query)
                except AobError as error:
                    asked[number] = {"error": problem_of(error)}
        # No await until all reads from memory are done; scans read up to this row.
        position, answers, scans = self.live.position(), list[JsonObject](), list[tuple[int, MetricQuery]]()
        for number, query in enumerate(asked):
            try:
                if not isinstance(query, MetricQuery):
                    answers.append(query or dict(await self.read_entity(who, reads[number])))
                elif _is_live(query, self._known(who.tenant, query)):
                    answers.append(self.read_now(who.tenant, query))
                else:
                    raise NeedsScan
            except NeedsScan:
                assert isinstance(query, MetricQuery)
                answers.append({})
                scans.append((number, query))
            except AobError as error:
                answers.append({"error": problem_of(error)})
        platform = self.live.numbers(who.tenant).platform_contracts.metrics
        together = frozenset(query.metric for _, query in scans if not query.version).difference(platform)
        ends = self.live.ends
        for number, query in scans:
            mates = frozenset[str]() if query.version else together
            try:
                answers[number] = await self._scan(who.tenant, query, self._known(who.tenant, query), ends, mates)
            except AobError as error:
                answers[number] = {"error": problem_of(error)}
        return {"position": position, "answers": answers}

    # -- inside ---------------------------------------------------------------------------------------------------

    def _known(self, tenant: str, query: MetricQuery) -> ContractSet:
        known = self.live.contracts.of(tenant)
        versions = known.metrics.get(query.metric)
        if not versions:
            raise metric_unknown(query.metric, known)
        if query.version and query.version not in versions:
            listed = ", ".join(map(str, sorted(versions)))
            raise NotFound(f"{query.metric} has no version {query.version}", code="metric_not_found",
                           hint=f"versions: {listed}")  # fmt: skip
        return known

    def _answer(
        self, numbers: Numbers, known: ContractSet, query: MetricQuery, reading: Reading, now_ms: int, path: str
    ) -> JsonObject:
        contract = known.metrics[query.metric][query.version or max(known.metrics[query.metric])]
        newest_at = reading.newest_at_ms
        answer: JsonObject = {
            "metric": query.metric, "version": contract.version, "type": contract.type, "unit": contract.unit,
            "window": {"name": reading.window, "kind": reading.kind, "since": reading.since_ms,
                       "until": reading.until_ms},
            "value": reading.value, "position": self.live.position(),
            "valid_until": reading.valid_until_ms, "watermark": reading.watermark_ms,
            "freshness_ms": None if newest_at is None else max(0, now_ms - newest_at),
            "complete": reading.complete, "exact": reading.exact, "restated": reading.restated, "path": path,
            "cached": False, "contract": f"{query.metric}@{contract.version}",
        }  # fmt: skip
        if reading.rows is not None:
            answer["rows"] = reading.rows
        more = {
            "error": 0.0 if reading.exact else reading.error, "missed": reading.missed, "restating": reading.restating,
            "previous": reading.previous, "overflow": reading.overflow, "overflowed": reading.overflowed,
            "unmoved": reading.unmoved, "truncated": reading.truncated,
        }  # fmt: skip
        return answer | {name: value for name, value in more.items() if value}

    async def _scan(
        self,
        tenant: str,
        query: MetricQuery,
        known: ContractSet,
        last: tuple[int, ...],
        together: frozenset[str] = frozenset(),
    ) -> JsonObject:
        """The answer from the log up to a row; one pass serves all metrics in `together`."""
        live, numbers = self.live, self.live.numbers(tenant)
        if query.metric in numbers.platform_contracts.metrics:
            raise Invalid(
                f"{query.metric} is the platform's own: it is told from memory only",
                [Problem("/known_at", "is not kept for it", "not_kept", hint="leave known_at out, ask for less time")],
            )
        now_ms, until = live.now_ms(), last
        if query.known_at_ms is not None:
            now_ms = min(now_ms, query.known_at_ms)
            until = tuple(map(min, last, await live.events.rows_before(query.known_at_ms)))
        reading = await self.scans.read(tenant, known, query, together | {query.metric}, until, now_ms)
        at = live.position(until)
        return self._answer(numbers, known, query, reading, live.now_ms(), "scan") | {"position": at}


def info(known: ContractSet, name: str, filling: bool = False, unmoved: int = 0) -> MetricInfo:
    """A metric's catalog entry."""
    versions = known.metrics[name]
    contract = known.metric(name) or versions[max(versions)]
    return {
        "name": name, "version": contract.version, "versions": sorted(versions), "type": contract.type,
        "unit": contract.unit, "owner": contract.owner, "description": contract.description,
        "dimensions": list(contract.dimensions),
        "windows": [msgspec.to_builtins(window) for window in contract.windows.values()],
        "moved_by": sorted(known.types_of(name)), "state": "filling" if filling else "live",
        "unmoved": unmoved,
    }  # fmt: skip


def _parsed(number: int, read: JsonObject) -> MetricQuery | JsonObject:
    """A read of a batch: a query, {} for an entity, or an error answer."""
    if "entity" in read:
        return {}
    try:
        return msgspec.convert(read, MetricQuery)
    except msgspec.ValidationError as error:
        return {"error": problem_of(Invalid("this read is wrong", [Problem(f"/{number}", str(error))]))}


def _is_live(query: MetricQuery, known: ContractSet) -> bool:
    """Whether memory may answer: the current state, by the newest version."""
    return query.known_at_ms is None and query.version in (0, max(known.metrics[query.metric]))
