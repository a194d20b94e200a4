"""The law of alerts: none fires before its time, between `when` and `clear` nothing turns, a firing starts once."""

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aob.core.contract_model import AlertContract, ContractSet
from aob.core.errors import Conflict, NotFound
from aob.core.expression import EvalError
from aob.core.metric.alert import (
    AlertEvent,
    AlertState,
    Begin,
    Drop,
    Judge,
    Put,
    Silence,
    Tell,
    Weigh,
    commands,
    decide,
)

RULE = AlertContract(
    "high", 1, "refund_rate", "value > 0.5", clear="value < 0.2", for_ms=1_000, clear_for_ms=2_000, start="incident",
    inputs={"rate": "value", "who": "by", "at": "at"}, cooldown_ms=10_000, open_runs_max=2, by=("region",),
)  # fmt: skip
_events = msgspec.json.Decoder(list[AlertEvent])


def answer(values: dict[str, Any]) -> dict[str, Any]:
    return {"rows": [{"by": {"region": region}, "value": value} for region, value in values.items()]}


class Bench:
    """A law, its clock, and every event that it led to, folded as the journal would."""

    def __init__(self, contract: AlertContract = RULE) -> None:
        self.state, self.now_ms = AlertState("acme", "high"), 100_000
        self.judge = Judge(contract)
        self.events: list[AlertEvent] = []

    def ask(self, command: Any) -> list[AlertEvent]:
        events = _events.decode(msgspec.json.encode(decide(self.state, command, self.now_ms)))
        for event in events:
            self.state.fold(event)
        self.events += events
        return events

    def weigh(self, **values: Any) -> dict[str, str]:
        seen, _ = self.judge.weigh(answer(values) if self.judge.contract.by else {"value": values["eu"]})
        self.ask(Weigh(self.judge.contract, seen, self.now_ms, "", self.judge.absent({})))
        return {each.by.get("region", ""): each.phase for each in self.state.instances.values()}

    def after(self, ms: int, **values: Any) -> dict[str, str]:
        self.now_ms += ms
        return self.weigh(**values)


def test_it_fires_once_it_has_held_for_long_enough() -> None:
    bench = Bench()
    assert bench.weigh(eu=0.9, us=0.1) == {"eu": "pending"}
    assert bench.after(999, eu=0.9) == {"eu": "pending"}
    assert bench.after(1, eu=0.9) == {"eu": "firing"}


def test_a_break_begins_the_time_anew() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    assert bench.after(900, eu=0.4) == {}
    assert bench.after(100, eu=0.9) == {"eu": "pending"}
    assert bench.after(999, eu=0.9) == {"eu": "pending"}


def test_between_when_and_clear_a_firing_goes_on() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    assert bench.after(9_000, eu=0.3) == {"eu": "firing"}
    assert bench.after(1, eu=0.1) == {"eu": "clearing"}
    assert bench.after(1_000, eu=0.3) == {"eu": "firing"}
    assert bench.after(1, eu=0.1) == {"eu": "clearing"}
    bench.ask(Tell('["eu"]', bench.state.instances['["eu"]'].firing_ms))
    assert bench.after(2_000, eu=0.1) == {"eu": "ok"}
    bench.ask(Tell('["eu"]', 0))
    assert bench.state.instances == {}
    assert [row["what"] for row in bench.state.history] == ["firing", "ok"]


def test_no_value_fulfils_nothing_and_clears_what_fires() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    assert bench.after(1, eu=None) == {"eu": "clearing"}
    assert bench.after(1, eu=0.9) == {"eu": "firing"}
    assert bench.after(1) == {"eu": "clearing"}, "a value that is gone is no value"


def test_a_firing_whose_number_stays_away_says_no_data() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    bench.ask(Tell('["eu"]', bench.now_ms))
    bench.after(1, eu=None)
    assert bench.after(1_999, eu=None) == {"eu": "clearing"}
    assert bench.after(1, eu=None) == {"eu": "no_data"}
    [told] = bench.state.owed(RULE, bench.now_ms).tell
    assert told.firing_ms < 0
    bench.ask(Tell('["eu"]', told.firing_ms))
    assert bench.state.owed(RULE, bench.now_ms).tell == []
    assert bench.after(5_000) == {"eu": "no_data"}
    assert bench.after(1, eu=0.3) == {"eu": "ok"}, "between when and clear: it fires no more"
    assert [each.firing_ms for each in bench.state.owed(RULE, bench.now_ms).tell] == [0]
    bench.ask(Tell('["eu"]', 0))
    assert bench.state.instances == {}
    assert [row["what"] for row in bench.state.history] == ["firing", "no_data", "ok"]


