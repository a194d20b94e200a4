"""`Serving` on DuckDB: answers queries from a process of the tenant, started at the first query. Ingest never waits for
it: rows are loaded from the log afterwards, and only for tenants with queries. A process that hangs, dies or nears its
limit is replaced without effect on other tenants; its file is a copy of the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.duckdb_serving.process import DuckProcess, Processes, lost
from aob.backends.duckdb_serving.tables import HISTORY
from aob.backends.duckdb_serving.wire import Answer, Ask, Declare, Declared, Fed, Feed, Needs, Reply, Reset
from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError, Busy, Invalid, NotFound, Problem, TooLarge, Unavailable
from aob.core.serving import View, views_of
from aob.ports.event_log import EventLog, Row, advanced, rows_between
from aob.ports.installed import required
from aob.ports.serving import ROWS_MAX, TIME_MAX_MS, Question, Supply, Table

WAITING_MAX: Final = 8  # waiting queries of one tenant
GRACE_S: Final = 3.0  # grace after a statement's time limit before its process is killed
FEED_S: Final = 120.0  # time limit of loading one portion of rows, or of a change of contracts
BEHIND_S: Final = 10.0  # how long a query waits for rows to be loaded
FEED_ROWS: Final = 200
FEED_BYTES: Final = 16 * 1024 * 1024
POKE_S: Final = 0.25  # how often new rows are loaded for tenants with queries
IDLE_S: Final = 900.0  # processes end after this time without queries; the next query starts one
PARAMETERS_BYTES_MAX: Final = 256 * 1024
MEMORY_MB: Final = 256  # memory limit of one tenant's database


Rows = tuple[int, ...]


@dataclass(eq=False)
class _Tenant:
    """How far rows of one tenant are loaded in its present process."""

    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    rows: tuple[int, ...] = ()
    contracts: ContractSet | None = None
    life: DuckProcess | None = None
    feeding: asyncio.Task[None] | None = None
    poked: bool = False


class DuckServing:
    """The port `Serving`. `contracts_of` returns the current contracts of a tenant (the same object until they
    change); `supplies` are views filled by the caller; `folder` None: all in memory."""

    def __init__(
        self,
        log: EventLog,
        contracts_of: Callable[[str], ContractSet],
        folder: Path | None,
        *,
        supplies: Sequence[Supply] = (),
    ) -> None:
        self._log, self._contracts_of = log, contracts_of
        self._supplies = {each.view.name: each for each in supplies}
        self._tenants: dict[str, _Tenant] = {}
        self._processes = Processes(folder, MEMORY_MB)
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        self._questions = self._refused = self._fed = 0

    # -- questions --------------------------------------------------------------------------------------------------

    async def query(self, question: Question) -> Table:
        parameters = _bound(question.parameters)
        ask = Ask(
            question.sql, parameters, min(max(question.rows_max, 1), ROWS_MAX),
            min(max(question.time_max_ms, 1), TIME_MAX_MS),
        )  # fmt: skip
        answer, rows = await self._answered(question.tenant, ask, question.rows_min)
        return Table(
            answer.columns, answer.types, msgspec.json.decode(answer.rows), answer.truncated, rows, answer.took_ms,
            answer.views, answer.sql,
        )  # fmt: skip

    async def history(
        self, tenant: str, entity: str, id: str, *, until_ms: int | None = None, limit: int = 100, rows_min: Rows = ()
    ) -> list[JsonObject]:
        self._known(tenant, entity)
        given = {"entity": entity, "id": id, "until_ms": until_ms, "limit": min(limit, ROWS_MAX)}
        ask = Ask(HISTORY, msgspec.json.encode(given), ROWS_MAX, TIME_MAX_MS, trusted=True)
        answer, _ = await self._answered(tenant, ask, rows_min)
        return [dict(zip(answer.columns, row, strict=True)) for row in msgspec.json.decode(answer.rows)]

    async def entity(
        self, tenant: str, entity: str, id: str, *, as_of_ms: int | None = None, rows_min: Rows = ()
    ) -> JsonObject | None:
        changes = await self.history(tenant, entity, id, until_ms=as_of_ms, limit=ROWS_MAX, rows_min=rows_min)
        state: JsonObject = {}
        for change in changes:
            if change["removed"]:
                break
            state = {**change["changed"], **state}
        alive = bool(changes) and not changes[0]["removed"]
        return {"state": state, "changed_at": changes[0]["at"]} if alive else None

    async def views(self, tenant: str) -> list[View]:
        return list(self._views(tenant).values())

    def poke(self, tenant: str) -> None:
        known = self._tenants.get(tenant)
        if known is None or known.poked or known.life is None or not known.life.alive:
            return
        known.poked = True
        asyncio.get_running_loop().call_later(POKE_S, self._poked, tenant, known)

    def figures(self) -> JsonObject:
        running = self._processes.running()
        return {
            "state": "running" if running else "stopped",
            "starts": self._processes.starts,
            "tenants": len(running),
            "pids": [process.pid for process in running],
            "rows_fed": self._fed,
            "questions": self._questions,
            "refused": self._refused,
        }

    async def close(self) -> None:
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        feeding = [known.feeding for known in self._tenants.values() if known.feeding is not None]
        for task in feeding:
            task.cancel()
        await asyncio.gather(*feeding, *self._ending, return_exceptions=True)
        await self._processes.close()

    # -- one answer -------------------------------------------------------------------------------------------------

    async def _answered(self, tenant: str, ask: Ask, rows_min: Rows) -> tuple[Answer, Rows]:
        for module in ("duckdb", "sqlglot"):
            required(module, "metrics", "a query")
        known = self._tenants.setdefault(tenant, _Tenant())
        self._questions += 1
        if known.waiting >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX} questions of this tenant wait already", retry_after_s=1.0)
        known.waiting += 1
        try:
            # One query of a tenant at a time, tenants in order of arrival.
            async with known.asking, self._processes.turn(tenant):
                self._rest()
                return await self._once(tenant, ask, known, rows_min)
        except Invalid:
            self._refused += 1
            raise
        finally:
            known.waiting -= 1

    async def _once(self, tenant: str, ask: Ask, known: _Tenant, rows_min: Rows) -> tuple[Answer, Rows]:
        for _ in range(2):
            await self._caught_up(tenant, known, rows_min)
            rows = known.rows  # rows loaded meanwhile are not promised to it
            if known.life is not None and known.life.alive:  # else loading has used it up
                return await self._asked(tenant, ask, known.life), rows
        raise lost("the process of SQL has ended")

    async def _asked(self, tenant: str, ask: Ask, life: DuckProcess) -> Answer:
        supplied: dict[str, bytes] = {}
        for _ in range(2):
            reply = await self._called(life, msgspec.structs.replace(ask, supplied=supplied))
            if isinstance(reply, Answer):
                return reply
            assert isinstance(reply, Needs)
            for name in reply.views:
                supplied[name] = msgspec.json.encode(list(await self._supplies[name].load(tenant)))
        raise lost("the process of SQL does not understand itself")

    async def _called(self, life: DuckProcess, ask: Ask) -> Reply:
        try:
            return await life.call(ask, ask.time_max_ms / 1_000 + GRACE_S)
        except TimeoutError:
            await life.end(kill=True)
            why = f"the statement ran longer than {ask.time_max_ms} ms and could not be broken off"
            raise TooLarge(why, code="query_too_slow", hint="ask for a shorter span of time, or sum up less") from None

    # -- feeding ----------------------------------------------------------------------------------------------------

    async def _caught_up(self, tenant: str, known: _Tenant, rows_min: Rows) -> None:
        """Waits until rows are loaded (none: all rows written now). Loading goes on when the wait times out."""
        ends = await self._log.last_rows()
        if not _reached(rows_min, ends):
            raise _behind(f"row {_told(rows_min)} is not written yet", 1.0)
        goal = rows_min or ends
        # A running load may have read the end of the log earlier: at most one more is needed.
        for _ in range(3):
            current = known.life is not None and known.life.alive
            if current and known.rows and _reached(goal, known.rows) and known.contracts is self._contracts_of(tenant):
                return
            feeding = self._feeding(tenant, known)
            done, _pending = await asyncio.wait({feeding}, timeout=BEHIND_S)
            if not done:
                raise _behind(f"the tables are at row {_told(known.rows)} of {_told(goal)}", BEHIND_S)
            if not feeding.cancelled() and (error := feeding.exception()) is not None:
                if known.life is not None and not known.life.alive:
                    known.life = None  # a load that began earlier has failed
                    continue
                raise error
        raise _behind(f"the tables are at row {_told(known.rows)} of {_told(goal)}", 1.0)

    def _feeding(self, tenant: str, known: _Tenant) -> "asyncio.Task[None]":
        if known.feeding is None or known.feeding.done():
            known.feeding = asyncio.ensure_future(self._feed(tenant, known))
            known.feeding.add_done_callback(_heard)
        return known.feeding

    async def _feed(self, tenant: str, known: _Tenant) -> None:
        """Loads a tenant's rows up to the current end of its log."""
        process = await self._processes.of(tenant)
        try:
            ends = await self._log.last_rows()
            contracts = self._contracts_of(tenant)
            if known.life is not process or known.contracts is not contracts:
                await self._declare(tenant, known, process, contracts, ends)
            async for rows in _portions(rows_between(self._log, known.rows, ends, tenant, FEED_ROWS)):
                now = self._contracts_of(tenant)
                if now is not known.contracts:  # rows may hold versions that were declared since
                    await self._declare(tenant, known, process, now, ends)
                own = [row for row in rows if row.tenant == tenant]  # an empty name asks a log for all tenants
                fed = await process.call(Feed(own), FEED_S)
                assert isinstance(fed, Fed)
                self._fed += len(rows)
                for row in rows:
                    known.rows = advanced(known.rows, row)
            known.rows = tuple(map(max, known.rows, ends))
        except TimeoutError:
            await process.end(kill=True)
            raise lost("the process of SQL did not take its rows in time") from None

    async def _declare(
        self, tenant: str, known: _Tenant, process: DuckProcess, contracts: ContractSet, ends: Rows
    ) -> None:
        views = tuple(supply.view for supply in self._supplies.values())
        message = Declare(msgspec.msgpack.encode(contracts), views)
        declared = await process.call(message, FEED_S)
        assert isinstance(declared, Declared)
        if any(row > sum(ends[at : at + 1]) for at, row in declared.rows.items()):  # tables of another log are useless
            await process.call(Reset(), FEED_S)
            declared = await process.call(message, FEED_S)
            assert isinstance(declared, Declared)
        if known.life is not process:
            known.rows = tuple([declared.rows.get(partition, 0) for partition in range(len(ends))])
        known.life, known.contracts = process, contracts

    def _poked(self, tenant: str, known: _Tenant) -> None:
        known.poked = False
        if not self._closed and known.life is not None and known.life.alive:
            self._feeding(tenant, known)

    # -- rest ------------------------------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Restarts the idle timer."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._rested)

    def _rested(self) -> None:
        if any(known.waiting for known in self._tenants.values()):
            self._rest()
            return
        if not self._closed:
            task = asyncio.ensure_future(self._processes.end_idle())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    # -- views ------------------------------------------------------------------------------------------------------

    def _views(self, tenant: str) -> Mapping[str, View]:
        return views_of(self._contracts_of(tenant), [supply.view for supply in self._supplies.values()])

    def _known(self, tenant: str, entity: str) -> None:
        known = {view.of for view in self._views(tenant).values() if view.kind == "entity"}
        if entity not in known:
            why = f"no contract speaks of an entity {entity!r}"
            raise NotFound(why, code="entity_not_found", hint=f"there are: {', '.join(sorted(known)) or 'none'}")


