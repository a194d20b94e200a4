"""What is asked of the tasks and plans of one shard: a command to one, one as it is told, a page of them."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec

from aob.core.agent_name import work_id_of, work_stream
from aob.core.answers import JsonObject
from aob.core.errors import CallerError, NotFound, Unavailable
from aob.core.instant import iso
from aob.core.policy import Caller
from aob.core.task import Kind, plans, requests, tasks
from aob.core.task import commands as cmd
from aob.core.task import events as ev
from aob.core.value import canonical, decode
from aob.journal import Journal, Stream
from aob.ports.store import Head, HeadQuery

KEPT_MAX: Final = 1_000  # ended tasks and plans whose view is kept
KEPT_BYTES_MAX: Final = 16 * 1024 * 1024  # of these together
LOOK: Final = 500  # heads that are read at once for a filter that the store does not have
_CURSOR: Final = re.compile(r"(\d{1,16})\.(.{1,900})", re.DOTALL)
Waiters = dict[str, list[asyncio.Future[Any]]]
State = tasks.Task | plans.Plan


class Kept:
    """Views of what has ended, as bytes: the ones asked for last. Such a view never changes; it goes when it is one too
    many, and with the process."""

    def __init__(self) -> None:
        self._views = OrderedDict[str, bytes]()
        self._size = self.hits = self.misses = 0

    def get(self, stream: str) -> JsonObject | None:
        """The view of a stream."""
        found = self._views.get(stream)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._views.move_to_end(stream)
        view: JsonObject = decode(found)
        return view

    def put(self, stream: str, view: JsonObject) -> None:
        """Keep a view."""
        if stream in self._views:
            return
        data = canonical(view)
        self._views[stream] = data
        self._size += len(data)
        while len(self._views) > KEPT_MAX or self._size > KEPT_BYTES_MAX:
            self._size -= len(self._views.popitem(last=False)[1])


class Asking:
    """The tasks and plans of a journal. `waiters` are the futures by stream that are set when it has ended."""

    def __init__(self, journal: Journal, waiters: Callable[[], Waiters]) -> None:
        self._journal, self._waiters = journal, waiters
        self.kept = Kept()

    async def submit(self, who: Caller, kind: Kind, message: JsonObject) -> JsonObject:
        """Ask for a task or a plan; it is durable when this returns its view, with `created`. Raises Invalid, TooLarge,
        Conflict `task_exists` `plan_exists`."""
        request = requests.read_request(kind, message)
        stream = work_stream(kind, who.tenant, request.id)
        decided = await self._journal.ask(
            stream, cmd.Submit(request, who.name), reads=lambda now: _view(now.stream.state)
        )
        created = any(isinstance(event, ev.Requested) for event in decided.events)
        return {**decided.said, "created": created}

    async def show(self, who: Caller, kind: Kind, id: str, wait_ms: int = 0) -> JsonObject:
        """A task or a plan; at its end, if that comes within `wait_ms`. Raises NotFound."""
        name = work_stream(kind, who.tenant, id)
        if (known := self.kept.get(name)) is not None and name not in self._journal.streams:
            return known
        if wait_ms:
            await self._ended(kind, name, wait_ms)
        stream = await self._there(kind, name)
        await self._journal.settled(stream)
        view = _view(stream.state)
        if stream.state.final:
            self.kept.put(name, view)
        return view

    async def cancel(self, who: Caller, kind: Kind, id: str, reason: str) -> JsonObject:
        """Cancel a task or a plan. Raises NotFound, Conflict `task_ended` `plan_ended`."""
        name = work_stream(kind, who.tenant, id)
        await self._there(kind, name)
        decided = await self._journal.ask(name, cmd.Cancel(who.name, reason), reads=lambda now: _view(now.stream.state))
        told: JsonObject = decided.said
        return told

    async def listed(
        self, who: Caller, kind: Kind, *, status: str, type: str, has: dict[str, str], limit: int, cursor: str
    ) -> JsonObject:  # fmt: skip
        """A page of tasks or plans, the newest first."""
        before, found, last = _place(cursor), list[Head](), False
        wanted = {name: value for name, value in has.items() if value}
        size = LOOK if wanted else limit + 1
        while len(found) <= limit and not last:
            page = await self._journal.store.heads(HeadQuery(kind, who.tenant, status, type, before, size))
            last = len(page) < size
            before = (page[-1].started_ms, page[-1].stream) if page else before
            found += [head for head in page if _has(head, wanted)]
        rows = [_row(kind, head) for head in found[:limit]]
        return {f"{kind}s": rows, "next": _cursor(kind, who.tenant, rows) if len(found) > limit else None}

    async def _there(self, kind: Kind, name: str) -> Stream:
        stream = await self._journal.load(name)
        if stream is None:
            raise NotFound(f"there is no {kind} {work_id_of(name)[:64]!r}", code=f"{kind}_not_found",
                           hint=f"aob {kind} list")  # fmt: skip
        return stream

    async def _ended(self, kind: Kind, name: str, wait_ms: int) -> None:
        """Returns when it has ended, or after this time."""
        try:
            async with asyncio.timeout(wait_ms / 1_000):
                while not (await self._there(kind, name)).state.final:
                    await self._next(name)
        except TimeoutError:
            return

    async def _next(self, name: str) -> None:
        future = asyncio.get_running_loop().create_future()
        waiting = self._waiters().setdefault(name, [])
        waiting.append(future)
        try:
            await future
        except Unavailable:
            if not await self._journal.mended():
                raise
        finally:
            if future in waiting:
                waiting.remove(future)
                if not waiting:
                    self._waiters().pop(name, None)


def stream_asked(who: Caller, args: msgspec.Struct) -> str:
    """The stream that a verb about one task or plan asks."""
    request = getattr(args, "request", None) or msgspec.structs.asdict(args)
    kind: Kind = "task" if "task_id" in request else "plan"
    return work_stream(kind, who.tenant, str(request.get(f"{kind}_id", "")))


def joined_page(kind: Kind, tenant: str, pages: list[JsonObject], limit: int) -> JsonObject:
    """A page of several shards' pages, newest first."""

    def place(row: JsonObject) -> tuple[int, str]:
        return row["requested_ms"], work_stream(kind, tenant, row[f"{kind}_id"])

    found = sorted((row for page in pages for row in page[f"{kind}s"]), key=place, reverse=True)
    more = len(found) > limit or any(page["next"] is not None for page in pages)
    return {f"{kind}s": found[:limit], "next": _cursor(kind, tenant, found[:limit]) if more and found else None}