def test_a_number_that_comes_back_bad_fires_again_and_starts_again() -> None:
    bench = Bench(msgspec.structs.replace(RULE, clear_for_ms=0))
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    assert bench.after(1) == {"eu": "no_data"}
    assert bench.state.owed(RULE, bench.now_ms).begin == []
    assert bench.after(1, eu=0.9) == {"eu": "pending"}
    assert bench.after(1_000, eu=0.9) == {"eu": "firing"}
    assert bench.state.owed(RULE, bench.now_ms).begin == ['["eu"]']


def test_a_number_that_never_comes_back_is_not_waited_for_for_ever() -> None:
    bench = Bench(msgspec.structs.replace(RULE, clear_for_ms=0))
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    bench.after(1)
    wake = bench.state.owed(RULE, bench.now_ms).wake_ms
    assert wake is not None
    assert bench.after(wake - bench.now_ms - 1) == {"eu": "no_data"}
    assert bench.after(1) == {}


@pytest.mark.parametrize(
    ("type", "phase"), [("count", "ok"), ("sum", "ok"), ("distinct", "ok"), ("average", "no_data")]
)
def test_nothing_counted_is_zero_and_no_average(type: str, phase: str) -> None:
    bench = Bench(msgspec.structs.replace(RULE, clear_for_ms=0, for_ms=0))
    bench.weigh(eu=0.9)
    gone = bench.judge.absent({"type": type})
    bench.ask(Weigh(RULE, (), bench.now_ms, "", gone))
    bench.now_ms += RULE.clear_for_ms
    bench.ask(Weigh(RULE, (), bench.now_ms, "", gone))
    assert bench.events[-1].phase == phase  # type: ignore[union-attr]


def test_what_an_expression_says_of_null_is_taken_at_its_word() -> None:
    silent = Bench(
        msgspec.structs.replace(RULE, when="value != null && value > 0.5", clear="", for_ms=0, clear_for_ms=0)
    )
    silent.weigh(eu=0.9)
    assert silent.after(1, eu=None) == {}
    loud = Bench(msgspec.structs.replace(RULE, when="value == null", clear="", for_ms=0))
    assert loud.weigh(eu=None) == {"eu": "firing"}
    assert loud.after(1) == {"eu": "firing"}


def test_an_expression_that_does_not_fit_the_value_turns_nothing_and_says_so() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    seen, wrong = bench.judge.weigh(answer({"eu": "much"}))
    assert (seen[0].holds, seen[0].clears) == (False, False)
    assert "value > 0.5" in wrong


def test_without_for_it_fires_at_once_and_by_default_clears_when_it_no_longer_holds() -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_ms=0, clear_for_ms=0, clear="", by=()))
    assert bench.weigh(eu=1) == {"": "firing"}
    assert bench.after(0, eu=0) == {}


def test_another_version_lets_what_is_pending_begin_anew() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.judge = Judge(msgspec.structs.replace(RULE, version=2))
    assert bench.after(1_000, eu=0.9) == {"eu": "pending"}
    assert bench.after(1_000, eu=0.9) == {"eu": "firing"}


def test_instances_are_bounded() -> None:
    bench = Bench()
    assert len(bench.weigh(**{f"r{n}": 0.9 for n in range(1_000)})) == 256


def test_a_firing_owes_its_start_until_it_is_settled_and_only_once() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    [key] = bench.state.owed(RULE, bench.now_ms).begin
    inputs = bench.judge.inputs(bench.state.instances[key])
    assert inputs == {"rate": 0.9, "who": {"region": "eu"}, "at": "1970-01-01T00:01:41Z"}
    [due] = bench.ask(Begin(key, RULE, inputs, "run_1"))
    assert due.run_id == "run_1"
    owed = bench.state.owed(RULE, bench.now_ms)
    assert (owed.begin, owed.resume) == ([], []), "the run was asked for in the same commit"
    bench.ask(commands.Settle(key, due.start_key, "run_1"))
    assert not bench.ask(commands.Settle(key, due.start_key, "run_1"))
    assert bench.state.runs == ("run_1",)
    assert not bench.ask(Begin(key, RULE, inputs, "run_1"))
    bench.ask(commands.RunOver("run_1"))
    assert bench.state.runs == ()
    assert not bench.ask(commands.RunOver("run_1"))


