"""SEMANTICS 3.1 and 3.4: passes of a body are scopes; maps with windows, failures, pages; loops; bodies in bodies."""

from typing import Any

import pytest

from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.stepping.step import Needs
from aob.core.value import canonical, decode, digest_of
from tests.core.run_desk import Desk, approval, each, edge, edges, flow, function, join, loop, named, sleep

BRANCH = {"kind": "branch", "config": {}}


def mapped(items: Any, **config: Any) -> Desk:
    return Desk(flow({"each": each("inputs.items", {"in": function(input={"n": "item"})}, **config)}), {"items": items})


# -- map ----------------------------------------------------------------------------------------------------------


def test_each_item_is_a_scope_and_results_keep_the_order_of_items() -> None:
    desk = mapped([10, 20, 30])
    assert set(desk.jobs) == {"each[0]/in", "each[1]/in", "each[2]/in"}
    for index in (2, 0, 1):
        desk.complete(f"each[{index}]/in", index * 2)
    assert desk.output() == {"count": 3, "failed": 0, "failed_items": [], "items": [0, 2, 4]}
    assert desk.status == "COMPLETED"


def test_no_items_make_an_empty_map() -> None:
    assert mapped([]).output() == {"count": 0, "failed": 0, "failed_items": [], "items": []}


@pytest.mark.parametrize("items", ["abc", 5, None, {"a": 1}])
def test_what_is_no_list_fails_its_map(items: Any) -> None:
    assert mapped(items).error["visit"] == "each"


def test_only_a_window_of_items_is_open_at_a_time() -> None:
    desk = mapped(list(range(7)), window=2)
    most = 0
    while desk.jobs:
        most = max(most, len(desk.jobs))
        desk.complete(next(iter(desk.jobs)), 1)
    assert most == 2
    assert desk.output()["items"] == [1] * 7


def test_a_failed_item_fails_the_map_and_ends_the_others() -> None:
    desk = mapped([1, 2, 3])
    desk.complete("each[0]/in")
    events = desk.fail("each[1]/in", "bad")
    assert (desk.status, desk.error["code"], desk.error["detail"]["code"]) == ("FAILED", "body_failed", "bad")
    assert ["each[2]/in"] in [event.visits for event in named(events, ev.TokensCancelled)]
    assert desk.complete("each[2]/in") == []


def test_as_many_items_may_fail_as_it_says() -> None:
    desk = mapped([1, 2, 3], failures=1)
    desk.fail("each[1]/in", "bad")
    assert set(desk.jobs) == {"each[0]/in", "each[2]/in"}
    desk.work_off()
    told = desk.output()
    assert (told["failed"], told["items"][1]["code"]) == (1, "bad")
    desk = mapped([1, 2, 3], failures=1)
    desk.fail("each[1]/in")
    desk.fail("each[2]/in")
    assert (desk.status, desk.error["message"]) == ("FAILED", "2 of 3 items failed")


def test_a_map_that_fails_takes_its_failure_edge_and_leaves_nothing_behind() -> None:
    nodes = {
        "each": each("[1, 2, 3]", {"in": function(timeout={"deadline": 9}), "ask": approval()}),
        "mend": function(),
    }
    desk = Desk(flow(nodes, {"x": edge("each", "mend", on="failure")}))
    desk.fail("each[1]/in")
    assert (desk.jobs, desk.timers, list(desk.run.scopes)) == ({"mend": 1}, {}, [""])
    assert all(ticket.answer for ticket in desk.run.tickets.values())
    desk.complete("mend")
    assert desk.status == "COMPLETED"


def test_items_that_fail_as_soon_as_they_open_leave_nothing_behind() -> None:
    inner = {"nap": sleep(5), "ask": approval(), "go": function(), "pick": BRANCH, "end": function()}
    ways = {"w": edge("pick", "end", when="item == 9")}
    nodes = {"each": each("[1, 2, 9]", inner, ways), "mend": function()}
    desk = Desk(flow(nodes, {"x": edge("each", "mend", on="failure")}))
    assert (desk.jobs, desk.timers, list(desk.run.scopes)) == ({"mend": 1}, {}, [""])
    assert all(ticket.answer for ticket in desk.run.tickets.values())


def test_a_pass_that_fails_ends_what_opened_beside_it_in_the_same_decision() -> None:
    inner = {"go": function(), "nap": sleep(5), "pick": BRANCH, "end": function(), "late": sleep(6)}
    ways = edges("go nap", "go pick", "go late") | {"w": edge("pick", "end", when="item == 9")}
    desk = Desk(flow({"each": each("[1, 2, 9]", inner, ways, failures=3)}))
    desk.complete("each[0]/go")
    assert desk.timers == {}
    assert set(desk.jobs) == {"each[1]/go", "each[2]/go"}
    desk.complete("each[2]/go")
    desk.complete("each[1]/go")
    desk.complete("each[2]/end")
    desk.fire()
    desk.fire()
    assert desk.output()["failed"] == 2


