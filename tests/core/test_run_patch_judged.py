"""The third layer of the gate of patches: what a patch brought is judged again by the rules of the moment it begins."""

from typing import Any

import msgspec
import pytest

from aob.core.policy.patch import PatchRules
from aob.core.run.record import events as ev
from tests.core.run_desk import Desk, each, edge, edges, flow, function, join, kind, loop, named, sleep

CHAIN = flow({"a": function(), "b": function()}, edges("a b"))
CALL = kind("http", url="https://api.example.com/stock")
AGENT = kind("agent", task="help")


def brought(node: dict[str, Any], base: dict[str, Any] = CHAIN, at: str = "", **outs: Any) -> Desk:
    """A run whose `x`, brought by a patch that a person saw, comes after `a`."""
    desk = Desk(base)
    operations = [
        {"op": "add", "path": f"{at}/nodes/x", "value": node},
        {"op": "add", "path": f"{at}/edges/a_x", "value": edge("a", "x")},
        *({"op": "add", "path": f"{at}/edges/x_{to}", "value": edge("x", to, **fields)} for to, fields in outs.items()),
    ]
    if desk.propose(operations) == "proposed":
        desk.answer("approve")
    assert len(desk.run.graph_ops) == 1, desk.problems("patch_1")
    return desk


def now(desk: Desk, **rules: Any) -> None:
    desk.given.rules = msgspec.structs.replace(PatchRules(), **rules)


@pytest.mark.parametrize(
    ("node", "rules", "reason"),
    [
        (CALL, {"forbidden_kinds": ("http",)}, "forbids nodes of kind `http`"),
        (CALL, {"hosts_allowed": ("other.example",)}, "does not allow the host `api.example.com`"),
        (AGENT, {"agents_max": 0}, "patches may add 0 agents to a run now, and they have added 1"),
        (join(), {"forbidden_kinds": ("join",)}, "kind `join`"),
        (sleep(5), {"forbidden_kinds": ("timer",)}, "kind `timer`"),
        (each("[1]", {"in": function()}), {"forbidden_kinds": ("map",)}, "kind `map`"),
        (function(timeout={"deadline": "1h"}), {"forbidden_kinds": ("function",)}, "kind `function`"),
    ],
)
def test_a_refusal_is_an_event_and_fails_the_node_with_its_reason(
    node: dict[str, Any], rules: dict[str, Any], reason: str
) -> None:
    desk = brought(node)
    now(desk, **rules)
    events = desk.complete("a")
    (refused,) = named(events, ev.NodeRefused)
    assert (refused.visit, refused.rules) == ("x", desk.given.rules.version)
    assert reason in refused.reason
    assert (desk.status, desk.error["code"], desk.error["visit"]) == ("FAILED", "patch_refused", "x")
    assert desk.timers == {}


def test_it_begins_when_the_rules_let_it() -> None:
    desk = brought(CALL)
    now(desk, hosts_allowed=("*.example.com",), agents_max=1)
    assert named(desk.complete("a"), ev.NodeRefused) == []
    assert desk.jobs == {"b": 1, "x": 1}


def test_a_refusal_is_a_failure_like_any_other() -> None:
    desk = brought({**CALL, "on_failure": "skip"})
    now(desk, forbidden_kinds=("http",))
    desk.complete("a")
    desk.work_off()
    assert (desk.status, desk.how("x")) == ("COMPLETED", "skipped")


def test_what_the_base_says_is_not_judged() -> None:
    base = flow(
        {"a": function(), "b": {**CALL, "config": {**CALL["config"], "url": "http://127.0.0.1/"}}}, edges("a b")
    )
    desk = Desk(base)
    desk.apply([{"op": "add", "path": "/nodes/b/retry", "value": 3}])
    now(desk, forbidden_kinds=("http",), hosts_allowed=())
    desk.complete("a")
    assert desk.jobs == {"b": 1}


def test_in_a_body_too_and_each_pass_anew() -> None:
    base = flow({"m": loop(3, {"a": function()})})
    desk = brought(CALL, base, "/nodes/m/body")
    now(desk, forbidden_kinds=("http",))
    desk.complete("m#0/a")
    assert (desk.status, desk.error["detail"]["code"]) == ("FAILED", "patch_refused")
