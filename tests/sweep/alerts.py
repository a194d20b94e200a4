"""Fields of alerts and objectives: when they fire, what is told and started, and what their budgets say."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from aob.core.policy import Caller
from aob.testing.world.loop import VirtualLoop, run_virtual
from tests.metrics.alerting.bench import World as Alerted
from tests.metrics.alerting.bench import passed
from tests.sweep.frame import LEFT_OUT, World, shows

ME = Caller("acme", "me", frozenset({"admin"}))
OTHER = {"metric": "other", "type": "count", "moves": [{"on": "order.refunded"}], "windows": ["1m"]}
START = {"workflow": "incident", "inputs": {"rate": "value"}, "cooldown": "1m", "open_runs": 1}


async def watched(
    *, says: Any = (9, 9, 9, 4, 2, 9, 2), ends: bool = False, more: dict[str, Any] | None = None, **fields: Any
) -> Any:
    """What is heard and started while a number moves every 20 seconds, and what the alert says in the end. What is
    started ends soon with `ends`, else never."""
    rule = {"alert": "a", "metric": "refunds", "when": "value > 5", "clear": "value < 3", **fields}
    around = Alerted("\n---\n".join(map(json.dumps, [rule, *([more] if more else [])])))
    starts, questions = [], set()
    start, read = around.runs.start_of, around.numbers.read_metric

    async def started(tenant: str, workflow: str, inputs: Any, **more: Any) -> Any:
        starts.append((round(asyncio.get_running_loop().time()), workflow, dict(inputs), more["tag"], more["alert"]))
        return await start(tenant, workflow, inputs, **more)

    async def asked(tenant: str, query: Any) -> Any:
        questions.add(repr(query))
        return await read(tenant, query)

    vars(around.runs)["start_of"], vars(around.numbers)["read_metric"] = started, asked
    turns = []
    async with around.process() as here:
        for value in says:
            here.say("other", 0)
            here.say("refunds", {"eu": value, "us": 1} if fields.get("by") else value)
            await passed(20_000)
            for run in here.runs if ends else ():
                await here.end(run)
            turns.append(len(around.heard))
        views = await here.alerts.alerts(ME)
    told = ("alert", "version", "by", "state", "value", "severity", "owner", "description")
    heard = [{name: each.get(name) for name in told} for each in around.heard]
    seen = [[each.get(name) for name in ("name", "version", "state", "severity", "by")] for each in views]
    return turns, heard, starts, sorted(questions), seen


async def virtual(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """The same in virtual time, on a loop of its own."""
    found: list[Any] = []

    async def kept() -> None:
        found.append(await work())

    await asyncio.to_thread(lambda: run_virtual(VirtualLoop(), kept()))
    return found


@shows("alert", "alert", "a", "b")
@shows("alert", "version", 1, 2)
@shows("alert", "when", "value > 5", "value > 8")
@shows("alert", "clear", "value < 3", "value < 5")
@shows("alert", "window", LEFT_OUT, "1m")
@shows("alert", "where", {}, {"region": "eu"})
@shows("alert", "by", [], ["region"])
@shows("alert", "for", 0, "30s")
@shows("alert", "clear_for", 0, "30s")
@shows("alert", "severity", "warning", "critical")
@shows("alert", "start", LEFT_OUT, START)
@shows("alert", "owner", "crm", "shop")
@shows("alert", "description", "one", "other")
async def an_alert(given: dict[str, Any], world: World) -> Any:
    says = (7, 7, 2) if "when" in given else (9, 9, 9, 4, 2, 9, 2)
    return await virtual(lambda: watched(says=says, **given))


@shows("alert", "metric", "refunds", "other")
async def its_metric(given: dict[str, Any], world: World) -> Any:
    return await virtual(lambda: watched(more=OTHER, **given))


@shows("start", "workflow", "incident", "other")
@shows("start", "tag", "main", "next")
@shows("start", "inputs", {"rate": "value"}, {"n": "value"})
@shows("start", "cooldown", "1s", "10m")
@shows("start", "open_runs", 1, 5)
async def a_start(given: dict[str, Any], world: World) -> Any:
    more = {"open_runs": 9} if "cooldown" in given else {"cooldown": "1s"} if "open_runs" in given else {}
    start = {**START, **more, **given}
    return await virtual(lambda: watched(says=(9, 2, 9, 2, 9, 2), ends="cooldown" in given, start=start))


async def burned(*rules: dict[str, Any], minutes: int = 4) -> Any:
    """What budgets and alerts say after so many minutes in which half of the time a number was high."""
    around = Alerted("\n---\n".join(json.dumps(rule) for rule in rules))
    async with around.process() as here:
        for number in range(minutes):
            for name in ("refunds", "other"):
                here.say(name, 9 if number % 2 and name == "refunds" else 2)
            await passed(60_000)
        told = ("name", "good", "total", "ratio", "budget_left", "state")
        return [[each.get(name) for name in told] for each in await here.alerts.slos(ME)], around.states


OBJECTIVE = {"slo": "s", "metric": "refunds", "objective": "value", "good": "value < 5", "target": 0.9, "window": "1h"}


@shows("slo", "slo", "s", "r")
@shows("slo", "objective", "value", "quality")
@shows("slo", "target", 0.1, 0.9)
@shows("slo", "metric", "refunds", "other")
@shows("slo", "window", "1h", "2m")
@shows("slo", "good", "value < 5", "value < 50")
async def an_objective(given: dict[str, Any], world: World) -> Any:
    rule = {**OBJECTIVE, **given}
    if rule["objective"] != "value":
        del rule["good"]
    return await virtual(lambda: burned(OTHER, rule) if "metric" in given else burned(rule))


@shows("alert", "slo", "s", "calm")
async def on_a_burn_rate(given: dict[str, Any], world: World) -> Any:
    calm = {**OBJECTIVE, "slo": "calm", "good": "value < 50"}
    alert = {"alert": "a", "metric": "refunds", **given}
    return await virtual(lambda: burned({**OBJECTIVE, "window": "6h"}, {**calm, "window": "6h"}, alert, minutes=60))