def test_a_body_sees_its_item_and_what_lies_around_it() -> None:
    inner = {"in": function(input={"n": "item.n + nodes.base.output + inputs.plus"}), "out": function()}
    nodes = {"base": function(), "each": each("inputs.items", inner, edges("in out"))}
    desk = Desk(flow(nodes, edges("base each")), {"items": [{"n": 1}, {"n": 2}], "plus": 100})
    desk.complete("base", 10)
    assert [desk.input_of(visit) for visit in sorted(desk.jobs)] == [{"n": 111}, {"n": 112}]


def test_an_entry_of_a_body_without_an_input_gets_the_item() -> None:
    desk = Desk(flow({"each": each('["x", "y"]', {"in": function()})}))
    assert desk.input_of("each[1]/in") == "y"


def test_a_skipped_body_is_a_done_pass() -> None:
    inner = {"pick": BRANCH, "go": function(), "no": function()}
    ways = {"y": edge("pick", "go", when="item > 1"), "n": edge("pick", "no", **{"else": True})}
    desk = Desk(flow({"each": each("[1, 2]", inner, ways)}))
    assert set(desk.jobs) == {"each[0]/no", "each[1]/go"}
    desk.work_off()
    assert desk.status == "COMPLETED"


def from_blob(lines: bytes, **given: Any) -> Desk:
    digest = digest_of(lines)
    ref = {"$ref": f"sha256:{digest.hex()}", "size": len(lines)}
    document = flow({"each": each("inputs.blob", {"in": function()}, window=2)})
    return Desk(document, {"blob": ref}, **{"values": {digest: lines}, **given})


def test_items_come_from_a_blob_of_ndjson_line_by_line() -> None:
    desk = from_blob(b'{"b": 1,  "a": 2}\n\n"x"\n[3]\n')
    assert [desk.input_of(visit) for visit in sorted(desk.jobs)] == [{"a": 2, "b": 1}, "x"]
    desk.work_off()
    assert desk.output()["count"] == 3


def test_a_line_that_is_no_json_fails_its_map_and_never_reaches_a_record() -> None:
    desk = from_blob(b'1\n2\n{"a": \n4\n')
    desk.complete("each[0]/in")
    assert (desk.status, desk.error["code"], desk.error["detail"]["code"]) == ("FAILED", "body_failed", "bad_item")
    desk = from_blob(b"{oh no\n1")
    assert (desk.status, desk.error["code"]) == ("FAILED", "bad_item")


def test_items_that_are_not_at_hand_are_asked_for() -> None:
    with pytest.raises(Needs):
        from_blob(b"1", values={})


def test_many_items_are_kept_by_pages_of_a_thousand() -> None:
    desk = Desk(flow({"each": each("inputs", {"in": function(disabled=True)}, window=10_000)}), list(range(2_500)))
    manifest = desk.output()
    listed = decode(desk.fetched(canonical(manifest["$items"])))
    assert (manifest["count"], len(listed["pages"])) == (2_500, 3)
    pages = [decode(desk.fetched(canonical(page))) for page in listed["pages"]]
    assert [item for page in pages for item in page] == list(range(2_500))


def test_a_page_is_written_when_its_last_result_is_there_and_leaves_memory() -> None:
    desk = Desk(flow({"each": each("inputs", {"in": function()}, window=1_000)}), list(range(1_002)))
    desk.record_completions(f"each[{index}]/in" for index in range(1, 1_000))
    assert named(desk.events, ev.PageClosed) == []
    events = desk.complete("each[0]/in", 0)
    assert [event.page for event in named(events, ev.PageClosed)] == [0]
    assert len(desk.run.bodies["each"].outputs) == 0
    desk.work_off()
    listed = decode(desk.fetched(canonical(desk.output()["$items"])))
    assert (desk.status, len(listed["pages"])) == ("COMPLETED", 2)


# -- loop ---------------------------------------------------------------------------------------------------------


def test_a_loop_runs_its_body_as_often_as_it_says() -> None:
    desk = Desk(flow({"loop": loop(3, {"in": function(input={"i": "loop.index"})})}))
    seen = []
    while desk.jobs:
        (visit,) = desk.jobs
        seen.append((visit, desk.input_of(visit)["i"]))
        desk.complete(visit, len(seen))
    assert seen == [("loop#0/in", 0), ("loop#1/in", 1), ("loop#2/in", 2)]
    assert desk.output() == 3


def test_a_loop_goes_on_while_its_condition_holds_and_sees_the_pass_before() -> None:
    desk = Desk(flow({"loop": loop(10, {"in": function()}, **{"while": "loop.index == 0 || loop.previous < 3"})}))
    for output in (1, 2, 3):
        desk.complete(next(iter(desk.jobs)), output)
    assert (desk.status, desk.output()) == ("COMPLETED", 3)


