"""What is attached to the processes of a home, as `status` tells it: workers and the jobs that wait for them, and the
processes that ask there for others. Told by each process, put together by one."""

from collections.abc import Iterable
from typing import Final

from aob.compose.workers.gateway import Gateway
from aob.core.answers import JsonObject
from aob.core.attached import AttachedWorker, FrontStatus, QueueStatus

STATES: Final = ("attached", "draining", "away")  # of several, the first that one of them has


def workers_of(gateway: Gateway | None) -> list[AttachedWorker]:
    """The workers of this process."""
    return [
        {"name": each.name, "tenant": each.tenant, "build": each.build, "handlers": sorted(each.handlers),
         "labels": dict(each.labels), "slots": each.slots, "jobs": len(each.leases), "done": each.done,
         "state": "away" if each.line is None else "draining" if each.draining else "attached"}
        for each in (list(gateway.hub.workers.values()) if gateway is not None else ())
    ]  # fmt: skip


def queues_of(gateway: Gateway | None) -> list[QueueStatus]:
    """The jobs of this process that wait for a worker."""
    return [
        {"handler": lane.handler, "build": lane.build, "labels": dict(lane.labels), "waiting": count,
         "oldest_s": round(oldest_s, 3)}
        for lane, (count, oldest_s) in (gateway.hub.lanes().items() if gateway is not None else ())
    ]  # fmt: skip


def all_workers(told: Iterable[AttachedWorker]) -> list[AttachedWorker]:
    """Workers as several processes tell them. One that serves all of these has its slots once, and the jobs of each."""
    found: dict[tuple[str, str, str], AttachedWorker] = {}
    for each in told:
        key = each["tenant"], each["name"], each["build"]
        known = found.get(key)
        if known is None:
            found[key] = {**each}
            continue
        known["handlers"] = sorted({*known["handlers"], *each["handlers"]})
        known["slots"] = max(known["slots"], each["slots"])
        known["jobs"] += each["jobs"]
        known["done"] += each["done"]
        known["state"] = min(known["state"], each["state"], key=STATES.index)
    return [found[key] for key in sorted(found)]


def workers_at(states: Iterable[JsonObject]) -> list[AttachedWorker]:
    """The workers of the processes that own shards. Each shard tells those of its process."""
    found = {
        (str(process["host"]), int(process["pid"])): state["attached"].get("workers", [])
        for state in states if (process := state.get("process")) and "attached" in state
    }  # fmt: skip
    return all_workers(worker for workers in found.values() for worker in workers)


def all_queues(told: Iterable[QueueStatus]) -> list[QueueStatus]:
    """Queues as several processes tell them, those of a lane together."""
    found: dict[tuple[str, str, tuple[tuple[str, str], ...]], QueueStatus] = {}
    for each in told:
        key = each["handler"], each["build"], tuple(sorted(each["labels"].items()))
        known = found.setdefault(key, {**each, "waiting": 0, "oldest_s": 0.0})
        known["waiting"] += each["waiting"]
        known["oldest_s"] = max(known["oldest_s"], each["oldest_s"])
    return [found[key] for key in sorted(found)]


def all_fronts(told: Iterable[FrontStatus]) -> list[FrontStatus]:
    """Processes that ask, as several of those that they ask tell of them."""
    found: dict[tuple[str, str], FrontStatus] = {}
    for each in told:
        key = " ".join(each["roles"]), each["process"]
        known = found.setdefault(key, {**each, "links": 0})
        known["links"] += each["links"]
    return [found[key] for key in sorted(found)]
