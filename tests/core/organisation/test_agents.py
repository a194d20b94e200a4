"""The law of agents: versions never change, deployments go forward and back, who is retired works no more."""

import pytest

from aob.core.errors import Conflict, Invalid, NotFound, TooLarge
from aob.core.organisation import agents, limits
from aob.core.organisation import commands as cmd
from aob.core.organisation import events as ev
from aob.core.organisation.parts import Organisation, TopicSpec
from tests.core.organisation.org_desk import HOUR, Desk, folded


def kinds(events: list[ev.OrganisationEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def shares(desk: Desk, agent: str = "triage") -> list[tuple[int, int]]:
    return [(share.version, share.end) for share in desk.state.agents[agent].deployment.shares]


def test_the_first_version_gets_all_keys_and_the_next_none_until_it_is_deployed() -> None:
    desk = Desk()
    assert kinds(desk.register("triage", handler="a")) == ["AgentRegistered", "AgentDeployed"]
    assert desk.register("triage", handler="a") == []
    assert kinds(desk.register("triage", handler="b")) == ["AgentRegistered"]
    assert shares(desk) == [(1, 10_000)]
    assert desk.register("triage", handler="a") == [], "what is a version already stays that one"
    desk.deploy("triage", 0, 10)
    assert shares(desk) == [(2, 1_000), (1, 10_000)]
    assert desk.deploy("triage", 2, 10) == []
    assert desk.state.agents["triage"].owner == "ann"


def test_an_owner_changes_with_a_version_and_not_beside_one() -> None:
    desk = Desk()
    desk.register("triage", "support", handler="a")
    with pytest.raises(Conflict):
        desk.register("triage", "sales", handler="a")
    desk.register("triage", "sales", handler="b")
    assert desk.state.agents["triage"].owner == "sales"
    desk.register("triage", handler="c")
    assert desk.state.agents["triage"].owner == "sales"


def test_a_roll_back_restores_what_was_before_step_by_step() -> None:
    desk = Desk()
    for handler in "abc":
        desk.register("triage", handler=handler)
    seen = [shares(desk)]
    for version, percent in ((2, 10), (2, 50), (3, 100)):
        desk.deploy("triage", version, percent)
        seen.append(shares(desk))
    while len(seen) > 1:
        assert shares(desk) == seen.pop()
        desk.ask(cmd.RollBackAgent("ann", "", "triage"))
    assert shares(desk) == seen.pop()
    with pytest.raises(Conflict):
        desk.ask(cmd.RollBackAgent("ann", "", "triage"))


def test_as_many_deployments_are_kept_as_the_limit_says() -> None:
    desk = Desk()
    desk.register("triage", handler="a")
    desk.register("triage", handler="b")
    for n in range(2 * limits.DEPLOYMENTS_KEPT):
        desk.ask(cmd.DeployAgent("ann", "", "triage", 2, n + 1))
    assert len(desk.state.agents["triage"].deployments) == limits.DEPLOYMENTS_KEPT


def test_an_agent_that_could_not_start_is_refused_with_every_name() -> None:
    desk = Desk()
    desk.request("orders")
    desk.request("old")
    desk.register("has_old", consumes=("old",))
    desk.ask(cmd.DeleteTopic("ann", "", "old", HOUR, HOUR, force=True))
    desk.register("fine", consumes=("orders", "order.created", "runs", "org"), produces=("orders",))
    with pytest.raises(Invalid) as caught:
        desk.register("bad", consumes=("orders", "ordres", "old"), produces=("runs", "order.created"))
    problems = {each.path: each.hint for each in caught.value.problems}
    assert caught.value.code == "unknown_source"
    assert problems == {
        "/consumes/1": "did you mean orders? Or declare it: aob topic create ordres",
        "/consumes/2": "aob topic undelete old",
        "/produces/0": "runs is a feed of the platform: nobody writes into it",
        "/produces/1": "aob topic create order.created",
    }  # fmt: skip
    desk.register("has_old", consumes=("old", "orders"))  # it had it before


def test_a_topic_that_agents_use_is_not_deleted_by_accident() -> None:
    desk = Desk()
    desk.request("orders")
    desk.register("triage", consumes=("orders",))
    with pytest.raises(Conflict) as caught:
        desk.delete("orders")
    assert (caught.value.code, "triage" in caught.value.detail) == ("topic_in_use", True)
    desk.register("triage", consumes=())
    with pytest.raises(Conflict):
        desk.delete("orders")  # the version that has the keys is the first
    desk.deploy("triage", 2, 100)
    assert kinds(desk.delete("orders")) == ["TopicDraining"]


def test_quotas_of_a_namespace_hold_for_agents_and_their_instances() -> None:
    desk = Desk()
    desk.ask(cmd.SetNamespace("root", "", "acme.shop", agents=2, instances=5))
    desk.register("acme.shop.a")
    desk.register("acme.shop.b")
    with pytest.raises(TooLarge):
        desk.register("acme.shop.c")
    desk.ask(cmd.ScaleAgent("ann", "", "acme.shop.a", 4))
    with pytest.raises(TooLarge):
        desk.ask(cmd.ScaleAgent("ann", "", "acme.shop.a", 5))
    desk.ask(cmd.ScaleAgent("ann", "", "acme.shop.a", 3))
    assert desk.ask(cmd.ScaleAgent("ann", "", "acme.shop.a", 3)) == []
    desk.ask(cmd.RetireAgent("ann", "", "acme.shop.a"))
    desk.register("acme.shop.c")
    with pytest.raises(TooLarge):
        desk.register("acme.shop.a")  # it would be back, and there is no room
    desk.register("acme.other.c")


def test_definitions_are_bounded_one_by_one_and_together(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    with pytest.raises(TooLarge):
        desk.register("a", description="x" * limits.DEFINITION_BYTES_MAX)
    monkeypatch.setattr(agents, "DEFINITIONS_BYTES_MAX", 4 * limits.DEFINITION_BYTES_MIN)
    for n in range(4):
        desk.register("a", handler=str(n))
    with pytest.raises(TooLarge):
        desk.register("a", handler="5")
    monkeypatch.setattr(agents, "VERSIONS_MAX", 4)
    monkeypatch.setattr(agents, "DEFINITIONS_BYTES_MAX", 1 << 30)
    with pytest.raises(TooLarge):
        desk.register("a", handler="5")
    monkeypatch.setattr(agents, "AGENTS_MAX", 1)
    with pytest.raises(TooLarge):
        desk.register("b")


def test_pause_and_resume_say_once_what_they_do() -> None:
    desk = Desk()
    desk.register("triage")
    assert kinds(desk.ask(cmd.PauseAgent("ann", "", "triage", "too dear"))) == ["AgentPaused"]
    assert desk.ask(cmd.PauseAgent("ann", "", "triage", "other")) == []
    assert desk.state.agents["triage"].paused == "too dear"
    assert kinds(desk.ask(cmd.ResumeAgent("ann", "", "triage"))) == ["AgentResumed"]
    assert desk.ask(cmd.ResumeAgent("ann", "", "triage")) == []


def test_who_is_retired_works_no_more_and_comes_back_when_it_is_registered_again() -> None:
    desk = Desk()
    desk.request("short", TopicSpec("triage", lives_ms=100 * HOUR))
    desk.request("long", TopicSpec("triage"))
    desk.register("triage", consumes=("long",), handler="a")
    events = desk.ask(cmd.RetireAgent("ann", "", "triage", "replaced"))
    assert kinds(events) == ["AgentRetired", "TopicDraining"]
    assert (desk.how("short"), desk.how("long")) == ("draining", "active")
    assert desk.ask(cmd.RetireAgent("ann", "", "triage")) == []
    for command in (
        cmd.DeployAgent("ann", "", "triage", 1, 100), cmd.RollBackAgent("ann", "", "triage"),
        cmd.PauseAgent("ann", "", "triage"), cmd.ResumeAgent("ann", "", "triage"),
        cmd.ScaleAgent("ann", "", "triage", 2),
    ):  # fmt: skip
        with pytest.raises(Conflict):
            desk.ask(command)
    assert kinds(desk.delete("long")) == ["TopicDraining"], "a retired agent uses nothing"
    desk.undelete("long")
    assert kinds(desk.register("triage", consumes=("long",), handler="a")) == ["AgentReturned"]
    assert shares(desk) == [(1, 10_000)]
    desk.ask(cmd.RetireAgent("ann", "", "triage"))
    assert kinds(desk.register("triage", handler="b")) == ["AgentReturned", "AgentRegistered"]


@pytest.mark.parametrize("name", ["", "a..b", "org", "in.x"])
def test_an_agent_has_a_name_as_topics_have(name: str) -> None:
    with pytest.raises(Invalid):
        Desk().register(name)


def test_what_is_not_there_is_not_found() -> None:
    desk = Desk()
    desk.register("triage")
    with pytest.raises(NotFound) as caught:
        desk.deploy("triag", 1, 10)
    assert caught.value.hint == "did you mean `triage`?"
    for number in (-1, 2):
        with pytest.raises(NotFound):
            desk.deploy("triage", number, 10)
    with pytest.raises(Invalid):
        desk.ask(cmd.DeployAgent("ann", "", "triage", 1, None, "b", "b"))


def test_an_event_about_what_is_not_there_is_taken() -> None:
    desk = Desk()
    desk.request("orders")
    desk.delete("orders", 0, 0)
    desk.register("triage")
    desk.ask(cmd.PauseAgent("ann", "", "triage"))
    desk.ask(cmd.RetireAgent("ann", "", "triage"))
    first = {"TopicCreated", "AgentRegistered"}
    later = [event for event in desk.events if type(event).__name__ not in first]
    assert folded(later) == Organisation()
