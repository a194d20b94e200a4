"""All that a user does, in one script, and what can be counted afterwards: the same on a home of any number of shards.

Run ids, times and who is first differ from home to home, so a run is known here by its workflow.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

import aob
from aob.compose import App
from aob.core.errors import AobError, Conflict
from aob.core.metric_query import MetricQuery
from aob.core.policy import LOCAL
from tests.compose.shard_home import ASK, COUNT, HANDLERS, WAIT, chain, sharded
from tests.work.peers import Peer, peer

PATIENCE_S: Final = 40.0
"""How long something may take that has to happen: then it is written down as it is."""
ROOMS: Final = 3
MANY: Final = 150
BROKEN: Final = chain("broken", "count", "wide")
"""Its second node gets a number where it expects an object."""
TOLD: Final = {
    "workflow": "told",
    "nodes": {"a": {"kind": "approval", "config": {"text": "well?", "notify": ["webhook:ops"]}}},
    "edges": {},
}
LIGHT: Final = {
    "workflow": "light",
    "nodes": {"lit": {"kind": "emit", "config": {"topic": "house", "type": "lamp.lit",
                                                 "data": {"watt": 40, "room": "hall"}}}},
    "edges": {},
}  # fmt: skip
INCIDENT: Final = {
    "workflow": "incident", "nodes": {"w": {"kind": "wait", "config": {"message": "over"}}}, "edges": {},
}  # fmt: skip
CONTRACTS: Final = """
event: lamp.lit
version: 1
owner: house
fields: {watt: {type: number, minimum: 0}, room: {type: string}}
---
metric: watts
version: 1
type: sum
owner: house
moves: [{on: lamp.lit, value: data.watt}]
dimensions: [room]
windows: [all]
---
alert: too_bright
metric: watts
window: all
by: [room]
when: value > 100
clear: value < 50
start: {workflow: incident, inputs: {watts: value}, open_runs: 1, cooldown: 0s}
---
alert: many_broken
metric: runs_finished
window: all
by: [workflow]
where: {status: FAILED}
when: value > 3
clear: value < 1
start: {workflow: wait, open_runs: 3, cooldown: 0s}
"""
PLATFORM: Final = {
    "runs_started": ("workflow",), "runs_finished": ("workflow", "status"), "nodes_finished": ("workflow", "outcome"),
    "run_success_rate": ("workflow",), "approvals_opened": ("role",), "patches_applied": ("workflow",),
}  # fmt: skip
"""Numbers of the platform that say nothing of times, and by what they are asked for."""


class Desk:
    """The verbs of one home, who is told of things, and the runs that were seen."""

    def __init__(self, verbs: Any, running: App, ops: Peer) -> None:
        self.verbs, self.metrics, self.ops = verbs, running.metrics, ops
        self.figures: dict[str, Any] = {}
        self.begin = ""

    async def start(self, workflow: str, inputs: Any = None, **named: Any) -> str:
        run_id: str = (await self.verbs.start(LOCAL, workflow, inputs or {}, **named))["run_id"]
        return run_id

    async def ended(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """What was told of all runs since the begin, once so many have ended."""
        found = []
        async with aclosing(self.verbs.follow(LOCAL, position=self.begin)) as feed:
            over = 0
            async for _, name, data in feed:
                found.append((name, data))
                over += name == "run_finished"
                if over == count:
                    break
        return found

    async def told(self, path: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
        """What came to a path, once it is enough, or as it is after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                count = 0
                while not enough(self.came(path)):
                    count = len(await self.ops.asked(max(count, len(self.ops.requests)) + 1))
        return self.came(path)

    def came(self, path: str) -> list[Any]:
        return [msgspec.json.decode(asked.body) for asked in self.ops.requests if asked.target == path]

    async def number(self, metric: str, *by: str) -> dict[str, Any]:
        answer = await self.metrics.metric(LOCAL, MetricQuery(metric, window="all", by=by))
        return {"/".join(row["by"][name] for name in by): row["value"] for row in answer["rows"]}


@asynccontextmanager
async def home(folder: Path, shards: int, **given: Any) -> AsyncIterator[Desk]:
    """A home with so many shards and these settings, with contracts, webhooks and workflows."""
    async with peer() as ops:
        for path in ("/runs", "/lamps", "/numbers", "/alerts", "/notices"):
            ops.answer(path)
        settings = f'[egress]\nprivate = ["127.0.0.1:{ops.port}"]\n[notify.targets]\nops = "{ops.url}/notices"\n'
        await asyncio.to_thread(written, folder, settings)
        if shards == 1:
            async with aob.open(folder, app=HANDLERS) as running:
                yield await furnished(Desk(running.views, running, ops))
        else:
            async with sharded(folder, shards, **given) as owners:
                yield await furnished(Desk(owners.verbs, owners.running, ops))