def test_a_start_of_an_earlier_release_is_asked_for_and_keeps_its_time_and_its_place() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    [due] = bench.ask(Begin('["eu"]', RULE, {"a": 1}, ""))
    bench.now_ms += 5_000
    [owed] = bench.state.owed(RULE, bench.now_ms).resume
    assert owed == due
    [again] = bench.ask(commands.Resume(due.start_key, "run_1"))
    assert again == msgspec.structs.replace(due, run_id="run_1")
    assert bench.state.owed(RULE, bench.now_ms).resume == []
    assert bench.state.begun_ms == due.at_ms
    assert not bench.ask(commands.Resume(due.start_key, "run_1"))
    bench.ask(commands.Settle("", due.start_key, "run_1"))
    assert (bench.state.runs, bench.state.due) == (("run_1",), {})
    assert not bench.ask(commands.Resume(due.start_key, "run_1"))


def test_a_start_waits_for_its_cooldown_and_for_a_place() -> None:
    bench = Bench()
    bench.weigh(eu=0.9, us=0.9, asia=0.9)
    bench.after(1_000, eu=0.9, us=0.9, asia=0.9)
    keys = bench.state.owed(RULE, bench.now_ms).begin
    assert len(keys) == 3
    [due] = bench.ask(Begin(keys[0], RULE, {}, "run_1"))
    bench.ask(commands.Settle(keys[0], due.start_key, "run_1"))
    owed = bench.state.owed(RULE, bench.now_ms)
    assert (owed.begin, owed.wake_ms) == ([], bench.now_ms + 10_000)
    assert not bench.ask(Begin(keys[1], RULE, {}, "run_2"))
    bench.now_ms += 10_000
    assert bench.state.owed(RULE, bench.now_ms).begin == keys[1:]
    assert bench.ask(Begin(keys[1], RULE, {}, "run_2"))
    bench.now_ms += 10_000
    assert not bench.ask(Begin(keys[2], RULE, {}, "run_3")), "one is open and one is on its way"
    assert bench.state.owed(RULE, bench.now_ms).begin == []
    bench.ask(commands.RunOver("run_1"))
    assert bench.state.owed(RULE, bench.now_ms).begin == keys[2:]


def test_inputs_that_cannot_be_made_end_the_matter() -> None:
    rule = msgspec.structs.replace(RULE, inputs={"x": "by.continent"})
    bench = Bench(rule)
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    instance = bench.state.instances['["eu"]']
    with pytest.raises(EvalError):
        bench.judge.inputs(instance)
    bench.ask(Begin('["eu"]', rule, {}, "", "no"))
    assert bench.state.owed(rule, bench.now_ms).begin == []
    assert bench.state.history[-1] == {"at": bench.now_ms, "what": "not_started", "reason": "no"}


def test_a_silence_holds_back_notices_and_starts_until_it_ends() -> None:
    bench = Bench()
    bench.ask(Silence(bench.now_ms + 60_000, "night", "me"))
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    owed = bench.state.owed(RULE, bench.now_ms)
    assert (owed.tell, owed.begin, owed.wake_ms) == ([], [], 160_000)
    assert not bench.ask(Begin('["eu"]', RULE, {}, "run_1"))
    bench.now_ms = 160_000
    owed = bench.state.owed(RULE, bench.now_ms)
    assert ([each.key for each in owed.tell], owed.begin) == (['["eu"]'], ['["eu"]'])


def test_what_began_and_ended_in_silence_is_never_told() -> None:
    bench = Bench(msgspec.structs.replace(RULE, clear_for_ms=0))
    bench.ask(Silence(bench.now_ms + 60_000, "", "me"))
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    assert bench.after(1, eu=0.1) == {}
    assert bench.state.owed(RULE, 200_000).tell == []