def test_a_loop_may_collect_every_pass() -> None:
    desk = Desk(flow({"loop": loop(3, {"in": function()}, collect=True)}))
    for output in "abc":
        desk.complete(next(iter(desk.jobs)), output)
    assert desk.output() == {"count": 3, "items": ["a", "b", "c"], "exhausted": True}


def test_a_loop_that_never_begins_hands_its_input_on() -> None:
    desk = Desk(flow({"loop": loop(3, {"in": function()}, **{"while": "inputs.go"})}), {"go": False})
    assert (desk.status, desk.output()) == ("COMPLETED", {"go": False})


def test_a_pass_that_fails_fails_its_loop() -> None:
    desk = Desk(
        flow({"loop": loop(3, {"in": function()}), "mend": function()}, {"e": edge("loop", "mend", on="failure")})
    )
    desk.complete("loop#0/in")
    desk.fail("loop#1/in", "bad")
    assert (desk.jobs, desk.output("loop")["detail"]["code"]) == ({"mend": 1}, "bad")


def test_a_condition_that_cannot_be_asked_fails_its_loop_and_not_the_command() -> None:
    desk = Desk(flow({"loop": loop(3, {"in": function()}, **{"while": "loop.index == 0 || loop.previous.n > 1"})}))
    desk.complete("loop#0/in", "a text")
    assert (desk.status, desk.error["visit"], desk.error["code"]) == ("FAILED", "loop", "body_failed")


# -- bodies in bodies ---------------------------------------------------------------------------------------------


def test_a_loop_in_a_map_keeps_its_passes_apart() -> None:
    inner = {"loop": loop(2, {"in": function(input={"i": "item", "n": "loop.index"})})}
    desk = Desk(flow({"each": each('["a", "b"]', inner)}))
    assert [desk.input_of(visit) for visit in sorted(desk.jobs)] == [{"i": "a", "n": 0}, {"i": "b", "n": 0}]
    desk.complete("each[1]/loop#0/in", 1)
    assert set(desk.jobs) == {"each[0]/loop#0/in", "each[1]/loop#1/in"}
    desk.work_off()
    assert (desk.status, desk.output()["count"]) == ("COMPLETED", 2)


def test_a_map_in_a_map_fails_from_the_inside_out() -> None:
    inner = {"pair": each("item", {"in": function(), "nap": sleep(9)}, failures=0)}
    desk = Desk(flow({"each": each("[[1, 2], [3]]", inner, failures=1)}))
    desk.fail("each[0]/pair[1]/in")
    assert set(desk.run.scopes) == {"", "each[1]", "each[1]/pair[0]"}
    assert list(desk.timers) == ["sleep each[1]/pair[0]/nap"]
    desk.complete("each[1]/pair[0]/in")
    desk.fire()
    told = desk.output()
    assert (told["failed"], told["items"][0]["code"]) == (1, "body_failed")


def test_an_output_of_the_world_around_cannot_be_mistaken_for_one_inside() -> None:
    inner = {"a": function(input={"n": "nodes.outer.output"}), "b": function(input={"n": "nodes.a.output"})}
    desk = Desk(flow({"outer": function(), "each": each("[1]", inner, edges("a b"))}, edges("outer each")))
    desk.complete("outer", "around")
    assert desk.input_of("each[0]/a") == {"n": "around"}
    desk.complete("each[0]/a", "inside")
    assert desk.input_of("each[0]/b") == {"n": "inside"}


def test_joins_timers_and_tickets_live_in_a_body_too() -> None:
    inner = {"a": function(), "nap": sleep(5), "ask": approval(), "j": join(mode="n", n=2, deadline=60)}
    ways = edges("a j", "nap j") | {"y": edge("ask", "j", on="approved")}
    desk = Desk(flow({"each": each("[1, 2]", inner, ways)}))
    desk.complete("each[0]/a")
    assert "join each[0]/j" in desk.timers
    desk.fire("each[0]/nap")
    assert desk.how("each[0]/j") == "success"
    tickets = [ticket for ticket in desk.run.tickets.values() if not ticket.answer]
    for ticket in tickets:
        desk.answer("approve", ticket=ticket.id)
    desk.complete("each[1]/a")
    while desk.timers:
        desk.fire()
    assert desk.status == "COMPLETED"


def test_cancelling_a_run_ends_every_pass() -> None:
    desk = Desk(flow({"each": each("[1, 2]", {"loop": loop(5, {"in": function(), "nap": sleep(1)})})}))
    desk.cancel()
    assert (desk.status, desk.run.tokens, desk.timers) == ("CANCELLED", {}, {})
    assert desk.do(cmd.Fire("sleep:each[0]/loop#0/nap")) == []
