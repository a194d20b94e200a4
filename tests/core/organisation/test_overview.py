"""An organisation as people see it: how full it is, what belongs to nobody, what differs between two instants."""

from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from aob.core.organisation import commands as cmd
from aob.core.organisation import overview
from aob.core.organisation.parts import TopicSpec
from tests.core.organisation.org_desk import Desk


def test_namespaces_say_what_they_have_of_what_they_may_have() -> None:
    desk = Desk()
    desk.request("acme.shop.orders")
    desk.register("acme.shop.clerk")
    desk.register("acme.shop.gone")
    desk.ask(cmd.ScaleAgent("ann", "", "acme.shop.clerk", 4))
    desk.ask(cmd.RetireAgent("ann", "", "acme.shop.gone"))
    desk.request("plain")
    desk.ask(cmd.SetNamespace("root", "", "acme.none", instances=7))
    rows = {row["namespace"]: row for row in overview.namespace_rows(desk.state)}
    assert list(rows) == ["default", "acme.none", "acme.shop"]
    assert rows["acme.shop"]["topics"] == {"used": 1, "quota": 1_000}
    assert rows["acme.shop"]["agents"] == {"used": 1, "quota": 1_000}
    assert rows["acme.shop"]["instances"] == {"used": 4, "quota": 10_000}
    assert rows["acme.none"]["instances"] == {"used": 0, "quota": 7}
    assert rows["default"]["topics"]["used"] == 1


def test_what_belongs_to_nobody_is_reported_with_the_reason() -> None:
    desk = Desk()
    for name, owner in (("used", "ann"), ("alone", "ann"), ("left", "clerk"), ("gone", "ann")):
        desk.request(name, TopicSpec(owner))
    desk.register("clerk")
    desk.register("worker", consumes=("used", "order.created", "gone"))
    desk.ask(cmd.RetireAgent("ann", "", "clerk"))
    desk.ask(cmd.DeleteTopic("ann", "", "gone", 0, 0, force=True))
    assert [(each["name"], each["why"]) for each in overview.orphans(desk.state, {"order.created"})] == [
        ("worker", "there is no topic gone"),
        ("alone", "no agent consumes it or produces into it, no group reads it"),
        ("left", "its owner clerk is retired"),
    ]
    groups = {"billing": {"alone"}, "clerk": {"left"}}
    assert [(each["kind"], each["name"]) for each in overview.orphans(desk.state, {"order.created"}, groups)] == [
        ("group", "clerk"), ("agent", "worker"), ("topic", "left"),
    ]  # fmt: skip
    desk.register("worker", consumes=("used",))
    desk.deploy("worker", 2, 100)
    desk.ask(cmd.DeleteTopic("ann", "", "used", 1_000, 0, force=True))
    why = [each["why"] for each in overview.orphans(desk.state, ()) if each["name"] == "worker"]
    assert why == ["on its way out is the topic used"]
    desk.undelete("used")
    assert "worker" not in {each["name"] for each in overview.orphans(desk.state, ())}, "only what runs counts"


def test_a_difference_names_what_was_added_removed_and_changed() -> None:
    desk = Desk()
    desk.request("orders")
    desk.request("old")
    desk.register("clerk", handler="a")
    before = deepcopy(desk.state)
    assert overview.difference(before, desk.state) == []
    desk.delete("old", 0, 0)
    desk.request("acme.shop.new")
    desk.ask(cmd.ChangeTopic("ann", "", "orders", TopicSpec("bob")))
    desk.register("clerk", handler="b")
    desk.deploy("clerk", 2, 10)
    found = overview.difference(before, desk.state)
    assert [(each["change"], each["kind"], each["name"]) for each in found] == [
        ("added", "namespace", "acme.shop"), ("added", "topic", "acme.shop.new"), ("removed", "topic", "old"),
        ("changed", "topic", "orders"), ("changed", "agent", "clerk"),
    ]  # fmt: skip
    assert found[3]["fields"] == [{"field": "owner", "before": "ann", "after": "bob"}]
    assert [each["field"] for each in found[4]["fields"]] == ["version", "shares"]


@given(st.lists(st.sampled_from(["orders", "acme.shop.a", "acme.shop.b"]), max_size=6), st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_a_difference_the_other_way_round_says_the_opposite(names: list[str], cut: int) -> None:
    desk, before = Desk(), Desk().state
    for place, name in enumerate(names):
        if place == cut:
            before = deepcopy(desk.state)
        if name in desk.state.topics:
            desk.delete(name, 0, 0)
        else:
            desk.request(name)
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    there = [(each["change"], each["kind"], each["name"]) for each in overview.difference(before, desk.state)]
    back = [(opposite[each["change"]], each["kind"], each["name"]) for each in overview.difference(desk.state, before)]
    assert there == back
