"""Fields of a document: of the workflow, its nodes, edges and bodies, of retries and time-outs."""

from contextlib import aclosing
from typing import Any

import aob
from aob.core.policy.patch import PatchRules
from tests.core.run_desk import Desk, approval, edge, edges, flow, function, kind
from tests.runs.home import finished, fn
from tests.sweep.frame import LEFT_OUT, World, code, handlers, seen, shows, turns_ms
from tests.work import handlers_cpu
from tests.workers.home import worker

AGENT = {"op": "add_node", "id": "x", "node": {"kind": "agent", "config": {"task": "t", "model": "script:x"}}}


def one(given: dict[str, Any], inputs: Any = None) -> Desk:
    """A run of one function node with these fields, and one after it."""
    return Desk(flow({"a": function(**given), "b": function()}, edges("a b")), inputs)


# -- a node


@shows("node", "kind", "approval", "join")
def kind_of_a_node(given: dict[str, Any], world: World) -> Any:
    return seen(Desk(flow({"b": function(disabled=True), "a": {"config": {}, **given}}, edges("b a"))))


@shows("node", "config", {"for": "1s"}, {"for": "2s"})
def config(given: dict[str, Any], world: World) -> Any:
    return seen(Desk(flow({"a": {"kind": "timer", **given}})))


@shows("node", "input", LEFT_OUT, {"x": "inputs.n"})
def input_of_a_node(given: dict[str, Any], world: World) -> Any:
    return one(given, {"n": 1}).input_of("a")


@shows("node", "retry", 1, 2)
@shows("node", "on_failure", "fail", "skip")
def failing(given: dict[str, Any], world: World) -> Any:
    desk = one(given)
    desk.fail("a", transient=True)
    return seen(desk)


@shows("node", "effect", "none", "once")
async def effect(given: dict[str, Any], world: World) -> Any:
    @aob.node(effect="none")
    async def charge() -> None:
        raise ConnectionError("cut off")

    app = await world.home(handlers(charge=charge))
    await app.push(flow({"a": fn("charge", **given)}))
    run = await app.start("w")
    async with aclosing(app.views.follow(app.who, run_id=run.id)) as feed:
        async for _, name, entry in feed:
            if name in {"ticket_opened", "run_failed"}:
                return name, entry.get("subject")
    return "open"


@shows("node", "on_uncertain", "ask", "repeat")
def uncertain(given: dict[str, Any], world: World) -> Any:
    desk = one({"effect": "once", **given})
    desk.intend("a")
    desk.lose("a")
    return seen(desk)


@shows("node", "timeout", LEFT_OUT, "10s")
def timeout(given: dict[str, Any], world: World) -> Any:
    return seen(Desk(flow({"a": approval(**given)})))


@shows("node", "hold", True, False)
def hold(given: dict[str, Any], world: World) -> Any:
    desk = Desk(flow({"a": function(**given), "b": function()}, edges("a b")), rules=PatchRules(always_person=True))
    desk.propose([{"op": "add_node", "id": "x", "node": function()}], visit="a")
    desk.complete("a", patch="patch_1")
    return seen(desk)


@shows("node", "disabled", False, True)
def disabled(given: dict[str, Any], world: World) -> Any:
    return seen(one(given))


@shows("node", "body", {"nodes": {"x": function()}}, {"nodes": {"y": function()}})
def body(given: dict[str, Any], world: World) -> Any:
    return seen(Desk(flow({"a": {"kind": "loop", "config": {"max": 1}, **given}})))


@shows("node", "cache", "off", "read_through")
@shows("node", "deterministic", False, True)
async def remembered(given: dict[str, Any], world: World) -> Any:
    called: list[int] = []

    @aob.node(effect="none", deterministic="cache" in given)
    async def count(n: int) -> int:
        called.append(n)
        return n

    app = await world.home(handlers(count=count))
    document = flow({"count": fn("count", **{"cache": "read_through", **given})})
    if (refused := await code(app.push(document))) != "ok":
        return refused
    for _ in range(2):
        await finished(app, (await app.start("w", 3)).id)
    return called


@shows("node", "verify", "happened", "did_not")
async def verify(given: dict[str, Any], world: World) -> Any:
    @aob.node(effect="once")
    async def charge(ctx: Any) -> int:
        if ctx.attempt > 1:
            return 1
        raise ConnectionError("cut off")

    @aob.node(effect="none")
    async def happened() -> dict[str, Any]:
        return {"happened": True, "output": 7}

    @aob.node(effect="none")
    async def did_not() -> dict[str, Any]:
        return {"happened": False}

    app = await world.home(handlers(charge=charge, happened=happened, did_not=did_not))
    await app.push(flow({"charge": fn("charge", on_uncertain="verify", retry=2, **given)}))
    run = await finished(app, (await app.start("w")).id)
    return run["output"], run["error"]


