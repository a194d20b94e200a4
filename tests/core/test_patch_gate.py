"""The gate of patches (O9): spawn budget, hosts, once effects, approvals, and who has to be asked."""

from typing import Any

import pytest

from aob.core.graph.patch import apply, compile_operations
from aob.core.policy import PatchRules, Verdict, budget_left, review_patch
from aob.core.policy.effect import Free
from aob.core.policy.host import host_of, matches

ORDER: dict[str, Any] = {
    "workflow": "order",
    "limits": {"agents": 5},
    "nodes": {
        "fetch": {"kind": "http", "config": {"url": "https://api.example.com/orders"}},
        "clerk": {"kind": "agent", "config": {"task": "look"}},
        "risky": {"kind": "branch"},
        "review": {"kind": "approval", "config": {"role": "finance"}},
        "ship": {"kind": "function", "config": {"handler": "ship"}},
        "refund": {"kind": "function", "config": {"handler": "refund"}, "effect": "once"},
        "tell": {"kind": "notify", "config": {"to": "mailto:{email}", "text": "shipped"}},
    },
    "edges": {
        "e1": {"from": "fetch", "to": "clerk"},
        "e2": {"from": "clerk", "to": "risky"},
        "e3": {"from": "risky", "to": "review", "when": "inputs.amount > 100", "order": 1},
        "e4": {"from": "risky", "to": "refund", "else": True},
        "e5": {"from": "review", "to": "ship", "on": "approved"},
        "e6": {"from": "ship", "to": "tell"},
    },
}
OPEN = PatchRules()


def judged(
    *operations: dict[str, Any], rules: PatchRules = OPEN, used: int = 0, kind: str = "agent", **more: Any
) -> Verdict:
    after = apply(ORDER, compile_operations(ORDER, operations))
    return review_patch(ORDER, after, caller_kind=kind, rules=rules, agents_used=used, **more)


def added(id: str, **node: Any) -> dict[str, Any]:
    return {"op": "add_node", "id": id, "node": node}


def http(url: str, **config: Any) -> dict[str, Any]:
    return added("call", kind="http", config={"url": url, **config})


def agents(number: int) -> list[dict[str, Any]]:
    return [added(f"agent{n}", kind="agent", config={"task": "help"}) for n in range(number)]


class TestWhatAppliesByItself:
    def test_a_function_without_effect_after_another(self) -> None:
        verdict = judged(
            added("log", kind="function", config={"handler": "log"}),
            {"op": "connect", "from": "ship", "to": "log"},
            handler_effects={"log": "none"},
        )
        assert verdict == Verdict(True, False)

    def test_a_call_of_a_host_that_the_workflow_calls_already(self) -> None:
        assert judged(http("https://api.example.com/stock")) == Verdict(True, False)

    @pytest.mark.parametrize("field", [{"labels": {"a": "b"}}, {"description": "x"}, {"priority": "low"}])
    def test_what_changes_nothing_that_happens(self, field: dict[str, Any]) -> None:
        ((name, value),) = field.items()
        assert judged({"op": "add", "path": f"/nodes/tell/{name}", "value": value}) == Verdict(True, False)


