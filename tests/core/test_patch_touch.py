"""Touch sets, rebase, freezing, rollback and diffs of patches, by example (SEMANTICS 4.1 to 4.3)."""

from typing import Any

import pytest

from aob.core.graph.patch import PatchError, apply, compile_operations, diff, render
from aob.core.graph.patch.difference import diff_hash
from aob.core.graph.patch.rollback import frozen_problems, inverse, rollback_operations
from aob.core.graph.patch.touch_set import Clash, Rebased, overlap, rebase, touch

ORDER: dict[str, Any] = {
    "workflow": "order",
    "timeout": "1h",
    "nodes": {
        "fetch": {"kind": "http", "config": {"url": "http://shop.example.com/"}},
        "score": {"kind": "function", "config": {"handler": "score"}, "retry": 3},
        "ship": {"kind": "function", "config": {"handler": "ship"}},
        "each": {
            "kind": "map",
            "config": {"items": "inputs.items"},
            "body": {"nodes": {"one": {"kind": "function"}, "two": {"kind": "function"}}, "edges": {}},
        },
    },
    "edges": {
        "e1": {"from": "fetch", "to": "score"},
        "e2": {"from": "score", "to": "ship"},
        "e3": {"from": "fetch", "to": "each"},
    },
}


def compiled(*operations: dict[str, Any]) -> list[dict[str, Any]]:
    return compile_operations(ORDER, operations)


def touched(*operations: dict[str, Any]) -> tuple[set[str], set[str]]:
    found = touch(ORDER, compiled(*operations))
    return set(found.writes), set(found.refers)


ADD_MAIL = {"op": "add_node", "id": "mail", "node": {"kind": "notify", "config": {"to": "slack:ops", "text": "!"}}}


class TestTouch:
    def test_a_new_edge_refers_to_what_it_joins(self) -> None:
        assert touched(ADD_MAIL, {"op": "connect", "from": "ship", "to": "mail"}) == (
            {"node:mail", "edge:ship-mail"},
            {"node:ship"},
        )

    def test_a_node_refers_to_what_its_input_names(self) -> None:
        named = {"kind": "function", "input": {"a": "nodes.fetch.output.x + nodes['score'].output", "b": "inputs.y"}}
        assert touched({"op": "add_node", "id": "new", "node": named})[1] == {"node:fetch", "node:score"}

    def test_config_that_is_cel_and_conditions_of_edges_count_too(self) -> None:
        config = {"items": "nodes.fetch.output"}
        assert touched({"op": "replace_config", "id": "each", "config": config})[1] == {"node:fetch"}
        edge = {"op": "connect", "from": "ship", "to": "each", "when": "nodes.score.output > 1"}
        assert touched(edge)[1] == {"node:ship", "node:each", "node:score"}
        assert touched({"op": "add", "path": "/output", "value": {"x": "nodes.ship.output"}}) == (
            {"field:output"},
            {"node:ship"},
        )

    def test_cel_that_reaches_nodes_in_a_way_we_cannot_read_relies_on_everything(self) -> None:
        hidden = {"kind": "function", "input": {"a": "nodes[inputs.name].output"}}
        assert touched({"op": "add_node", "id": "new", "node": hidden})[1] == {"*"}

    def test_text_that_only_mentions_nodes_relies_on_nothing(self) -> None:
        text = {"kind": "agent", "config": {"task": "Add nodes where they are needed."}}
        assert touched({"op": "add_node", "id": "new", "node": text})[1] == set()

    def test_inside_a_body_the_nodes_around_it_are_relied_on(self) -> None:
        node = {"kind": "function", "input": {"a": "nodes.two.output"}}
        writes, refers = touched({"op": "add_node", "in": "each", "id": "three", "node": node})
        assert writes == {"node:each/three"}
        assert refers == {"node:each", "node:each/two", "node:two"}

    def test_a_whole_node_takes_its_body_with_it(self) -> None:
        everything = {"node:each", "node:each/one", "node:each/two"}
        assert touched({"op": "remove_node", "id": "each"})[0] == everything | {"edge:e3"}
        body = {"nodes": {"new": {"kind": "function"}}, "edges": {}}
        assert touched({"op": "replace", "path": "/nodes/each/body", "value": body})[0] == everything | {
            "node:each/new"
        }
        assert touched({"op": "replace", "path": "/nodes/each/body/nodes", "value": {}})[0] == everything

    def test_all_nodes_at_once_are_everything(self) -> None:
        assert touched({"op": "replace", "path": "/nodes", "value": {}})[0] == {"*"}
        assert touched({"op": "test", "path": "/nodes/ship/kind", "value": "function"}) == (set(), {"node:ship"})

    def test_a_move_writes_both_ends_and_a_copy_one(self) -> None:
        move = {"op": "move", "from": "/nodes/score/retry", "path": "/nodes/ship/retry"}
        copy = {**move, "op": "copy"}
        assert touched(move) == ({"node:score", "node:ship"}, set())
        assert touched(copy) == ({"node:ship"}, {"node:score"})

    def test_two_patches_that_add_edges_from_one_node_are_disjoint(self) -> None:
        one = touch(ORDER, compiled({"op": "connect", "from": "fetch", "to": "ship"}))
        two = touch(ORDER, compiled({"op": "connect", "from": "fetch", "to": "each"}))
        assert not overlap(one, two)


