"""Configs of the kinds that are decided, or wait, without a worker."""

from typing import Any

from aob.core.policy import Caller
from tests.core.run_desk import Desk, approval, each, edges, flow, function, join, kind, loop
from tests.runs.home import ticket_of
from tests.sweep.frame import LEFT_OUT, World, code_of, seen, shows

BOSS = Caller("default", "bea", frozenset({"boss"}))
STARTER = Caller("default", "ann", frozenset({"approve"}))


@shows("branch", "mode", "first", "all")
def branch(given: dict[str, Any], world: World) -> Any:
    made = {
        "e1": {"from": "a", "to": "x", "when": "inputs.n == 1"},
        "e2": {"from": "a", "to": "y", "when": "inputs.n > 0"},
    }
    return seen(Desk(flow({"a": kind("branch", **given), "x": function(), "y": function()}, made), {"n": 1}))


def joined(**config: Any) -> Any:
    nodes = {"a": function(), "b": function(), "c": function(), "all": join(**config), "after": function()}
    desk = Desk(flow(nodes, edges("a all", "b all", "c all", "all after")))
    found = []
    for name in "ab":
        desk.complete(name)
        found.append(seen(desk))
    return found


@shows("join", "mode", "all", "any")
@shows("join", "deadline", LEFT_OUT, "10s")
def a_join(given: dict[str, Any], world: World) -> Any:
    return joined(**given)


@shows("join", "n", 2, 3)
def some(given: dict[str, Any], world: World) -> Any:
    return joined(mode="n", **given)


@shows("join", "cancel_rest", False, True)
def rest(given: dict[str, Any], world: World) -> Any:
    return joined(mode="any", **given)


@shows("timer", "for", "1s", "2s")
@shows("timer", "until", '"2030-01-01T00:00:00Z"', '"2031-01-01T00:00:00Z"')
def timer(given: dict[str, Any], world: World) -> Any:
    return seen(Desk(flow({"a": kind("timer", **given)})))


def messaged(payload: Any = "text", **config: Any) -> Any:
    desk = Desk(flow({"a": kind("wait", **{"message": "paid", **config})}))
    return code_of(lambda: desk.message("paid", "k", payload)), seen(desk)


@shows("wait", "message", "paid", "sent")
@shows("wait", "key", '"k"', '"other"')
@shows("wait", "payload", {"type": "string"}, {"type": "number"})
def message(given: dict[str, Any], world: World) -> Any:
    return messaged(**given)


def mapped(**config: Any) -> Any:
    desk = Desk(flow({"a": each(config.pop("items", "inputs.n"), {"x": function()}, **config)}), {"n": [1, 2, 3]})
    begun = seen(desk)
    desk.fail(next(iter(desk.jobs)))
    desk.work_off()
    return begun, seen(desk)


@shows("map", "items", "inputs.n", "[1]")
@shows("map", "window", 2, 3)
@shows("map", "failures", 0, 1)
def a_map(given: dict[str, Any], world: World) -> Any:
    return mapped(**given)


@shows("loop", "max", 2, 3)
@shows("loop", "while", LEFT_OUT, "loop.index < 1")
@shows("loop", "collect", False, True)
def a_loop(given: dict[str, Any], world: World) -> Any:
    desk = Desk(flow({"a": loop(given.pop("max", 3), {"x": function()}, **given)}))
    number = 0
    while desk.jobs:
        desk.complete(next(iter(desk.jobs)), number := number + 1)
    return number, seen(desk)


def answered(who: Caller, values: Any = None, **config: Any) -> Any:
    desk = Desk(flow({"a": approval(config=config, input={"n": "1"})}))
    return seen(desk), code_of(lambda: desk.answer("approve", who=who, values=values)), seen(desk)


@shows("approval", "role", "boss", "chief")
def role(given: dict[str, Any], world: World) -> Any:
    return answered(BOSS, **given)[1:]


@shows("approval", "not", [], ["starter"])
def barred(given: dict[str, Any], world: World) -> Any:
    return answered(STARTER, **given)[1:]


@shows("approval", "form", {"sum": "number"}, {"sum": "string"})
def form(given: dict[str, Any], world: World) -> Any:
    return answered(STARTER, {"sum": 1}, **given)[1:]


@shows("approval", "text", "Take {n}?", "Leave {n}?")
async def text(given: dict[str, Any], world: World) -> Any:
    app = await world.home()
    await app.push(flow({"a": approval(config=given, input={"n": "1"})}))
    return (await ticket_of(app, (await app.start("w")).id))["text"]


@shows("approval", "escalate", [], [{"after": "10s", "do": "approve"}])
def escalate(given: dict[str, Any], world: World) -> Any:
    desk = Desk(flow({"a": approval(config=given)}))
    begun = seen(desk)
    if desk.timers:
        desk.fire()
    return begun, seen(desk)


@shows("escalation", "after", "10s", "20s")
@shows("escalation", "do", "approve", "reject")
def a_rung(given: dict[str, Any], world: World) -> Any:
    return escalate({"escalate": [{"after": "10s", "do": "approve", **given}]}, world)


@shows("escalation", "role", "boss", "chief")
def reassigned(given: dict[str, Any], world: World) -> Any:
    desk = Desk(flow({"a": approval(config={"escalate": [{"after": "10s", "do": "reassign", **given}]})}))
    desk.fire()
    return code_of(lambda: desk.answer("approve", who=BOSS))


@shows("approval", "notify", ["webhook:ops"], ["webhook:desk"])
async def notify(given: dict[str, Any], world: World) -> Any:
    peer = await world.peer()
    peer.answer("/ops")
    peer.answer("/desk")
    app = await world.home(
        egress={"private": [f"127.0.0.1:{peer.port}"]},
        notify={"targets": {"ops": f"{peer.url}/ops", "desk": f"{peer.url}/desk"}},
    )
    await app.push(flow({"a": approval(config=given)}))
    await ticket_of(app, (await app.start("w")).id)
    await peer.asked()
    return peer.paths()
