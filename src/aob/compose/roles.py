"""A process of one or several roles, one of which owns shards: each as in a process of its own, on one loop, until one
stop. What takes requests asks the home over the wire as from elsewhere, first of all the member beside it."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from aob.compose.coordinator import Process, needs_database
from aob.compose.front import serve_front
from aob.compose.lock import usable
from aob.compose.logging import set_up_log
from aob.compose.loop import end_process, end_tasks, run_tuned
from aob.compose.settings import Settings, read_settings
from aob.compose.up import Stop, open_files
from aob.core.errors import Invalid, Problem

MEMBERS: Final = ("coordinator", "metrics")
FRONTS: Final = ("api", "fanout")
WORKERS: Final = ("worker", "executor")
BY_THEMSELVES: Final = (
    "leave it out: members perform its kinds of nodes themselves while no worker is attached; or `aob serve worker` "
    "as a process of its own"
)


class Where(msgspec.Struct, frozen=True):
    """Where a process of several roles listens, and whom it asks: the port of its requests (`port`), that of the probes
    of its member (`probes`), its address for `peers` and what they are told (`advertise`), other members."""

    peers: str = ""
    advertise: str = ""
    coordinators: Sequence[str] = ()
    host: str | None = None
    port: int | None = None
    probes: int = 0


def roles_up(
    home: Path, roles: Sequence[str], *, app: Sequence[str] = (),
    said: Callable[[dict[str, Any]], None] = lambda told: None, **places: Any,
) -> NoReturn:  # fmt: skip
    """Serve these roles until SIGINT or SIGTERM, then end this process; `places` are the members of `Where`. `said` is
    called once all of them are there. Raises Invalid for roles that do not go together."""
    where = Where(**places)
    member, front = parted_roles(roles, where)
    os.umask(0o077)
    open_files()
    with usable(home):
        settings = read_settings(home, os.environ, host=where.host, port=where.port)
    if member:
        needs_database(settings)
    set_up_log(settings.log_level, pretty=sys.stderr.isatty())
    run_tuned(_serve(home, settings, member, front, where, app, said))
    end_process()


def parted_roles(roles: Sequence[str], where: Where) -> tuple[tuple[str, ...], str]:
    """The roles of the member of a cluster, and the one that takes requests."""
    member = tuple(role for role in MEMBERS if role in roles)
    front = [role for role in FRONTS if role in roles]
    if unknown := sorted(set(roles) - {*MEMBERS, *FRONTS}):
        mend = BY_THEMSELVES if set(unknown) <= {*WORKERS} and member else f"of {', '.join((*FRONTS, *MEMBERS))}"
        _wrong(unknown[0], "is no role that goes together with others", mend)
    if len(front) > 1:
        _wrong("fanout", "stands beside api: an api serves the streams too", "leave fanout out")
    if member and not where.peers:
        _wrong(member[0], "has to be reached by other processes", "--peers HOST:PORT")
    if where.probes and where.probes == where.port:
        _wrong("--probes", f"is the port {where.port} of requests", "another port, or leave it out for any free one")
    if not member and not where.coordinators:
        _wrong(front[0] if front else "", "has nobody to ask", "--coordinator HOST:PORT")
    return member, front[0] if front else ""


def of_member_beside(front: str, settings: Settings, where: Where) -> Settings:
    """The settings of a member beside what takes requests in the same process. Workers come to the port of the api,
    which passes their streams on: the member, which tells the others where, has any free one."""
    if not front:
        return settings
    gateway = 0 if front == "api" and settings.grpc_port is not None else settings.grpc_port
    return msgspec.structs.replace(settings, port=where.probes, grpc_port=gateway)


def _wrong(role: str, why: str, hint: str) -> None:
    raise Invalid("these roles cannot be served", [Problem(role or "roles", why, "bad_roles", hint=hint)])


async def _serve(
    home: Path, settings: Settings, member: tuple[str, ...], front: str, where: Where, app: Sequence[str],
    said: Callable[[dict[str, Any]], None],
) -> None:  # fmt: skip
    stop, told, joined = (
        Stop(),
        dict[str, Any](roles=[*filter(None, (front, *member))], home=str(home)),
        asyncio.Event(),
    )
    works: list[Coroutine[Any, Any, None]] = []

    def of_member(url: str, peers: str, _: Settings) -> None:
        told.update({"probes": url, "peers": peers} if front else {"url": url, "peers": peers})
        joined.set()
        if not front:
            said(told)

    def of_front(url: str, *_: object) -> None:
        said({"url": url, **told})

    async def fronted() -> None:
        if member:
            waits = [asyncio.ensure_future(each.wait()) for each in (joined, stop)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            await end_tasks(*waits)
        if stop.is_set():
            return
        seeds = [*filter(None, (told.get("peers", ""),)), *where.coordinators]
        await serve_front(home, front, settings, seeds, of_front, stop)

    if member:
        own = of_member_beside(front, settings, where)
        works.append(Process(home, own, member, app).serve(where.peers, where.advertise, of_member, stop))
    if front:
        works.append(fronted())
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