class TestWhatNeedsAPerson:
    @pytest.mark.parametrize(
        ("operations", "reason"),
        [
            ([added("mail", kind="notify", config={"to": "mailto:a@b.example", "text": "x"})], "adds an effect"),
            ([added("pay", kind="function", config={"handler": "pay"}, effect="once")], "adds an effect"),
            ([{"op": "replace_config", "id": "tell", "config": {"to": "mailto:x@y.example"}}], "changes an effect"),
            ([{"op": "add", "path": "/nodes/refund/input", "value": {"a": "1"}}], "changes an effect"),
            ([{"op": "add", "path": "/nodes/refund/effect", "value": "none"}], "changes an effect"),
            ([http("https://other.example.org/")], "new host: other.example.org"),
            ([http("https://api.example.com:8443/")], "new host: api.example.com:8443"),
            ([{"op": "replace_config", "id": "fetch", "config": {"url": "https://o.example.org"}}], "new host"),
            (agents(1), "adds an agent: agent0"),
            ([{"op": "replace_config", "id": "clerk", "config": {"task": "x", "tools": ["pay"]}}], "changes an agent"),
            ([{"op": "replace", "path": "/limits/agents", "value": 50}], "limits"),
            ([{"op": "replace_config", "id": "review", "config": {"role": "patch"}}], "changes the approval"),
            ([{"op": "disable", "id": "review"}], "changes the approval"),
            ([{"op": "remove_node", "id": "review"}], "removes the approval"),
            ([{"op": "connect", "from": "fetch", "to": "ship"}], "lets `ship` run without the approval `review`"),
            ([{"op": "replace", "path": "/edges/e5/on", "value": "rejected"}], "lets `ship` run without"),
            ([{"op": "remove_node", "id": "ship"}], "new way to run: tell"),
            ([{"op": "replace", "path": "/edges/e3/when", "value": "false"}], "branch `risky`, which decides"),
            ([{"op": "disconnect", "id": "e3"}], "takes away a way"),
            ([{"op": "connect", "from": "fetch", "to": "refund"}], "new way to run: refund"),
            ([{"op": "insert_between", "id": "log", "node": {"kind": "join"}, "from": "ship", "to": "tell"}],
             "changes what the effect `tell` depends on: edge"),
            ([{"op": "insert_between", "id": "log", "node": {"kind": "join"}, "from": "risky", "to": "review"}],
             "changes what the approval `review` depends on: edge"),
            ([{"op": "insert_between", "id": "boss", "node": {"kind": "approval"}, "from": "review", "to": "ship"}],
             "adds the approval `boss`"),
            ([{"op": "add", "path": "/nodes/tell/timeout", "value": "1m"}], "happens once: tell"),
            ([{"op": "add", "path": "/timeout", "value": "1m"}], "changes `timeout` of the workflow"),
        ],
    )  # fmt: skip
    def test_and_why(self, operations: list[dict[str, Any]], reason: str) -> None:
        verdict = judged(*operations)
        assert verdict.ok
        assert verdict.needs_person
        assert any(reason in found for found in verdict.reasons), verdict.reasons

    def test_what_a_handler_declares_counts_even_when_the_node_says_less(self) -> None:
        node = added("pay", kind="function", config={"handler": "pay"}, effect="none")
        assert not judged(node, handler_effects={"pay": "none"}).needs_person
        assert judged(node, handler_effects={"pay": "once"}).needs_person
        assert judged(node).needs_person, "the kind's own effect where no handler is known"
        assert judged(added("m", kind="notify", config={"to": "slack:x", "text": ""}, effect="none")).needs_person

    def test_what_stands_in_a_body_counts_too(self) -> None:
        body = {"nodes": {"in": {"kind": "agent", "config": {"task": "x"}}}, "edges": {}}
        verdict = judged(added("each", kind="map", config={"items": "inputs.items"}, body=body))
        assert verdict.agents_added == 1
        assert verdict.reasons == ("adds an agent: each/in",)

    def test_an_approval_in_a_body_is_guarded_like_any_other(self) -> None:
        body = {
            "nodes": {"ask": {"kind": "approval"}, "do": {"kind": "function"}},
            "edges": {"e": {"from": "ask", "to": "do", "on": "approved"}},
        }
        before = {
            **ORDER,
            "nodes": {**ORDER["nodes"], "each": {"kind": "map", "config": {"items": "[]"}, "body": body}},
        }
        after = apply(before, compile_operations(before, [{"op": "disconnect", "in": "each", "id": "e"}]))
        verdict = review_patch(before, after, caller_kind="plan", rules=OPEN, agents_used=0)
        assert "lets `do` run without the approval `ask`" in verdict.reasons

    def test_the_home_may_ask_always_or_trust_a_kind_of_author(self) -> None:
        tuning = {"op": "add", "path": "/nodes/tell/description", "value": "x"}
        assert judged(tuning, rules=PatchRules(always_person=True)).needs_person
        trusting = PatchRules(trusted_kinds=("person",))
        assert not judged(*agents(1), rules=trusting, kind="person").needs_person
        assert judged(*agents(1), rules=trusting, kind="agent").needs_person


def refused(*operations: dict[str, Any], rules: PatchRules = OPEN, **more: Any) -> list[tuple[str, str]]:
    verdict = judged(*operations, rules=rules, **more)
    assert verdict.ok == (not verdict.problems)
    return [(problem.path, problem.code) for problem in verdict.problems]


