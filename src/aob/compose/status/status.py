"""The verb `status`: asks every shard, the database, the numbers and the workers, and puts their answers together. A
part that does not answer in time is told as such; nothing of it is written anywhere."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final, Protocol

from aob.compose.app import App
from aob.compose.metrics import process_told
from aob.compose.status.following import Following
from aob.compose.status.stores import Kept, Stores
from aob.compose.status.troubles import troubles_of
from aob.compose.storage import InDatabase
from aob.compose.workers import all_fronts, all_queues, all_workers
from aob.core.answers import JsonObject
from aob.core.attached import AttachedWorker, FrontStatus, QueueStatus
from aob.core.cluster import Lease
from aob.core.errors import AobError, Refused
from aob.core.policy import LOCAL, Caller
from aob.core.rules import RULES
from aob.core.status import (
    HomeStatus,
    MemberStatus,
    ProcessStatus,
    ShardStatus,
)
from aob.core.verb import NoArgs, performs
from aob.core.verbs import key_verbs
from aob.ports.telemetry import EDGES_S

AWAY: Final = "away"  # a shard that cannot be asked now
ASK_S: Final = 2.0  # how long a shard may take to say how it is


class Shard(Protocol):
    """A shard of the home, in this or another process."""

    number: int

    @property
    def up(self) -> bool: ...

    @property
    def state(self) -> str: ...

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any: ...


class Status:
    """How a home is, from the process that has its first shard. `partitions` counts the partitions of each shard."""

    def __init__(
        self, running: App, shards: Callable[[], Sequence[Shard]], partitions: Callable[[], Mapping[int, int]]
    ) -> None:  # fmt: skip
        self._running, self._shards, self._partitions = running, shards, partitions
        assert running.wiring is not None, "the main process has the numbers"
        self._following = Following(running.wiring)
        storage = running.shared.storage
        database = storage if isinstance(storage, InDatabase) else None
        self._stores = Stores(running.home, running.settings, database)

    @performs(key_verbs.STATUS)
    async def status(self, who: Caller, args: NoArgs) -> HomeStatus:
        """How the home is. It tells of all tenants."""
        if who.tenant != LOCAL.tenant:
            raise Refused(f"{who.name} of {who.tenant} does not see the home", hint="use a key of the tenant `default`")
        kept, log, asked = await asyncio.gather(self._stores.read(), self._following.log(), self._asked())
        running = self._running
        leases = {lease.shard: lease for lease in kept.leases}
        clock = running.views.core.journal.clock
        workers, queues, fronts = _attached(asked, running.views.core.attached())
        told: HomeStatus = {
            "at": running.views.core.ambient.now_ms(), "home": running.home.absolute().name,
            "release": version("agentic-orchestration-builder"), "rules": RULES,
            "members": kept.members or [self._alone()], "processes": _processes(asked),
            "shards": [self._shard(shard, state, leases, kept) for shard, state in asked], "log": log,
            "workers": workers, "queues": queues, "fronts": fronts, "stores": kept.stores,
            "days": kept.days, "clock": {"behind_ms": clock.behind_ms, "skew_ms": kept.skew_ms},
            "counts": self._following.counts(), "stages": dict(self._following.stages()), "edges_s": list(EDGES_S),
            "troubles": [], "settings": running.shared.live.status(),
        }  # fmt: skip
        told["troubles"] = troubles_of(told)
        return told

    async def _asked(self) -> list[tuple[Shard, JsonObject]]:
        shards = list(self._shards())
        return list(zip(shards, await asyncio.gather(*map(_ask, shards)), strict=True))

    def _alone(self) -> MemberStatus:
        """A home in files has one member, which nothing but its lock holds."""
        return {
            "id": "", "address": self._running.notices.base_url, "grpc": "", "roles": ["home"],
            "release": version("agentic-orchestration-builder"), "rules": RULES, "lease_left_ms": None,
            "leaving": False,
        }  # fmt: skip

    def _shard(self, shard: Shard, state: JsonObject, leases: Mapping[int, Lease], kept: Kept) -> ShardStatus:
        lease = leases.get(shard.number)
        partitions = self._partitions().get(shard.number, 0)
        told: ShardStatus = {
            "shard": shard.number, "status": str(state["status"]), "owner": lease.owner if lease else "",
            "address": lease.address if lease else "", "term": lease.term if lease else 0,
            "lease_left_ms": lease.left_ms if lease else None, "partitions": partitions,
        }  # fmt: skip
        if lease is not None and not lease.counts and told["status"] != "ok":
            told["status"] = "unowned"
        if state.get("detail"):
            told["detail"] = str(state["detail"])
        if "journal" in state:
            row, pool, messages = _row(state), state.get("pool", {}), state.get("messages", {})
            live = state["live"] if "live" in state else state["streams"]  # an earlier release counts what has ended
            told |= {
                "epoch": int(state["epoch"]), "row": row, "streams": int(live) + int(state["away"]),
                "timers": int(state["timers"]), "undelivered": int(messages.get("undelivered", 0)),
                "waiting": int(messages.get("waiting", 0)), "jobs_waiting": int(pool.get("waiting", 0)),
                "jobs_running": int(pool.get("running", 0)),
                "uncounted": self._following.uncounted(shard.number, row),
                "events": int(state["journal"]["events"]), "commits": int(state["journal"]["commits"]),
            }  # fmt: skip
        return told


async def _ask(shard: Shard) -> JsonObject:
    """How a shard is: what its owner says, or why it says nothing."""
    if not shard.up:
        state = shard.state
        return {"status": state} if state.isidentifier() else {"status": AWAY, "detail": state}
    try:
        async with asyncio.timeout(ASK_S):
            return await _answer(shard)
    except TimeoutError:
        return {"status": "slow", "detail": f"no answer within {ASK_S:g} s"}
    except AobError as error:
        return {"status": error.code, "detail": error.detail}


async def _answer(shard: Shard) -> JsonObject:
    told: JsonObject
    try:
        told = await shard.call("shard_status", None)
    except AobError as error:
        if error.code not in ("unknown_verb", "role_refused"):
            raise
        told = await shard.call("health", None)  # an owner of a release before
    if told.get("store", {}).get("detail") and told["status"] != "ok":
        told["detail"] = told["store"]["detail"]
        told["status"] = told["store"].get("status", told["status"])
    return told


def _row(state: JsonObject) -> int:
    with suppress(KeyError, ValueError, TypeError):
        return int(state["row"])
    return 0


def _processes(asked: Sequence[tuple[Shard, JsonObject]]) -> list[ProcessStatus]:
    """This process and those of the shards, each once."""
    found: dict[tuple[str, int], ProcessStatus] = {}
    own = process_told()
    for number, told in [(-1, own), *((shard.number, state.get("process")) for shard, state in asked)]:
        if not told:
            continue
        key = str(told["host"]), int(told["pid"])
        each = found.setdefault(key, {
            "host": key[0], "pid": key[1], "up_s": float(told["up_s"]), "cpu_s": float(told["cpu_s"]),
            "memory_bytes": int(told["memory_bytes"]), "shards": [],
        })  # fmt: skip
        if number >= 0:
            each["shards"].append(number)
    return list(found.values())


def _attached(
    asked: Sequence[tuple[Shard, JsonObject]], own: JsonObject
) -> tuple[list[AttachedWorker], list[QueueStatus], list[FrontStatus]]:
    """What is attached to the processes of the shards, and to this one: each is asked once for each of its shards."""
    mine = process_told()
    found = {(str(mine["host"]), int(mine["pid"])): own}
    for _, state in asked:
        if (process := state.get("process")) and "attached" in state:
            found.setdefault((str(process["host"]), int(process["pid"])), state["attached"])
    told = list(found.values())
    return (
        all_workers(worker for each in told for worker in each.get("workers", ())),
        all_queues(queue for each in told for queue in each.get("queues", ())),
        all_fronts(front for each in told for front in each.get("fronts", ())),
    )