@shows("node", "labels", LEFT_OUT, {"team": "a"})
async def labels_of_a_node(given: dict[str, Any], world: World) -> Any:
    app = await world.home()
    await app.push(flow({"a": fn(**given)}))
    return (await finished(app, (await app.start("w")).id))["nodes"]["a"].get("labels")


@shows("node", "worker", LEFT_OUT, {"gpu": "a"})
async def labels_of_the_worker(given: dict[str, Any], world: World) -> Any:
    app = await world.home(grpc_port=0)
    async with await worker(app):
        await app.push(flow({"a": fn("work", **given)}))
        run = await app.start("w")
        if not given:
            await run.done()
        return (await app.run(run.id))["nodes"]["a"].get("waits")


@shows("workflow", "handlers", "latest", "pinned")
async def build_of_a_run(given: dict[str, Any], world: World) -> Any:
    app = await world.home(grpc_port=0)
    async with await worker(app, build="b1"):
        await app.push(flow({"a": fn("work")}, **given))
        return (await finished(app, (await app.start("w")).id)).get("build")


async def order_of(world: World, waiting: list[dict[str, Any]], **settings: Any) -> list[str]:
    """In which order runs of these workflows come to work, when all waited for the one place."""
    app = await world.home(**{"concurrency": 1, **settings})
    await app.push(flow({"block": fn("gated")}))
    blocked = await app.start("w")
    await world.deed.begins("block").wait()
    runs = []
    for number, document in enumerate(waiting):
        await app.push({**document, "workflow": f"w{number}"})
        runs.append(await app.start(f"w{number}", number))
    world.deed.release()
    for run in (blocked, *runs):
        await finished(app, run.id)
    return [value for name, value in world.deed.calls if name == "echo"]


@shows("node", "priority", LEFT_OUT, "high")
async def priority(given: dict[str, Any], world: World) -> Any:
    return await order_of(world, [*[flow({"a": fn()})] * 3, flow({"a": fn(**given)})])


@shows("workflow", "priority", LEFT_OUT, "high")
async def priority_of_a_run(given: dict[str, Any], world: World) -> Any:
    return await order_of(world, [*[flow({"a": fn()})] * 3, flow({"a": fn()}, **given)])


# -- retries and time-outs


@shows("retry", "attempts", 2, 3)
@shows("retry", "first", "10s", "20s")
@shows("retry", "factor", 2, 3)
@shows("retry", "max", "11s", "1h")
@shows("retry", "jitter", 0, 0.5)
def waits(given: dict[str, Any], world: World) -> Any:
    desk = one({"retry": {"attempts": 9, "first": "10s", "max": "1h", "jitter": 0, **given}})
    found = []
    for _ in range(3):
        desk.fail("a", transient=True)
        found.append(seen(desk))
        if not desk.timers:
            break
        desk.fire("a")
    return found


@shows("timeout", "deadline", LEFT_OUT, "10s")
@shows("timeout", "remind", LEFT_OUT, "5s")
def of_a_ticket(given: dict[str, Any], world: World) -> Any:
    return seen(Desk(flow({"a": approval(timeout={"deadline": "1h", **given})})))


@shows("timeout", "expire", "approve", "reject")
def expired(given: dict[str, Any], world: World) -> Any:
    desk = Desk(flow({"a": approval(timeout={"deadline": "10s", **given})}))
    desk.fire("a", "deadline")
    return seen(desk)


async def ended_by(world: World, document: dict[str, Any], **settings: Any) -> Any:
    """How a run ends whose only node has no place to work, or works until it is told to stop."""
    app = await world.home(concurrency=1)
    if settings.get("blocked"):
        await app.push({"workflow": "block", "nodes": {"block": fn("gated")}})
        await app.start("block")
        await world.deed.begins("block").wait()
    await app.push(document)
    run = await app.start("w")
    await turns_ms(100)
    world.deed.release()
    return ((await finished(app, run.id))["error"] or {}).get("code")


@shows("timeout", "queue", LEFT_OUT, "1ms")
async def queue(given: dict[str, Any], world: World) -> Any:
    return await ended_by(world, flow({"a": fn(timeout=given)}), blocked=True)


@shows("run_timeout", "start", LEFT_OUT, "1ms")
async def start_within(given: dict[str, Any], world: World) -> Any:
    return await ended_by(world, flow({"a": fn()}, timeout=given), blocked=True)