class TestWhatIsRefused:
    def test_agents_beyond_the_spawn_budget(self) -> None:
        assert refused(*agents(5)) == []
        assert refused(*agents(6)) == [("/nodes", "agent_budget")]
        assert refused(*agents(2), used=4) == [("/nodes", "agent_budget")]
        assert refused(*agents(3), rules=PatchRules(agents_max=2)) == [("/nodes", "agent_budget")]

    def test_a_patch_cannot_raise_its_own_budget(self) -> None:
        generous = PatchRules(agents_max=50)
        assert refused({"op": "replace", "path": "/limits/agents", "value": 99}, *agents(6), rules=generous)

    def test_what_is_left_of_the_budget_is_known_before_a_model_is_called(self) -> None:
        assert budget_left(OPEN, 2) == 3
        assert budget_left(OPEN, 9) == 0
        assert budget_left(OPEN, 0, {"limits": {"agents": 1}}) == 1
        assert budget_left(PatchRules(agents_max=2), 0, {"limits": {"agents": 9}}) == 2

    def test_forbidden_kinds(self) -> None:
        rules = PatchRules(forbidden_kinds=("agent",))
        assert refused(*agents(1), rules=rules) == [("/nodes/agent0/kind", "forbidden_kind")]
        assert refused({"op": "replace", "path": "/nodes/ship/kind", "value": "agent"}, rules=rules)
        assert refused({"op": "add", "path": "/nodes/clerk/labels", "value": {"a": "b"}}, rules=rules) == []

    def test_a_new_name_of_the_workflow(self) -> None:
        assert refused({"op": "replace", "path": "/workflow", "value": "other"}) == [("/workflow", "invalid")]

    def test_an_unknown_kind_of_author(self) -> None:
        assert refused(kind="root") == [("/kind", "invalid")]

    def test_hosts_outside_the_allow_list(self) -> None:
        rules = PatchRules(hosts_allowed=("*.example.com",))
        assert refused(http("https://api.example.com/x"), rules=rules) == []
        assert refused(http("https://example.com/x"), rules=rules) == [("/nodes/call/config/url", "host")]
        assert refused(http("https://evilexample.com/x"), rules=rules) == [("/nodes/call/config/url", "host")]

    @pytest.mark.parametrize(
        "url",
        ["http://127.0.0.1/", "http://localhost:8080/", "http://10.1.2.3/", "http://192.168.0.1/", "http://shop/orders",
         "http://169.254.169.254/latest/", "http://metadata.google.internal/", "http://[::1]/", "http://[fd00::1]/",
         "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::7f00:1]/",
         "http://2130706433/", "http://0x7f000001/", "http://017700000001/", "http://127.1/", "http://0x7f.1/",
         "http://0/", "http://0.0.0.0/", "http://100.64.0.1/", "http://224.0.0.1/", "http://LOCALHOST./",
         "http://\uff11\uff12\uff17.0.0.1/", "http://127\u30020\u30020\u30021/", "http://a.localhost/",
         "http://168.63.129.16/", "http://kube.default.svc/", "http://[fe80::1]/", "http://[fec0::1]/"],
    )  # fmt: skip
    def test_private_hosts_in_every_spelling(self, url: str) -> None:
        assert refused(http(url)) == [("/nodes/call/config/url", "private_host")]

    @pytest.mark.parametrize(
        "url",
        ["", "/orders", "orders", "http:///x", "http://", "http://a b/", "http://a\\@b.example/", "http://user@a.example/",
         "http://a.example\n/", "http://a%2eexample.com/", "http://[::1", "http://[fe80::1%25eth0]/", "http://1.2.3.4.5/",
         "http://999.1.1.1/", "http://a.example:99999/", "http://a..example/", "http://0x/", "http://a.09/",
         "ftp://a.example/", "file:///etc/passwd", "http://" + "9" * 5_000 + "/", "http://-a.example/", "http://\x1b/"],
    )  # fmt: skip
    def test_urls_that_name_no_host_for_certain(self, url: str) -> None:
        if url == "http://0x/":
            assert refused(http(url)) == [("/nodes/call/config/url", "private_host")]
        else:
            assert refused(http(url)) == [("/nodes/call/config/url", "host")]

    @pytest.mark.parametrize(
        "url", ["{url}", "http://{host}/", "https://api.{name}.example/", "https://api.example.com{rest}",
                "https://api.example.com:{port}/", "{scheme}://api.example.com/", "https://{user}@api.example.com/"],
    )  # fmt: skip
    def test_hosts_filled_in_at_run_time(self, url: str) -> None:
        assert refused(http(url)) == [("/nodes/call/config/url", "host")]
        assert refused(http(url), rules=PatchRules(template_hosts_allowed=True)) == []

    def test_templates_behind_the_host_are_fine(self) -> None:
        assert refused(http("https://api.example.com/orders/{id}?q={q}")) == []

    def test_private_hosts_that_the_home_allows(self) -> None:
        rules = PatchRules(private_hosts_allowed=("127.0.0.1:8025", "10.0.0.0/8", "shop", "169.254.0.0/16"))
        assert refused(http("http://127.0.0.1:8025/x"), rules=rules) == []
        assert refused(http("http://127.1:8025/x"), rules=rules) == []
        assert refused(http("http://10.9.8.7/x"), rules=rules) == []
        assert refused(http("http://shop/orders"), rules=rules) == []
        assert refused(http("http://127.0.0.1/x"), rules=rules) != []
        assert refused(http("http://169.254.1.1/"), rules=rules) == []
        assert refused(http("http://169.254.169.254/"), rules=rules) != []

    def test_a_notice_is_checked_like_a_call(self) -> None:
        def notice(to: str) -> dict[str, Any]:
            return added("mail", kind="notify", config={"to": to, "text": "x"})

        assert refused(notice("http://169.254.169.254/")) == [("/nodes/mail/config/to", "private_host")]
        assert refused(notice("json://10.0.0.1/hook")) == [("/nodes/mail/config/to", "private_host")]
        assert refused(notice("{anything}")) == [("/nodes/mail/config/to", "host")]
        assert refused(notice("mailto:{email}")) == []
        assert refused(notice("slack:ops")) == []

    def test_what_the_base_calls_is_not_judged_again(self) -> None:
        before = {
            **ORDER,
            "nodes": {**ORDER["nodes"], "local": {"kind": "http", "config": {"url": "http://127.0.0.1/"}}},
        }
        after = {**before, "nodes": {**before["nodes"], "local": {**before["nodes"]["local"], "retry": 3}}}
        verdict = review_patch(before, after, caller_kind="agent", rules=OPEN, agents_used=0)
        assert verdict.ok


