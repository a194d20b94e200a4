"""A process of one or several roles, one of which owns shards: each as in a process of its own, on one loop, until one
stop. What takes requests asks the home over the wire as from elsewhere, first of all the member beside it."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import msgspec

from aob.compose.coordinator import Process, needs_database
from aob.compose.front import serve_front
from aob.compose.lock import usable
from aob.compose.logging import set_up_log
from aob.compose.loop import end_process, end_tasks, run_tuned
from aob.compose.serving import Stop, open_files
from aob.compose.settings import Settings, read_settings
from aob.core.errors import Invalid, Problem
from aob.worker import Target

MEMBERS: Final = ("coordinator", "metrics")
FRONTS: Final = ("api", "fanout")
WORKERS: Final = ("worker", "executor")


class Parts(NamedTuple):
    """The roles of a process: of the member of the cluster, what takes requests, whether a worker is beside them."""

    member: tuple[str, ...]
    front: str
    worker: bool = False


class Beside(NamedTuple):
    """How a worker stands beside other roles: `find` makes of the address of an api, and the file of its authority, how
    its gateway is found; `said` hears its events."""

    find: Callable[[str, str], Callable[[], Coroutine[Any, Any, Target]]]
    said: Callable[[str, dict[str, Any]], None]


class Where(msgspec.Struct, frozen=True):
    """Where a process of several roles listens, and whom it asks: the port of its requests (`port`), that of the probes
    of its member (`probes`), its address for `peers` and what they are told (`advertise`), other members, and the api
    that a worker attaches to where none is among the roles (`url`)."""

    peers: str = ""
    advertise: str = ""
    coordinators: Sequence[str] = ()
    url: str = ""
    host: str | None = None
    port: int | None = None
    probes: int = 0


def roles_up(
    home: Path, roles: Sequence[str], *, app: Sequence[str] = (),
    said: Callable[[dict[str, Any]], None] = lambda told: None, beside: Beside | None = None, **places: Any,
) -> NoReturn:  # fmt: skip
    """Serve these roles until SIGINT or SIGTERM, then end this process; `places` are the members of `Where`. `said` is
    called once all of them are there; a worker begins then, as `beside` says. Raises Invalid for roles that do not go
    together."""
    where = Where(**places)
    parts = parted_roles(roles, where)
    os.umask(0o077)
    open_files()
    with usable(home):
        settings = read_settings(home, os.environ, host=where.host, port=where.port)
    if parts.member:
        needs_database(settings)
    if parts.worker and parts.front == "api" and settings.grpc_port is None:
        settings = msgspec.structs.replace(settings, grpc_port=0)  # where the worker beside it attaches
    set_up_log(settings.log_level, pretty=sys.stderr.isatty())
    run_tuned(_Serving(home, settings, parts, where, app, said, beside).serve())
    end_process()


def parted_roles(roles: Sequence[str], where: Where) -> Parts:
    """What goes together in one process; an api serves the streams of fanout too. Raises Invalid `bad_roles`."""
    member = tuple(role for role in MEMBERS if role in roles)
    front = [role for role in FRONTS if role in roles]
    worker = not set(roles).isdisjoint(WORKERS)
    if unknown := sorted(set(roles) - {*MEMBERS, *FRONTS, *WORKERS}):
        _wrong(unknown[0], "is no role", f"of {', '.join((*FRONTS, *MEMBERS, WORKERS[0]))}")
    if worker and not member and not front:
        _wrong("worker", "stands beside no other role", "aob serve worker")
    if worker and "api" not in front and not where.url:
        _wrong("worker", "has no api here to attach to", "add api, or AOB_URL=http://HOST:PORT of one")
    if member and not where.peers:
        _wrong(member[0], "has to be reached by other processes", "--peers HOST:PORT")
    if where.probes and where.probes == where.port:
        _wrong("--probes", f"is the port {where.port} of requests", "another port, or leave it out for any free one")
    if not member and not where.coordinators:
        _wrong(front[0] if front else "", "has nobody to ask", "--coordinator HOST:PORT")
    return Parts(member, front[0] if front else "", worker)


def of_member_beside(front: str, settings: Settings, where: Where) -> Settings:
    """The settings of a member beside what takes requests in the same process. Workers come to the port of the api,
    which passes their streams on: the member, which tells the others where, has any free one."""
    if not front:
        return settings
    gateway = 0 if front == "api" and settings.grpc_port is not None else settings.grpc_port
    return msgspec.structs.replace(settings, port=where.probes, grpc_port=gateway)


def _wrong(role: str, why: str, hint: str) -> None:
    raise Invalid("these roles cannot be served", [Problem(role or "roles", why, "bad_roles", hint=hint)])


class _Serving:
    """A process of some roles at work."""

    def __init__(
        self, home: Path, settings: Settings, parts: Parts, where: Where, app: Sequence[str],
        said: Callable[[dict[str, Any]], None], beside: Beside | None,
    ) -> None:  # fmt: skip
        self._home, self._settings, self._parts, self._where, self._app = home, settings, parts, where, app
        self._said, self._beside = said, beside
        self._joined, self._serves = asyncio.Event(), asyncio.Event()
        roles = [*filter(None, (parts.front, *parts.member, "worker" if parts.worker else ""))]
        self._told: dict[str, Any] = {"roles": roles, "home": str(home)}

    async def serve(self) -> None:
        """Serve them until a signal, or until one of them ends."""
        stop, parts = Stop(), self._parts
        works: list[Coroutine[Any, Any, None]] = []
        if parts.member:
            own = of_member_beside(parts.front, self._settings, self._where)
            app = () if parts.worker else self._app
            serving = Process(self._home, own, parts.member, app).serve
            works.append(serving(self._where.peers, self._where.advertise, self._of_member, stop))
        if parts.front:
            works.append(self._front(stop))
        if parts.worker:
            works.append(self._worker(stop))
        tasks = [asyncio.create_task(work, name="aob-role") for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            stop.set()  # one that failed ends the others, in order
            await asyncio.wait(tasks)
        finally:
            await end_tasks(*tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    def _of_member(self, url: str, peers: str, _: Settings) -> None:
        self._told.update({"probes": url, "peers": peers} if self._parts.front else {"url": url, "peers": peers})
        self._joined.set()
        if not self._parts.front:
            self._of_all()

    def _of_front(self, url: str, *_: object) -> None:
        self._told = {"url": url, **self._told}
        self._of_all()

    def _of_all(self) -> None:
        self._said(self._told)
        self._serves.set()

    async def _front(self, stop: Stop) -> None:
        if self._parts.member and not await _either(self._joined, stop):
            return
        seeds = [*filter(None, (self._told.get("peers", ""),)), *self._where.coordinators]
        await serve_front(self._home, self._parts.front, self._settings, seeds, self._of_front, stop)

    async def _worker(self, stop: Stop) -> None:
        from aob.compose.worker.working import Wishes, beside, needs  # here: other roles need none of what it imports

        assert self._beside is not None, "the command says how a worker attaches"
        ca = self._settings.certs_folder(self._home.resolve()) / "ca.pem"  # whom the gRPC port of this folder is from
        wishes = Wishes(tuple(self._app), ca=str(ca) if ca.exists() else "", home=str(self._home.resolve()))
        needs(wishes)
        if await _either(self._serves, stop):
            url = self._told["url"] if self._parts.front == "api" else self._where.url
            find = self._beside.find(url, wishes.ca)
            await beside(wishes, find, self._beside.said, stop)
            stop.set()  # the signal was its keeper's


async def _either(there: asyncio.Event, stop: Stop) -> bool:
    """Whether something was there before the stop."""
    waits = [asyncio.ensure_future(each.wait()) for each in (there, stop)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    await end_tasks(*waits)
    return not stop.is_set()