class TestRebase:
    def test_disjoint_patches_go_on_top_of_each_other(self) -> None:
        theirs = compiled({"op": "replace_config", "id": "ship", "config": {"handler": "fast"}})
        mine = compiled({"op": "insert_between", "id": "mid", "node": {"kind": "join"}, "from": "fetch", "to": "each"})
        result = rebase(ORDER, [theirs], mine)
        assert isinstance(result, Rebased)
        assert list(result.operations) == mine
        assert result.result["nodes"]["ship"]["config"] == {"handler": "fast"}
        assert "mid" in result.result["nodes"]

    def test_a_conflict_names_the_patches_in_the_way_and_what_they_share(self) -> None:
        harmless = compiled({"op": "replace_config", "id": "fetch", "config": {}})
        removal = compiled({"op": "remove_node", "id": "ship"})
        mine = compiled(ADD_MAIL, {"op": "connect", "from": "ship", "to": "mail"})
        assert rebase(ORDER, [harmless, removal], mine) == Clash((1,), ("node:ship",))

    def test_a_change_in_a_body_meets_the_removal_of_the_node_around_it(self) -> None:
        removal = compiled({"op": "remove_node", "id": "each"})
        mine = compiled({"op": "add_node", "in": "each", "id": "three", "node": {"kind": "join"}})
        assert rebase(ORDER, [removal], mine) == Clash((0,), ("node:each",))
        assert isinstance(rebase(ORDER, [mine], removal), Clash)

    def test_a_patch_that_fits_no_base_is_refused(self) -> None:
        with pytest.raises(PatchError):
            rebase(ORDER, [], [{"op": "remove", "path": "/nodes/nope"}])


def frozen(*operations: dict[str, Any], dispatched: set[str], decided: frozenset[str] = frozenset()) -> list[str]:
    found = frozen_problems(ORDER, apply(ORDER, compiled(*operations)), dispatched, decided)
    assert all(problem.code == "frozen" and "fork" in problem.hint for problem in found)
    return [problem.path for problem in found]


class TestFreezing:
    def test_a_dispatched_node_stays_as_it_is(self) -> None:
        change = {"op": "replace_config", "id": "score", "config": {"handler": "x"}}
        assert frozen(change, dispatched={"score"}) == ["/nodes/score"]
        assert frozen(change, dispatched={"fetch"}) == []
        assert frozen({"op": "disable", "id": "score"}, dispatched={"score"}) == ["/nodes/score"]
        assert frozen(change, dispatched=set(), decided=frozenset({"score"})) == ["/nodes/score"]

    def test_what_tunes_a_node_may_change_at_any_time(self) -> None:
        tune = [
            {"op": "add", "path": "/nodes/score/timeout", "value": "5m"},
            {"op": "replace", "path": "/nodes/score/retry", "value": 9},
            {"op": "add", "path": "/nodes/score/priority", "value": "high"},
            {"op": "add", "path": "/nodes/score/labels", "value": {"a": "b"}},
        ]
        assert frozen(*tune, dispatched={"score"}) == []

    def test_a_removed_node_is_named_with_the_edge_that_ends_in_it(self) -> None:
        assert frozen({"op": "remove_node", "id": "ship"}, dispatched={"ship"}) == ["/nodes/ship", "/edges/e2"]

    def test_edges_into_what_was_dispatched_neither_come_nor_go(self) -> None:
        begun = {"fetch", "score"}
        assert frozen({"op": "disconnect", "id": "e1"}, dispatched=begun) == ["/edges/e1"]
        assert frozen({"op": "connect", "from": "each", "to": "score"}, dispatched=begun) == ["/edges/each-score"]
        turn = {"op": "replace", "path": "/edges/e2/to", "value": "score"}
        assert frozen(turn, dispatched=begun) == ["/edges/e2"]

    def test_edges_from_a_completed_node_to_one_that_waits_come_and_go(self) -> None:
        begun = {"fetch", "score"}
        assert frozen({"op": "connect", "from": "fetch", "to": "ship"}, dispatched=begun) == []
        assert frozen({"op": "disconnect", "id": "e2"}, dispatched=begun) == []

    def test_a_body_is_judged_where_its_scopes_move(self) -> None:
        after = apply(ORDER, compiled({"op": "replace_config", "in": "each", "id": "one", "config": {"handler": "x"}}))
        assert frozen_problems(ORDER, after, {"each"}) == []


