"""The law of declared topics: who asks is told why not, what goes can be kept until its end, and time ends what it was
said to end."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.core.errors import Conflict, Invalid, NotFound, TooLarge
from aob.core.organisation import commands as cmd
from aob.core.organisation import events as ev
from aob.core.organisation import limits, topics
from aob.core.organisation.naming import namespace_of
from aob.core.organisation.parts import TopicSpec
from aob.core.organisation.retaining import UNLIMITED, Retention, retention_of
from tests.core.organisation.org_desk import HOUR, SPEC, Desk


def kinds(events: list[ev.OrganisationEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def refusal(events: list[ev.OrganisationEvent]) -> str:
    (refused,) = events
    assert isinstance(refused, ev.TopicRefused)
    return refused.code


def test_the_same_request_again_changes_nothing_and_another_is_refused() -> None:
    desk = Desk()
    assert kinds(desk.request("orders")) == ["TopicCreated"]
    assert desk.request("orders") == []
    assert refusal(desk.request("orders", TopicSpec("bob"))) == "topic_exists"
    assert desk.state.topics["orders"].spec.owner == "ann"


def test_a_request_with_a_life_is_the_same_an_hour_later() -> None:
    desk, spec = Desk(), TopicSpec("ann", lives_ms=5 * HOUR)
    desk.request("orders", spec)
    expires_ms = desk.state.topics["orders"].expires_ms
    desk.after(HOUR)
    assert desk.request("orders", spec) == []
    assert desk.state.topics["orders"].expires_ms == expires_ms


@pytest.mark.parametrize(
    "name", ["", ".", "a.", ".a", "a..b", "a b", "ä", "x" * 201, "runs", "org", "aob.x", "dead.x", "in.orders", "a/b"]
)
def test_a_name_that_no_topic_can_have_is_refused(name: str) -> None:
    desk = Desk()
    assert refusal(desk.request(name)) == "bad_name"
    assert not desk.state.topics


@pytest.mark.parametrize(
    ("name", "namespace"),
    [("orders", "default"), ("shop.orders", "default"), ("acme.shop.orders", "acme.shop"), ("a.b.c.d", "a.b")],
)
def test_the_namespace_of_a_name_is_its_first_two_parts(name: str, namespace: str) -> None:
    assert namespace_of(name) == namespace
    desk = Desk()
    desk.request(name)
    assert set(desk.state.namespaces) == {namespace} - {"default"}


def test_a_namespace_holds_as_many_topics_as_its_quota_says() -> None:
    desk = Desk()
    desk.ask(cmd.SetNamespace("root", "", "acme.shop", topics=2))
    assert kinds(desk.request("acme.shop.a")) == kinds(desk.request("acme.shop.b")) == ["TopicCreated"]
    assert refusal(desk.request("acme.shop.c")) == "quota"
    desk.request("acme.other.c")
    desk.ask(cmd.SetNamespace("root", "", "acme.shop", topics=1))
    assert set(desk.state.topics) == {"acme.shop.a", "acme.shop.b", "acme.other.c"}, "what is there stays"
    assert desk.state.namespaces["acme.shop"].agents == 1_000, "what was left out stays"
    desk.delete("acme.shop.a", 0, 0)
    assert refusal(desk.request("acme.shop.c")) == "quota"


def test_a_tenant_has_a_bounded_number_of_topics_and_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "TOPICS_MAX", 3)
    monkeypatch.setattr(topics, "NAMESPACES_MAX", 2)
    desk = Desk()
    desk.request("a.a.x")
    desk.request("a.b.x")
    assert refusal(desk.request("a.c.x")) == "quota"
    with pytest.raises(TooLarge):
        desk.ask(cmd.SetNamespace("root", "", "a.c"))
    desk.request("y")
    assert refusal(desk.request("z")) == "quota"


def test_what_would_be_over_at_once_is_refused() -> None:
    desk = Desk()
    assert refusal(desk.request("a", TopicSpec("ann", lives_ms=limits.LIFE_MIN_MS - 1))) == "bad_expiry"
    assert refusal(desk.request("a", TopicSpec("ann", expires_at_ms=desk.now_ms))) == "bad_expiry"
    desk.request("a", TopicSpec("ann", lives_ms=limits.LIFE_MIN_MS))
    with pytest.raises(Invalid):
        desk.ask(cmd.ChangeTopic("ann", "", "a", TopicSpec("ann", lives_ms=1)))


def test_an_expired_topic_drains_is_readable_and_goes() -> None:
    desk = Desk()
    desk.request("a", TopicSpec("ann", lives_ms=HOUR))
    desk.after(HOUR - 1)
    assert desk.how("a") == "active"
    desk.after(1)
    assert (desk.how("a"), desk.state.topics["a"].reason) == ("draining", "expired")
    desk.after(limits.DRAIN_MS)
    assert desk.how("a") == "read_only"
    desk.after(limits.KEEP_MS - 1)
    assert "a" in desk.state.topics
    desk.after(1)
    assert "a" not in desk.state.topics
    assert {event.by for event in desk.events[1:]} == {"aob"}
    assert kinds(desk.request("a")) == ["TopicRefused"], "its records are being removed"
    assert kinds(desk.ask(cmd.NoteTopicPurged("a", 3, 100))) == ["TopicPurged"]
    assert desk.ask(cmd.NoteTopicPurged("a", 3, 100)) == []
    assert kinds(desk.request("a")) == ["TopicCreated"], "its name is free"


def test_a_topic_that_goes_can_be_kept_until_its_end() -> None:
    desk = Desk()
    desk.request("a", TopicSpec("ann", lives_ms=HOUR))
    for wait_ms, state in ((0, "draining"), (HOUR, "read_only"), (2 * HOUR - 1, "read_only")):
        desk.delete("a")
        desk.after(wait_ms)
        assert desk.how("a") == state
        assert refusal(desk.request("a", desk.state.topics["a"].spec)) == "topic_leaving"
        with pytest.raises(Conflict):
            desk.ask(cmd.ChangeTopic("ann", "", "a", SPEC))
        desk.undelete("a")
        kept = desk.state.topics["a"]
        assert (kept.state, kept.until_ms, kept.reason) == ("active", 0, "")
        assert kept.due_ms > desk.now_ms, "what had expired lives as long again"
    assert desk.undelete("a") == []
    desk.delete("a", 0, 0)
    for ask in (desk.undelete, desk.delete):
        with pytest.raises(NotFound):
            ask("a")


def test_a_deletion_that_is_asked_again_only_becomes_sooner() -> None:
    desk = Desk()
    desk.request("a")
    desk.delete("a", HOUR, HOUR)
    assert desk.delete("a", 2 * HOUR, 2 * HOUR) == []
    assert kinds(desk.delete("a", HOUR, HOUR // 2)) == ["TopicDraining"]
    assert kinds(desk.delete("a", 0, HOUR)) == ["TopicDraining", "TopicReadOnly"]
    assert desk.state.topics["a"].until_ms == desk.now_ms + HOUR // 2
    assert desk.delete("a", 0, HOUR) == []
    assert kinds(desk.delete("a", HOUR, 0)) == ["TopicReadOnly", "TopicDeleted"]


def test_what_is_changed_is_that_alone() -> None:
    desk = Desk()
    desk.request("a", TopicSpec("ann", lives_ms=HOUR))
    expires_ms = desk.state.topics["a"].expires_ms
    desk.after(HOUR // 2)
    desk.ask(cmd.ChangeTopic("bob", "", "a", TopicSpec("bob", lives_ms=HOUR)))
    assert desk.state.topics["a"].expires_ms == expires_ms, "its life goes on as it was"
    desk.ask(cmd.ChangeTopic("bob", "", "a", TopicSpec("bob", lives_ms=2 * HOUR)))
    assert desk.state.topics["a"].expires_ms == desk.now_ms + 2 * HOUR
    assert desk.ask(cmd.ChangeTopic("bob", "", "a", TopicSpec("bob", lives_ms=2 * HOUR))) == []
    assert desk.state.topics["a"].created_by == "ann"


@pytest.mark.parametrize(
    ("of", "config", "kept"),
    [
        ("work", {}, Retention("work", 168 * HOUR, UNLIMITED, "delete")),
        ("work", {"log.retention.hours": "24"}, Retention("work", 24 * HOUR)),
        ("work", {"log.retention.minutes": 5, "log.retention.hours": 1}, Retention("work", 300_000)),
        ("work", {"retention.ms": 7, "retention.minutes": 5, "retention.hours": -1}, Retention("work", 7)),
        ("work", {"log.retention.ms": -1, "log.retention.bytes": 1_024}, Retention("work", -1, 1_024)),
        ("audit", {"cleanup.policy": "compact"}, Retention("audit", 90 * 24 * HOUR, -1, "compact")),
        ("state", {"cleanup.policy": "delete, compact"}, Retention("state", -1, -1, "compact,delete")),
    ],
)
def test_names_of_kafka_are_understood_and_the_finer_unit_wins(
    of: str, config: dict[str, str | int], kept: Retention
) -> None:
    assert retention_of(of, config) == kept  # type: ignore[arg-type]  # one of the classes


@pytest.mark.parametrize(
    "config",
    [
        {"retention.hour": 1}, {"retention.ms": "soon"}, {"retention.ms": -2}, {"retention.bytes": "1" * 30},
        {"cleanup.policy": ""}, {"cleanup.policy": "compact;delete"}, {"retention.ms": "--1"}, {"retention.ms": "²"},
    ],
)  # fmt: skip
def test_a_setting_that_nobody_knows_is_refused_with_its_place(config: dict[str, str | int]) -> None:
    with pytest.raises(Invalid) as caught:
        retention_of("work", config)
    assert [each.path for each in caught.value.problems] == [f"/config/{name}" for name in config]


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30) | st.integers(), max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_settings_give_a_retention_or_problems(config: dict[str, str | int]) -> None:
    with suppress(Invalid):
        kept = retention_of("work", config)
        assert min(kept.ms, kept.bytes) >= -1