def test_a_dropped_alert_is_over_and_told_so() -> None:
    bench = Bench()
    bench.weigh(eu=0.9)
    bench.after(1_000, eu=0.9)
    bench.ask(Tell('["eu"]', bench.now_ms))
    known = ContractSet(alerts={"high": {1: RULE}})
    assert bench.state.contract(known) == RULE
    bench.ask(Drop(1, "me"))
    assert bench.state.contract(known) is None
    assert [each.firing_ms for each in bench.state.owed(None, bench.now_ms).tell] == [0]
    with pytest.raises(NotFound):
        bench.ask(Drop(1, "me"))
    newer = msgspec.structs.replace(RULE, version=2)
    assert bench.state.contract(ContractSet(alerts={"high": {1: RULE, 2: newer}})) == newer
    with pytest.raises(Conflict):
        bench.ask(Put(RULE, 0, "me"))
    bench.ask(Put(newer, 1, "me"))
    assert bench.state.contract(known) == newer


class Machine(RuleBasedStateMachine):
    """Any values at any time, with silences, notices and starts between: what must hold, always holds."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.held_since: dict[str, int] = {}
        self.clear_since: dict[str, int] = {}
        self.told: dict[str, str] = {}
        self.started: list[str] = []
        self.begun: list[int] = []
        self.open: set[str] = set()

    @rule(ms=st.integers(0, 3_000), values=st.dictionaries(
        st.sampled_from(["eu", "us"]), st.sampled_from([None, 0, 0.1, 0.3, 0.5, 0.6, 1]), max_size=2))  # fmt: skip
    def moves(self, ms: int, values: dict[str, Any]) -> None:
        bench = self.bench
        bench.now_ms += ms
        before = {each.by["region"]: each.phase for each in bench.state.instances.values()}
        for region in ("eu", "us"):
            value = values.get(region)
            if value is not None and value > 0.5:
                self.held_since.setdefault(region, bench.now_ms)
            else:
                self.held_since.pop(region, None)
            if value is None or value < 0.2:
                self.clear_since.setdefault(region, bench.now_ms)
            else:
                self.clear_since.pop(region, None)
        after = bench.weigh(**values)
        for region in ("eu", "us"):
            was, is_ = before.get(region, "ok"), after.get(region, "ok")
            fired = is_ in ("firing", "clearing") and was in ("ok", "pending")
            if fired:
                assert bench.now_ms - self.held_since[region] >= RULE.for_ms
            if was in ("firing", "clearing") and is_ not in ("firing", "clearing"):
                assert bench.now_ms - self.clear_since[region] >= RULE.clear_for_ms
            if was == "pending" and is_ == "pending":
                assert bench.now_ms - self.held_since[region] < RULE.for_ms

    @rule(ms=st.integers(0, 5_000))
    def silence(self, ms: int) -> None:
        self.bench.ask(Silence(self.bench.now_ms + ms, "", "me"))

    @rule()
    def tell(self) -> None:
        bench = self.bench
        for instance in list(bench.state.owed(RULE, bench.now_ms).tell):
            assert not bench.state.silent(bench.now_ms)
            told = "firing" if instance.firing_ms else "ok"
            assert (self.told.get(instance.key, "ok"), told) != ("ok", "ok")
            self.told[instance.key] = told
            bench.ask(Tell(instance.key, instance.firing_ms))

    @rule(settle=st.booleans())
    def begin(self, settle: bool) -> None:
        bench = self.bench
        for key in bench.state.owed(RULE, bench.now_ms).begin:
            for due in bench.ask(Begin(key, RULE, {}, f"run_{len(self.started)}")):
                assert due.start_key not in self.started, "a firing starts once"
                assert not self.begun or bench.now_ms - self.begun[-1] >= RULE.cooldown_ms
                self.started.append(due.start_key)
                self.begun.append(bench.now_ms)
        if settle:
            for due in list(bench.state.due.values()):
                self.open.add(due.run_id)
                bench.ask(commands.Settle(due.key, due.start_key, due.run_id))

    @rule()
    def a_run_ends(self) -> None:
        if self.open:
            run = min(self.open)
            self.open.remove(run)
            self.bench.ask(commands.RunOver(run))

    @invariant()
    def few_runs_are_open(self) -> None:
        assert len(self.open | set(self.bench.state.due)) <= RULE.open_runs_max

    @invariant()
    def the_record_alone_gives_the_same_state(self) -> None:
        again = AlertState("acme", "high")
        for event in self.bench.events:
            again.fold(event)
        assert again.instances == self.bench.state.instances
        assert again.owed(RULE, self.bench.now_ms) == self.bench.state.owed(RULE, self.bench.now_ms)


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMachine = Machine.TestCase