@shows("timeout", "start", LEFT_OUT, "1ms")
async def begun(given: dict[str, Any], world: World) -> Any:
    app = await world.home(handlers_cpu)
    await app.push(flow({"a": fn("add", timeout=given, input={"a": "2"})}))
    return ((await finished(app, (await app.start("w")).id))["error"] or {}).get("code")


@shows("timeout", "run", LEFT_OUT, "1ms")
@shows("timeout", "heartbeat", LEFT_OUT, "1ms")
async def at_work(given: dict[str, Any], world: World) -> Any:
    return await ended_by(world, flow({"a": fn("gated", timeout=given)}))


# -- edges and bodies


@shows("edge", "from", "a", "b")
@shows("edge", "to", "b", "c")
@shows("edge", "on", "success", "failure")
def an_edge(given: dict[str, Any], world: World) -> Any:
    desk = Desk(flow({"a": function(), "b": function(), "c": function()}, {"e": {"from": "a", "to": "c", **given}}))
    begun = seen(desk)
    desk.complete("a")
    return begun, seen(desk)


def branched(inputs: Any, mode: str = "first", **second: Any) -> Any:
    """Where a branch goes whose first edge wants `n` to be 1."""
    made = {"e1": edge("a", "x", when="inputs.n == 1"), "e2": edge("a", "y", **second)}
    return seen(Desk(flow({"a": kind("branch", mode=mode), "x": function(), "y": function()}, made), inputs))


@shows("edge", "when", "inputs.n == 1", "inputs.n == 2")
def when(given: dict[str, Any], world: World) -> Any:
    return branched({"n": 1}, "all", **given)


@shows("edge", "order", 1, -1)
def order(given: dict[str, Any], world: World) -> Any:
    return branched({"n": 1}, when="inputs.n == 1", **given)


@shows("edge", "else", True, False)
def otherwise(given: dict[str, Any], world: World) -> Any:
    return branched({"n": 2}, **given, **({} if given["else"] else {"when": "inputs.n == 1"}))


@shows("body", "nodes", {"x": function()}, {"x": function(), "y": function()})
@shows("body", "edges", {}, {"e": edge("x", "z")})
@shows("body", "output", LEFT_OUT, {"n": "loop.index"})
def body_of(given: dict[str, Any], world: World) -> Any:
    nodes = {"x": function(), "z": function()} if "edges" in given else {"x": function()}
    desk = Desk(flow({"a": {"kind": "loop", "config": {"max": 1}, "body": {"nodes": nodes, **given}}}))
    begun = seen(desk)
    desk.work_off()
    return begun, seen(desk)


# -- the workflow


@shows("workflow", "workflow", "w", "v")
@shows("workflow", "inputs", LEFT_OUT, {"type": "object", "required": ["n"]})
async def started(given: dict[str, Any], world: World) -> Any:
    app = await world.home()
    await app.push({"workflow": "w", "nodes": {"a": fn()}, **given})
    return await code(app.start("w", {}))


@shows("workflow", "nodes", {"a": function()}, {"a": function(), "b": function()})
@shows("workflow", "edges", {}, edges("a b"))
@shows("workflow", "output", LEFT_OUT, {"n": "inputs.n"})
@shows("workflow", "timeout", LEFT_OUT, "1h")
def whole(given: dict[str, Any], world: World) -> Any:
    nodes = {"a": function(), "b": function()}
    desk = Desk({"workflow": "w", "nodes": nodes, **given}, {"n": 1})
    begun = seen(desk)
    desk.work_off()
    return begun, seen(desk)


@shows("run_timeout", "run", LEFT_OUT, "1h")
def run_timeout(given: dict[str, Any], world: World) -> Any:
    return whole({"timeout": given}, world)


@shows("workflow", "limits", LEFT_OUT, {"agents": 0})
def limits(given: dict[str, Any], world: World) -> Any:
    return Desk(flow({"a": function()}, **given)).propose([AGENT])


@shows("limits", "agents", 0, 1)
def agents(given: dict[str, Any], world: World) -> Any:
    return limits({"limits": given}, world)


@shows("workflow", "mode", "full", "fast")
async def mode(given: dict[str, Any], world: World) -> Any:
    app = await world.home()
    await app.push(flow({"a": fn("gated")}, **given))
    await app.start("w")
    return len((await app.views.runs(app.who))["runs"])


@shows("workflow", "labels", {"team": "a"}, {"team": "b"})
async def labels(given: dict[str, Any], world: World) -> Any:
    app = await world.home()
    await app.push(flow({"a": fn()}, output={"team": "run.labels.team"}, **given))
    return (await finished(app, (await app.start("w")).id))["output"]