def written(folder: Path, settings: str) -> None:
    folder.mkdir()
    (folder / "aob.toml").write_text(settings)


async def furnished(desk: Desk) -> Desk:
    metrics, url = desk.metrics, desk.ops.url
    await metrics.push_contracts(LOCAL, {"house.yaml": CONTRACTS})
    for document in (COUNT, WAIT, ASK, BROKEN, TOLD, LIGHT, INCIDENT):
        await desk.verbs.push(LOCAL, document)
    await metrics.create_webhook(LOCAL, f"{url}/runs", runs=["*"])
    await metrics.create_webhook(LOCAL, f"{url}/lamps", events=["lamp.lit"])
    await metrics.create_webhook(LOCAL, f"{url}/numbers", metrics=["watts", "runs_finished"])
    await metrics.create_webhook(LOCAL, f"{url}/alerts", alerts=["*"])
    desk.begin = (await desk.verbs.health())["position"]
    return desk


async def performed(desk: Desk) -> dict[str, Any]:
    """Do all that a user does; what can be counted of it."""
    figures = desk.figures
    await starts(desk)
    await people(desk)
    await patches(desk)
    figures["failures told"] = await repeated(desk)
    await lamps(desk)
    feed = await desk.ended(len(await listed(desk, "ended")))
    await counted(desk, feed)
    return figures


async def listed(desk: Desk, which: str) -> list[Any]:
    found, cursor = list[Any](), None
    while True:
        page = await desk.verbs.runs(LOCAL, limit=40, cursor=cursor)
        found += page["runs"]
        cursor = page["next"]
        if cursor is None:
            live = ("RUNNING", "WAITING")
            return [row for row in found if which == "all" or row["status"] not in live]


async def starts(desk: Desk) -> None:
    verbs = desk.verbs
    items = [{"workflow": "count", "inputs": {"n": n}, "key": f"k{n % 140}"} for n in range(MANY)]
    verdicts = await verbs.start_many(LOCAL, items)
    desk.figures["verdicts of starts"] = Counter(
        each["error"]["code"] if "error" in each else each["created"] for each in verdicts
    )
    for n in range(4):
        await desk.start("count", {"n": n})
        await desk.start("broken", n)
    await verbs.start_many(LOCAL, [{"workflow": "light"}] * 70)
    await desk.ended(140 + 4 + 4 + 70)


async def repeated(desk: Desk) -> list[str]:
    """What is refused, and with which code."""
    codes = list[str]()
    for call in (
        desk.verbs.start(LOCAL, "count", {"n": -1}, key="k0"),
        desk.verbs.start(LOCAL, "nothing", {}),
        desk.verbs.ticket(LOCAL, "ticket_no"),
        desk.verbs.run(LOCAL, "run_000000000000000000"),
        desk.verbs.start(LOCAL, "count", {}, tag="old"),
    ):
        try:
            await call
        except AobError as error:
            codes.append(error.code)
    return codes


async def people(desk: Desk) -> None:
    """Tickets, messages, cancels."""
    verbs = desk.verbs
    for n in range(6):
        waiting = await desk.start("wait", key=f"w{n}")
        if n % 2:
            await verbs.message(LOCAL, waiting, "go", payload={"n": n}, id=f"m{n}")
            await verbs.message(LOCAL, waiting, "go", payload={"n": n}, id=f"m{n}")
        else:
            await verbs.cancel(LOCAL, waiting, reason="enough")
        await desk.start("ask", key=f"a{n}")
        await desk.start("told", key=f"t{n}")
    tickets = await verbs.tickets(LOCAL)
    desk.figures["tickets"] = Counter(ticket["role"] for ticket in tickets)
    by_run = {(await verbs.run(LOCAL, each["run_id"]))["workflow"]: [] for each in tickets}
    for ticket in tickets:
        by_run[(await verbs.run(LOCAL, ticket["run_id"]))["workflow"]].append(ticket["ticket_id"])
    for each in by_run.values():
        for n, ticket_id in enumerate(sorted(each)):
            await verbs.answer(LOCAL, ticket_id, "approve" if n % 2 else "reject", reason="so")
            with suppress(Conflict):
                await verbs.answer(LOCAL, ticket_id, "reject")
    found = await desk.told("/notices", lambda came: len(came) >= 6)
    desk.figures["notices"] = Counter(each["what"] for each in found)