def _bound(parameters: Sequence[JsonValue] | Mapping[str, JsonValue]) -> bytes:
    values = list(parameters.values()) if isinstance(parameters, Mapping) else list(parameters)
    wrong = [value for value in values if not isinstance(value, str | int | float | bool | None)]
    if wrong or isinstance(parameters, str):
        problem = Problem("/parameters", "a parameter is a text, a number, true, false or null", code="bad_parameter")
        raise Invalid("a parameter has no plain value", [problem], code="bad_parameter")
    data = msgspec.json.encode(dict(parameters) if isinstance(parameters, Mapping) else values)
    if len(data) > PARAMETERS_BYTES_MAX:
        raise TooLarge(f"the parameters have more than {PARAMETERS_BYTES_MAX} bytes", code="query_too_large")
    return data


async def _portions(rows: AsyncIterator[Row]) -> AsyncIterator[list[Row]]:
    """Rows in lists of at most `FEED_ROWS` and about 16 MiB of lines."""
    held: list[Row] = []
    size = 0
    async for row in rows:
        held.append(row)
        size += len(row.lines)
        if len(held) >= FEED_ROWS or size > FEED_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _reached(rows: Rows, ends: Rows) -> bool:
    return all(row <= end for row, end in zip(rows, ends, strict=False))


def _told(rows: Rows) -> str:
    return ", ".join(map(str, rows))


def _behind(detail: str, retry_after_s: float) -> Unavailable:
    return Unavailable(detail, code="serving_behind", hint="ask again: it is being fed", retry_after_s=retry_after_s)


def _heard(task: "asyncio.Task[None]") -> None:
    """Waiting callers get the error; without any, the next query meets it again."""
    if not task.cancelled():
        with contextlib.suppress(AobError):
            task.exception()