def _cursor(kind: Kind, tenant: str, rows: list[JsonObject]) -> str:
    last = rows[-1]
    return f"{last['requested_ms']}.{work_stream(kind, tenant, last[f'{kind}_id'])}"


def _place(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise CallerError(f"{cursor[:40]!r} is no cursor", code="bad_cursor", hint="pass `next` of the page before")
    return int(found[1]), found[2]


def _has(head: Head, wanted: dict[str, str]) -> bool:
    info = msgspec.json.decode(head.info) if wanted and head.info else {}
    return all(info.get(name) == value for name, value in wanted.items())


def _row(kind: Kind, head: Head) -> JsonObject:
    info = msgspec.json.decode(head.info) if head.info else {}
    of_plan: JsonObject = {"plan_id": info.get("plan_id") or None} if kind == "task" else {}
    return {
        f"{kind}_id": work_id_of(head.stream), f"{kind}_type": head.name, "status": head.status, **of_plan,
        "request_id": info.get("request_id", ""), "requested_at": iso(head.started_ms),
        "ended_at": iso(head.ended_ms) if head.ended_ms else None, "requested_ms": head.started_ms,
    }  # fmt: skip


def _view(state: State) -> JsonObject:
    return _task_view(state) if isinstance(state, tasks.Task) else _plan_view(state)


def _told(kind: Kind, state: State) -> JsonObject:
    """What views of tasks and plans have in common."""
    request = state.request
    assert request is not None
    more, _ = request.unknown(kind)
    whole = request.whole()
    told: JsonObject = state.result() if state.final else {**more, "metadata": whole.get("metadata") or {}}
    return {
        "result": None, "error": None, **told, f"{kind}_id": request.id, f"{kind}_type": request.type,
        "status": state.status, "by": state.by, "requested_at": iso(state.requested_ms),
        "ended_at": iso(state.ended_ms) if state.final else None,
    }  # fmt: skip


def _task_view(task: tasks.Task) -> JsonObject:
    assert task.request is not None
    return {**_told("task", task), "parameters": task.request.payload("task"), "plan_id": task.plan or None}


def _plan_view(plan: plans.Plan) -> JsonObject:
    assert plan.request is not None
    rounds = [
        {
            "round": number, "task_ids": [entry.task_id for entry in each.entries],
            "ended": sum(result is not None for result in each.results), "metadata": decode(each.metadata),
            "execution_time_ms": each.took_ms,
        }
        for number, each in enumerate(plan.rounds, 1)
    ]  # fmt: skip
    failure = {"failure": decode(plan.failure)} if plan.failure is not None else {}
    told = _told("plan", plan)
    return {**told, "context": plan.request.payload("plan"), "rounds": rounds, "state": plan.state, **failure}