async def patches(desk: Desk) -> None:
    """One that applies itself, one that a person approves, one that is rejected, one that is taken back."""
    verbs = desk.verbs
    free = added("more", {"kind": "timer", "config": {"for": "1ms"}})
    dear = added("much", {"kind": "function", "config": {"handler": "says"}})
    states = Counter[str]()
    for n in range(6):
        run_id = await desk.start("wait", key=f"p{n}")
        first = await verbs.propose(LOCAL, run_id, {"operations": free})
        if n % 3 == 0:
            await verbs.rollback(LOCAL, first["patch_id"])
        second = await verbs.propose(LOCAL, run_id, {"operations": dear})
        decide = verbs.approve_patch if n % 3 == 1 else verbs.reject_patch
        await decide(LOCAL, second["patch_id"], reason="so")
        states.update(each["state"] for each in await verbs.patches(LOCAL, run_id))
        await verbs.message(LOCAL, run_id, "go")
    desk.figures["patches"] = states


def added(id: str, node: dict[str, Any]) -> list[dict[str, Any]]:
    """Operations that put a node behind the one of `wait`."""
    edge = {"op": "connect", "from": "w", "to": id}
    return [{"op": "add_node", "id": id, "node": node}, edge]


async def lamps(desk: Desk) -> None:
    """Rooms that are too bright, one after another: a run for each, once the one before has ended."""
    lit = [{"type": "lamp.lit", "source": "house", "id": f"l{n}", "subject": "x",
            "data": {"watt": 60, "room": f"r{n % ROOMS}"}} for n in range(2 * ROOMS)]  # fmt: skip
    bad = {"type": "lamp.lit", "source": "house", "id": "bad", "data": {"watt": -1, "room": "r0"}}
    answer = msgspec.json.decode(
        await desk.metrics.ingest(LOCAL, msgspec.json.Encoder().encode_lines([*lit, bad, lit[0]]))
    )
    desk.figures["verdicts"] = {name: answer[name] for name in ("received", "accepted", "duplicate", "rejected")}
    done = set[str]()
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S), aclosing(desk.verbs.follow(LOCAL, position=desk.begin)) as feed:
            async for _, name, data in feed:
                if name == "run_started" and data["workflow"] == "incident":
                    await desk.verbs.message(LOCAL, data["run"], "over")
                    done.add(data["run"])
                    if len(done) == ROOMS + 1:  # and the hall, where runs have lit lamps
                        break
    desk.figures["started by an alert"] = len(done)


async def counted(desk: Desk, feed: list[tuple[str, dict[str, Any]]]) -> None:
    figures, every = desk.figures, await listed(desk, "all")
    workflows = {row["run_id"]: row["workflow"] for row in every}
    figures["runs"] = Counter((row["workflow"], row["status"]) for row in every)
    figures["started by a platform alert"] = sum(
        "alert" in row["labels"] and row["workflow"] == "wait" for row in every
    )
    figures["feed"] = Counter((workflows[data["run"]], name) for name, data in feed)
    figures["lamps"] = await desk.number("watts", "room")
    ended = Counter((row["workflow"], row["status"]) for row in every if row["status"] not in ("RUNNING", "WAITING"))
    wanted = {f"{workflow}/{status}": count for (workflow, status), count in ended.items()}
    newest = {"runs_finished": sum(wanted.values()), "watts": sum(figures["lamps"].values())}
    came = await desk.told("/numbers", lambda came: _last(came) == newest)
    for metric, by in PLATFORM.items():
        figures[metric] = await desk.number(metric, *by)
    figures["numbers told"] = _last(came)
    runs = await desk.told("/runs", lambda came: len(came) >= len(every) + sum(wanted.values()))
    figures["runs told"] = Counter((workflows[each["data"]["run_id"]], each["type"]) for each in runs)
    figures["lamps told"] = len(await desk.told("/lamps", lambda came: len(came) >= 70 + 2 * ROOMS))
    told = await desk.told("/alerts", lambda came: len(came) >= ROOMS + 2)
    figures["alerts told"] = Counter((each["data"]["alert"], each["data"]["what"]) for each in told)
    alerts = await desk.metrics.alerts(LOCAL)
    # Of what is well only what the last look saw is listed, and that is a matter of time.
    # So is how far a busy machine lags.
    told_of = (each for each in alerts if each["state"] != "ok" and each["name"] != "aob_lag")
    figures["alerts"] = Counter((each["name"], each["state"]) for each in told_of)


def _last(came: list[Any]) -> dict[str, Any]:
    """The newest value that was told of each metric."""
    return {each["data"]["metric"]: each["data"]["value"] for each in came}
