"""What a wait takes, how long a retry waits, how a loop ends: by the first rules and by those of now."""

from typing import Any

import pytest

from aob.core.errors import Invalid
from aob.core.graph import check, compile_workflow
from tests.core.run_desk import Desk, edge, flow, function, kind, loop

PAYLOAD = {"type": "object", "required": ["n"]}


def wait(**config: Any) -> dict[str, Any]:
    return kind("wait", {}, message="go", **config)


# -- the payload of a wait ----------------------------------------------------------------------------------------


class TestPayload:
    def test_that_does_not_fit_is_refused_while_the_wait_is_open(self) -> None:
        desk = Desk(flow({"w": wait(payload=PAYLOAD)}))
        with pytest.raises(Invalid) as caught:
            desk.message("go", payload="bad")
        assert [problem.path for problem in caught.value.problems] == ["/payload"]
        assert desk.run.messages == []
        desk.message("go", payload={"n": 1})
        assert desk.output() == {"n": 1}

    def test_reaches_the_wait_that_it_fits(self) -> None:
        nodes = {"any": wait(key="'k'"), "strict": wait(payload=PAYLOAD)}
        desk = Desk(flow(nodes))
        desk.message("go", "k", {"n": 1})
        desk.message("go", "k", {"n": 2})
        assert desk.output() == {"any": {"n": 1}, "strict": {"n": 2}}
        desk = Desk(flow(nodes))
        desk.message("go", "k", "loose")
        assert (desk.how("any"), desk.how("strict")) == ("success", "open")

    def test_of_an_early_message_that_does_not_fit_is_passed_over_and_kept(self) -> None:
        nodes = {"a": function(), "w": wait(payload=PAYLOAD), "x": wait()}
        desk = Desk(flow(nodes, {"e": edge("a", "w"), "f": edge("w", "x")}))
        desk.message("go", payload="bad", id="early")
        desk.message("go", payload={"n": 1}, id="good")
        desk.complete("a")
        assert (desk.status, desk.output()) == ("COMPLETED", "bad")  # the wait after it takes anything

    def test_is_looked_at_by_nobody_under_the_first_rules(self) -> None:
        desk = Desk(flow({"w": wait(payload=PAYLOAD)}), rules_number=1)
        desk.message("go", payload="bad")
        assert desk.output() == "bad"


# -- keys ---------------------------------------------------------------------------------------------------------

KEYS = [(True, "true"), (5, "5"), (5.0, "5"), (1.5, "1.5"), ("k", "k"), (-(2**63), str(-(2**63)))]


class TestAKey:
    @pytest.mark.parametrize(("value", "key"), KEYS)
    def test_is_the_text_that_the_language_makes_of_it(self, value: Any, key: str) -> None:
        desk = Desk(flow({"w": wait(key="inputs.k")}), {"k": value})
        assert desk.run.waits == {"w": ("go", key)}
        desk.message("go", key, 1)
        assert desk.output() == 1

    @pytest.mark.parametrize("value", [None, [], [1], {}, {"a": 1}, 2**64])
    def test_that_has_no_text_fails_its_node(self, value: Any) -> None:
        desk = Desk(flow({"w": wait(key="inputs.k")}), {"k": value})
        assert (desk.status, desk.error["code"]) == ("FAILED", "expression_failed")
        assert desk.error["message"].startswith("key of w: ")

    def test_is_what_it_was_under_the_first_rules(self) -> None:
        desk = Desk(flow({"w": wait(key="inputs.k")}), {"k": True}, rules_number=1)
        assert desk.run.waits == {"w": ("go", "True")}


# -- how long a retry waits ---------------------------------------------------------------------------------------


def retries(retry: Any, rules: int) -> Any:
    return compile_workflow(flow({"a": function(retry=retry)}), None, rules).nodes["a"].spec.retry


class TestRetry:
    @pytest.mark.parametrize(("first", "longest_ms"), [("1s", 60_000), ("60s", 60_000), ("1h", 3_600_000)])
    def test_waits_as_long_as_its_first_wait_at_least(self, first: str, longest_ms: int) -> None:
        made = retries({"attempts": 5, "first": first}, 2)
        assert (made.first_ms <= made.max_ms, made.max_ms) == (True, longest_ms)

    def test_with_a_first_wait_above_the_longest_is_refused(self) -> None:
        document = flow({"a": function(retry={"attempts": 5, "first": "1h", "max": "1m"})})
        (problem,) = check(document)
        assert (problem.path, problem.code) == ("/nodes/a/retry", "bad_retry")
        assert check(document, rules=1) == []

    def test_is_cut_short_as_before_under_the_first_rules(self) -> None:
        assert retries({"attempts": 5, "first": "1h"}, 1).max_ms == 60_000
        assert retries({"attempts": 5, "first": "1h", "max": "1m"}, 1).max_ms == 60_000

    def test_comes_after_its_first_wait(self) -> None:
        desk = Desk(flow({"a": function(retry={"attempts": 5, "first": "1h", "jitter": 0})}))
        desk.fail("a", transient=True)
        assert desk.timers == {"retry a": 3_600_000}


# -- loops --------------------------------------------------------------------------------------------------------


def turning(times: int, **config: Any) -> dict[str, Any]:
    return loop(times, {"x": function()}, **config)


def ended(desk: Desk) -> Desk:
    """Completes each pass with its number."""
    while any(visit.startswith("l#") for visit in desk.jobs):
        visit = next(iter(desk.jobs))
        desk.complete(visit, int(visit.partition("#")[2].partition("/")[0]))
    return desk


class TestALoop:
    @pytest.mark.parametrize(
        ("condition", "exhausted"), [("loop.index < 9", True), ("loop.index < 2", False), ("", True)]
    )
    def test_that_ends_by_its_max_says_so(self, condition: str, exhausted: bool) -> None:
        config = {"while": condition} if condition else {}
        desk = ended(Desk(flow({"l": turning(2, collect=True, **config)})))
        assert desk.output() == {"count": 2, "items": [0, 1], "exhausted": exhausted}

    def test_tells_expressions_also_when_it_collects_nothing(self) -> None:
        asked = {"e": "has(nodes.l.exhausted) && nodes.l.exhausted", "s": "nodes.l.state"}
        document = flow({"l": turning(2, **{"while": "inputs.go"}), "z": function(input=asked)}, {"e": edge("l", "z")})
        for go in (True, False):
            assert ended(Desk(document, {"go": go})).input_of("z") == {"e": go, "s": "completed"}

    def test_takes_its_edges_for_that_and_else_those_of_success(self) -> None:
        nodes = {"l": turning(2, **{"while": "inputs.go"}), "ok": function(), "over": function()}
        both = flow(nodes, {"e": edge("l", "ok"), "f": edge("l", "over", on="exhausted")})
        assert set(ended(Desk(both, {"go": True})).jobs) == {"over"}
        assert set(ended(Desk(both, {"go": False})).jobs) == {"ok"}
        only = flow({id: nodes[id] for id in ("l", "ok")}, {"e": edge("l", "ok")})
        desk = ended(Desk(only, {"go": True}))
        assert (set(desk.jobs), desk.input_of("ok")) == ({"ok"}, 1)

    def test_that_cannot_ask_once_more_was_ended_by_its_max(self) -> None:
        desk = ended(Desk(flow({"l": turning(2, collect=True, **{"while": "[true, true][loop.index]"})})))
        assert desk.output()["exhausted"] is True

    def test_ends_as_before_under_the_first_rules(self) -> None:
        desk = ended(Desk(flow({"l": turning(2, collect=True)}), rules_number=1))
        assert desk.output() == {"count": 2, "items": [0, 1]}
