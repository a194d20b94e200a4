"""The rules number: an artifact keeps the one it was accepted under, in its graph, its runs and their patches."""

import pytest
from msgspec import Raw

from aob.core.expression import EvalError
from aob.core.graph import check, compile_workflow
from aob.core.rules import FIRST_RULES, RULES
from aob.core.run import Run, fold
from aob.core.run.record import events as ev
from aob.core.run.record.event import decode_events, encode_events
from aob.core.value import canonical
from aob.runs.graphs import Expected, Graphs, Versions
from tests.core.run_desk import Desk, each, flow, function

DOCUMENT = flow({"a": function(), "m": each("[1]", {"x": function()})})
OLD_START = (
    b'[[1,"run_1","w","sha256:00","v1.0","main","default","ann",5,null,"","full","medium",0,1,{},[],"",["a"],[]]]'
)
ADD_B = [{"op": "add", "path": "/nodes/b", "value": function()}]


class TestAGraph:
    def test_says_its_rules_in_every_body_and_node(self) -> None:
        for rules in (FIRST_RULES, RULES):
            ir = compile_workflow(DOCUMENT, None, rules)
            body = ir.nodes["m"].body
            assert body is not None
            assert {ir.rules, body.rules, ir.nodes["a"].rules, body.nodes["x"].rules} == {rules}

    def test_of_other_rules_is_another_graph_of_the_same_nodes(self) -> None:
        old, new = compile_workflow(DOCUMENT, None, FIRST_RULES), compile_workflow(DOCUMENT)
        assert old.hash != new.hash
        assert {id: node.hash for id, node in old.nodes.items()} == {id: node.hash for id, node in new.nodes.items()}

    def test_is_cached_by_its_rules(self) -> None:
        graphs = Graphs(lambda tenant: {})
        old, new = (graphs.make("t", "sha256:00", rules, DOCUMENT) for rules in (FIRST_RULES, RULES))
        assert (old.ir(0).rules, new.ir(0).rules) == (FIRST_RULES, RULES)
        assert graphs.get("t", "sha256:00", FIRST_RULES) is old

    def test_stays_under_its_rules_when_it_is_patched(self) -> None:
        versions = Versions.base(DOCUMENT, Expected({}), FIRST_RULES).extended(ADD_B).again(ADD_B[:0])
        assert [versions.ir(number).rules for number in range(3)] == [FIRST_RULES] * 3

    def test_lets_its_expressions_cost_what_they_might_when_it_was_accepted(self) -> None:
        """1,100 comparisons of 64,000 bytes are more than a million operations, and less than ten."""
        document = flow({"a": function(input={"v": "inputs.l.all(i, inputs.t == inputs.t)"})})
        values = {"inputs": {"l": list(range(1_100)), "t": "x" * 64_000}}
        old, new = (compile_workflow(document, None, rules).nodes["a"].input for rules in (FIRST_RULES, RULES))
        assert old
        assert new
        assert old["v"].eval(values) is True
        with pytest.raises(EvalError, match="more than 1,000,000 operations"):
            new["v"].eval(values)

    def test_refuses_a_leading_dot_only_by_the_rules_of_now(self) -> None:
        document = flow({"a": function(input={"v": ".inputs.n"})})
        assert check(document, rules=FIRST_RULES) == []
        assert [problem.path for problem in check(document)] == ["/nodes/a/input/v"]


class TestARun:
    def test_of_before_there_was_a_number_goes_by_the_first_rules(self) -> None:
        run = fold(Run("run_1"), decode_events(OLD_START))
        assert run.rules == FIRST_RULES

    def test_records_the_rules_of_its_artifact(self) -> None:
        for rules in (FIRST_RULES, RULES):
            assert Desk(DOCUMENT, rules_number=rules).run.rules == rules

    def test_record_of_a_start_is_the_old_one_with_a_number_more(self) -> None:
        (old,) = decode_events(OLD_START)
        assert isinstance(old, ev.RunStarted)
        assert encode_events([old]) == OLD_START[:-2] + b',1,null,"",[],0,""]]'
        assert old.inputs == Raw(canonical(None))