class TestRollback:
    def test_what_was_dispatched_stays_with_the_edges_that_lead_to_it(self) -> None:
        operations = compiled(
            {"op": "insert_between", "id": "mid", "node": {"kind": "join"}, "from": "score", "to": "ship"},
            {"op": "replace_config", "id": "each", "config": {"items": "inputs.others"}},
        )
        now = apply(ORDER, operations)
        back = rollback_operations(now, inverse(ORDER, operations), {"fetch", "score", "mid"})
        after = apply(now, back)
        assert after["nodes"]["mid"] == {"kind": "join"}
        assert after["edges"].keys() == {"e1", "e2", "e3", "score-mid"}
        assert after["nodes"]["each"] == ORDER["nodes"]["each"]

    def test_a_kept_edge_keeps_its_source(self) -> None:
        operations = compiled(
            {"op": "add_node", "id": "late", "node": {"kind": "timer"}}, {"op": "connect", "from": "late", "to": "ship"}
        )
        now = apply(ORDER, operations)
        assert rollback_operations(now, inverse(ORDER, operations), {"ship"}) == []

    def test_tuning_of_a_dispatched_node_is_taken_back(self) -> None:
        operations = compiled(
            {"op": "replace", "path": "/nodes/score/retry", "value": 9},
            {"op": "replace_config", "id": "score", "config": {"handler": "x"}},
        )
        now = apply(ORDER, operations)
        back = rollback_operations(now, inverse(ORDER, operations), {"score"})
        assert apply(now, back)["nodes"]["score"] == {**ORDER["nodes"]["score"], "config": {"handler": "x"}}


class TestDiff:
    def test_it_says_what_came_went_and_changed(self) -> None:
        after = apply(
            ORDER,
            compiled(
                ADD_MAIL,
                {"op": "disconnect", "id": "e2"},
                {"op": "replace_config", "id": "score", "config": {"handler": "x"}},
                {"op": "add_node", "in": "each", "id": "three", "node": {"kind": "join"}},
                {"op": "remove", "path": "/timeout"},
            ),
        )
        found: Any = diff(ORDER, after)
        assert found["nodes"]["added"].keys() == {"mail", "each/three"}
        assert found["nodes"]["changed"]["score"]["after"]["config"] == {"handler": "x"}
        assert found["edges"]["removed"] == {"e2": {"from": "score", "to": "ship"}}
        assert found["fields"]["removed"] == {"timeout": "1h"}
        assert len(diff_hash(found)) == 64
        assert render(found) == [
            "+ node each/three (join)",
            "+ node mail (notify)",
            '+     config.to: "slack:ops"',
            '+     config.text: "!"',
            '~ node score config.handler: "score" → "x"',
            "- edge e2: score → ship",
            '- field timeout: "1h"',
        ]

    def test_the_hash_depends_on_the_change_alone(self) -> None:
        change = compiled({"op": "replace_config", "id": "score", "config": {"handler": "x"}})
        other = {**ORDER, "labels": {"a": "b"}}
        assert diff_hash(diff(ORDER, apply(ORDER, change))) == diff_hash(diff(other, apply(other, change)))
        assert diff_hash(diff(ORDER, ORDER)) != diff_hash(diff(ORDER, apply(ORDER, change)))

    def test_a_terminal_is_never_given_what_it_would_obey(self) -> None:
        text = "\x1b[2J\u202eevil\u2028\x07"
        node = {"kind": "notify", "config": {"text": text, text: 1}}
        lines = render(diff(ORDER, {**ORDER, "nodes": {**ORDER["nodes"], text: node, "long": {"kind": "x" * 5_000}}}))
        assert all(character.isprintable() for line in lines for character in line)
        assert max(map(len, lines)) < 500
        values = render(diff(ORDER, {**ORDER, "labels": {"a": "v" * 5_000, "b": "Zürich"}}))
        assert "more characters" in values[0]

    def test_a_changed_value_shows_both_sides(self) -> None:
        after = {
            **ORDER,
            "edges": {**ORDER["edges"], "e1": {"from": "fetch", "to": "ship", "when": "x", "on": "failure"}},
        }
        assert render(diff(ORDER, after)) == [
            '~ edge e1 to: "score" → "ship"',
            '~ edge e1 + when: "x"',
            '~ edge e1 + on: "failure"',
        ]
        added = {
            **ORDER,
            "edges": {**ORDER["edges"], "e9": {"from": "fetch", "to": "ship", "on": "failure", "order": 2}},
        }
        assert render(diff(ORDER, added)) == ["+ edge e9: fetch → ship (on failure, order 2)"]
        assert render(diff(added, ORDER)) == ["- edge e9: fetch → ship (on failure, order 2)"]