def test_the_version_of_the_rules_changes_with_them() -> None:
    assert PatchRules().version == PatchRules().version
    first = "6f46f185572208041fbf2aa16d68d89151fc2a64fb445686c5c38a7afab56181"
    assert PatchRules().version == first, "tickets that the first release opened are answered once"
    assert len({PatchRules(**more).version for more in ({}, {"four_eyes": True}, {"free": (Free("http"),)})}) == 3
    assert PatchRules().version != PatchRules(agents_max=6).version
    assert len(PatchRules().version) == 64


@pytest.mark.parametrize(
    ("url", "shown"),
    [("https://API.Example.com./x", "api.example.com"), ("http://127.1:80", "127.0.0.1:80"),
     ("http://[0:0::1]:9/", "[::1]:9"), ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
     ("http://8.8.8.8", "8.8.8.8"), ("http://x_y.example", "x_y.example")],
)  # fmt: skip
def test_a_host_has_one_spelling(url: str, shown: str) -> None:
    assert str(host_of(url)) == shown


@pytest.mark.parametrize("url", ["https://user@a.example/", "https://user:secret@a.example/"])
def test_secrets_in_a_url_are_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="by reference"):
        host_of(url)


def test_patterns_name_hosts() -> None:
    host = host_of("https://a.b.example.com:8443/")
    assert matches(host, ("a.b.example.com",))
    assert matches(host, ("A.B.example.com:8443",))
    assert matches(host, ("*.example.com",))
    assert not matches(host, ("a.b.example.com:443", "example.com", "*.b.example", "10.0.0.0/8"))
    assert matches(host_of("http://[::1]:9/"), ("::1",))
    assert matches(host_of("http://[::1]:9/"), ("[::1]:9",))
