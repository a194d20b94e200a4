"""Alerts at work in virtual time: when they are looked at, what people hear, what is started, also across a crash."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from aob.backends.memory.store import MemoryStore
from aob.core.contract import check_set, read_contracts
from aob.core.contract_model import ContractSet
from aob.core.errors import Invalid, NotFound, Refused, Unavailable
from aob.core.event import HOME, PARTITIONS, MessageMark, partition_of
from aob.core.metric.alert.events import StartDue
from aob.core.policy import Caller
from aob.metrics.alerting.reevaluator import Failures
from aob.ports.store import Batch, Head
from aob.testing.world.loop import VirtualLoop, run_virtual
from tests.metrics.alerting.bench import METRICS, T0_MS, Mortal, Process, World, passed

ME = Caller("acme", "me", frozenset({"admin"}))
OTHER = Caller("else", "they", frozenset({"view"}))
RULE = """
alert: refunds_high
version: 1
metric: refunds
when: value > 5
clear: value < 3
for: 10s
clear_for: 20s
start: {workflow: incident, inputs: {rate: value}, cooldown: 1m, open_runs: 1}
"""
AT_ONCE = "alert: now\nversion: 1\nmetric: refunds\nwhen: value > 5\n"


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test whose time costs nothing."""

    def run(**given: Any) -> None:
        run_virtual(VirtualLoop(), test(**given))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__signature__ = __import__("inspect").signature(test)  # type: ignore[attr-defined]  # for parametrize
    return run


@virtual
async def test_a_firing_is_told_and_starts_its_workflow_once() -> None:
    world = World(RULE)
    async with world.process() as here:
        here.say("refunds", 9)
        await passed(9_900)
        assert (await here.alerts.alerts(ME))[0]["state"] == "pending"
        assert world.heard == []
        await passed(200)
        assert world.states == ["firing"]
        await passed(100)
        assert list(here.runs.values()) == [{"rate": 9}]
        [view] = await here.alerts.alerts(ME, state="firing")
        assert (view["value"], view["runs"]) == (9, list(here.runs))
        for _ in range(20):
            here.say("refunds", 9)
            await passed(30_000)
        assert len(world.runs.asked) == 1
        here.say("refunds", 4)
        await passed(30_000)
        assert world.states == ["firing"], "between when and clear nothing turns"
        here.say("refunds", 2)
        await passed(21_000)
        assert world.states == ["firing", "ok"]
        told = await here.alerts.alert(ME, "refunds_high")
        assert [row["what"] for row in told["history"]] == ["ok", "started", "firing"]
        assert told["contract"]["start"]["workflow"] == "incident"


@virtual
async def test_looks_are_few_however_often_a_number_moves_and_none_without_a_reason() -> None:
    world = World(AT_ONCE)
    async with world.process() as here:
        for _ in range(10_000):
            here.say("refunds", 1)
            await asyncio.sleep(0)
        await passed(1_000)
        assert world.numbers.reads <= 4
        reads = world.numbers.reads
        here.alerts.judge("acme", {"orders", "revenue"}, world.now_ms())
        await passed(3_600_000)
        assert world.numbers.reads == reads, "nobody looks without a reason"


@virtual
async def test_it_is_looked_at_when_its_answer_ends() -> None:
    world = World(AT_ONCE)
    async with world.process() as here:
        here.say("refunds", 9, world.now_ms() + 5_000)
        await passed(300)
        assert world.states == ["firing"]
        world.numbers.values["refunds"], world.numbers.until["refunds"] = 0, None
        await passed(4_500)
        assert world.states == ["firing"]
        await passed(400)
        assert world.states == ["firing", "ok"]


@virtual
async def test_each_value_of_a_dimension_is_an_alert_of_its_own() -> None:
    world = World(AT_ONCE + "by: region\n")
    async with world.process() as here:
        here.say("refunds", {"eu": 9, "us": 1})
        await passed(300)
        assert [(n["by"], n["state"]) for n in world.heard] == [({"region": "eu"}, "firing")]
        assert {(v["by"]["region"], v["state"]) for v in await here.alerts.alerts(ME)} == {
            ("eu", "firing"),
            ("us", "ok"),
        }
        here.say("refunds", {"us": 9})
        await passed(300)
        assert {(n["by"]["region"], n["state"]) for n in world.heard[1:]} == {("eu", "ok"), ("us", "firing")}


BURNS = """
slo: sound
metric: refunds
objective: quality
target: 0.9
window: 6h
---
alert: burns
version: 1
metric: refunds
slo: sound
"""


@virtual
async def test_an_alert_on_a_burn_rate_fires_while_both_windows_burn() -> None:
    world = World(BURNS)
    async with world.process() as here:

        async def minute(good: int, bad: int, minutes: int) -> None:
            for _ in range(minutes):
                here.alerts.objectives.count("acme", "refunds", "quality", good=good, total=good + bad,
                                             at_ms=world.now_ms())  # fmt: skip
                here.say("refunds", good)
                await passed(60_000)

        await minute(9, 0, 10)
        assert world.states == []
        await minute(0, 9, 10)
        assert world.states == ["firing"]
        [view] = await here.alerts.alerts(ME, state="firing")
        assert view["value"] > 1
        await minute(90, 0, 10)
        assert world.states == ["firing", "ok"], "the short window says that it is over, long before the long one"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("slo: none", "unknown_slo"), ("slo: sound\nby: [region]", "unused"), ("slo: sound\nwindow: 5m", "unused"),
        ("severity: info", "missing"), ("slo: sound\nwhen: value > 'x'", "bad_expression"),
    ],
)  # fmt: skip
def test_an_alert_on_a_burn_rate_names_an_objective_of_its_metric(text: str, code: str) -> None:
    contracts = METRICS + "---" + BURNS.rpartition("slo: sound")[0] + text + "\n"
    try:
        found = list(check_set(read_contracts({"a.yaml": contracts}), ContractSet()))
    except Invalid as error:
        found = list(error.problems)
    assert code in {each.code for each in found} or code == "bad_expression", found
    assert found


@virtual
async def test_a_second_firing_waits_until_the_cooldown_is_over_and_the_run_has_ended() -> None:
    world = World(RULE.replace("for: 10s\nclear_for: 20s\n", ""))
    async with world.process() as here:
        for value in (9, 0, 9):
            here.say("refunds", value)
            await passed(300)
        assert world.states == ["firing", "ok", "firing"]
        [first] = here.runs
        await passed(120_000)
        assert list(here.runs) == [first], "its run is open"
        await here.end(first)
        await passed(300)
        assert len(here.runs) == 2
        assert (await here.alerts.alerts(ME))[0]["runs"] == [run for run in here.runs if run != first]


@virtual
async def test_what_the_run_refuses_ends_the_matter_and_frees_the_place() -> None:
    world = World(RULE.replace("for: 10s\nclear_for: 20s\n", "").replace("cooldown: 1m", "cooldown: 0s"))
    async with world.process() as here:
        here.law.refuses = NotFound("its key means another run", code="key_reused")
        here.say("refunds", 9)
        await passed(300)
        told = await here.alerts.alert(ME, "refunds_high")
        assert told["history"][0]["reason"] == "key_reused: its key means another run"
        here.law.refuses = None
        for value in (0, 9):
            here.say("refunds", value)
            await passed(300)
        assert len(here.runs) == 1


@virtual
async def test_a_start_and_runs_of_an_earlier_release_are_carried_on() -> None:
    """It had committed that it would start one run, and that it had started two: one has ended meanwhile."""
    world = World(RULE.replace("open_runs: 1", "open_runs: 3"))
    name = "alert/acme/refunds_high"
    due = StartDue("", "key_1", "incident", "main", {"rate": 7}, ("run_gone", "run_open"), T0_MS)
    stretch = [[name, 0, msgspec.json.encode([due])], ["run_open", 0, b'[["started",{}]]']]
    parts = [[stream, seq, msgspec.Raw(data)] for stream, seq, data in stretch]
    heads = [Head(each[0], each[0][:3].replace("ale", "alert"), "acme", "", "ok", "", 0, 0, 1) for each in stretch]
    await world.store.commit(Batch(await world.store.take(), 1, T0_MS, 2, msgspec.json.encode(parts), heads=heads))
    async with world.process() as here:
        await passed(2_000)
        assert here.runs["run_key_1"] == {"rate": 7}
        [view] = await here.alerts.alerts(ME)
        assert sorted(view["runs"]) == ["run_key_1", "run_open"], "the one that is not there has ended"
        await here.end("run_open")
        await passed(300)
        assert (await here.alerts.alerts(ME))[0]["runs"] == ["run_key_1"]


@virtual
async def test_a_start_that_cannot_be_is_told_in_the_history_and_one_that_may_be_later_is_tried_again() -> None:
    world = World(RULE.replace("for: 10s\n", ""))
    world.runs.error = Unavailable("away")
    async with world.process() as here:
        here.say("refunds", 9)
        await passed(10_000)
        assert len(set(world.runs.asked)) == 1
        assert len(world.runs.asked) > 1
        assert not here.runs
        world.runs.error = NotFound("there is no workflow incident", code="workflow_not_found")
        await passed(60_000)
        asked = len(world.runs.asked)
        told = await here.alerts.alert(ME, "refunds_high")
        assert told["history"][0]["reason"] == "workflow_not_found: there is no workflow incident"
        here.say("refunds", 10)
        await passed(60_000)
        assert len(world.runs.asked) == asked


@virtual
async def test_a_silence_tells_nobody_until_it_ends() -> None:
    world = World(RULE.replace("for: 10s\n", ""))
    async with world.process() as here:
        silenced = await here.alerts.silence_alert(ME, "refunds_high", until_ms=world.now_ms() + 60_000, reason="night")
        assert silenced["silenced_until"] == world.now_ms() + 60_000 - 0
        here.say("refunds", 9)
        await passed(50_000)
        assert (world.heard, world.runs.asked) == ([], [])
        assert (await here.alerts.alerts(ME))[0]["state"] == "silenced"
        await passed(11_000)
        assert world.states == ["firing"]
        assert len(here.runs) == 1
        await here.alerts.silence_alert(ME, "refunds_high", until_ms=world.now_ms() + 60_000)
        here.say("refunds", 0)
        await passed(30_000)
        assert world.states == ["firing"]
        await here.alerts.silence_alert(ME, "refunds_high", until_ms=0)
        await passed(300)
        assert world.states == ["firing", "ok"]


@virtual
async def test_alerts_that_turn_in_one_instant_have_positions_in_the_order_of_their_commits() -> None:
    world = World("---\n".join(AT_ONCE.replace("now", f"now_{n}") for n in range(20)))
    for value in (9, 0, 9):
        async with world.process() as here:
            await here.alerts.silence_alert(ME, "now_7", until_ms=world.now_ms() + 60_000)
            here.say("refunds", value)
            await passed(300)
            positions = [position for position, _ in world.told]
            assert positions == sorted({*positions})
            assert here.alerts.told("acme") == world.told  # what a webhook reads that was away is what it was offered
    what = [(turn["alert"], turn["what"]) for _, turn in world.told]
    turns = {(f"now_{n}", what) for n in range(20) if n != 7 for what in ("firing", "ok")}
    assert {*what} == turns
    assert len(what) == 19 * 3


@virtual
async def test_all_values_of_a_dimension_that_turn_at_once_are_kept_for_webhooks_that_lag() -> None:
    world = World(AT_ONCE + "by: [region]\n")
    async with world.process() as here:
        here.say("refunds", {f"r{n}": 9 for n in range(150)})
        await passed(300)
        assert here.alerts.told("acme") == world.told
        assert {turn["instance"]["region"] for _, turn in world.told} == {f"r{n}" for n in range(150)}


@virtual
async def test_an_alert_is_made_changed_and_dropped_by_verbs() -> None:
    world = World(AT_ONCE)
    async with world.process() as here:
        here.say("refunds", 9)
        await passed(300)
        assert world.states == ["firing"]
        made = await here.alerts.put_alert(ME, "now", {"metric": "refunds", "when": "value > 20"})
        assert made["contract"]["version"] == 2
        await passed(300)
        assert world.states == ["firing", "ok"]
        assert (await here.alerts.put_alert(ME, "now", {"metric": "refunds", "when": "value > 20"}))["contract"][
            "version"
        ] == 2
        await here.alerts.put_alert(ME, "mine", {"metric": "refunds", "when": "value > 1", "severity": "critical"})
        await passed(300)
        assert [(n["alert"], n["severity"]) for n in world.heard[2:]] == [("mine", "critical")]
        assert (await here.alerts.delete_alert(ME, "mine"))["dropped"]
        await passed(300)
        assert world.states[3:] == ["ok"]
        assert [view["name"] for view in await here.alerts.alerts(ME)] == ["now"]
        assert (await here.alerts.alert(ME, "mine"))["contract"] is None
    async with world.process() as again:
        assert [view["version"] for view in await again.alerts.alerts(ME)] == [2]
        with pytest.raises(NotFound):
            await again.alerts.delete_alert(ME, "mine")
        assert (await again.alerts.put_alert(ME, "mine", {"metric": "refunds", "when": "value > 2"}))["contract"][
            "version"
        ] == 2


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"when": "value > 1"}, ""),
        ({"metric": "refund", "when": "value > 1"}, "/metric"),
        ({"metric": "refunds", "when": "value +"}, "/when"),
        ({"metric": "refunds", "when": "values > 1"}, "/when"),
        ({"metric": "refunds", "when": "value > 1", "by": ["planet"]}, "/by/0"),
        ({"metric": "refunds", "when": "value > 1", "for": "soon"}, "/for"),
        ({"metric": "refunds", "when": "value > 1", "alert": "x"}, "/alert"),
    ],
)
@virtual
async def test_an_alert_that_cannot_be_judged_is_refused_with_the_place(document: dict[str, Any], path: str) -> None:
    async with World().process() as here:
        with pytest.raises(Invalid) as refused:
            await here.alerts.put_alert(ME, "new", document)
        assert [problem.path for problem in refused.value.problems] == [path]


@virtual
async def test_verbs_want_their_roles_and_tenants_see_their_own() -> None:
    world = World(AT_ONCE)
    async with world.process() as here:
        await here.alerts.put_alert(ME, "mine", {"metric": "refunds", "when": "value > 1"})
        assert [view["name"] for view in await here.alerts.alerts(OTHER)] == ["now"]
        with pytest.raises(NotFound):
            await here.alerts.alert(OTHER, "mine")
        for asked in (
            here.alerts.put_alert(OTHER, "x", {}),
            here.alerts.delete_alert(OTHER, "now"),
            here.alerts.silence_alert(OTHER, "now", until_ms=0),
        ):
            with pytest.raises(Refused):
                await asked
        for name in ("../x", 'a"b', "", "a/b"):
            with pytest.raises((NotFound, Invalid)):
                await here.alerts.put_alert(ME, name, {"metric": "refunds", "when": "value > 1"})
            with pytest.raises(NotFound):
                await here.alerts.silence_alert(ME, name, until_ms=0)


@virtual
async def test_a_metric_that_cannot_be_read_is_said_and_one_that_may_be_later_is_read_again() -> None:
    world = World(AT_ONCE)
    async with world.process() as here:
        await passed(300)
        assert (await here.alerts.alert(ME, "now"))["error"].startswith("metric_not_found")
        world.numbers.error = Unavailable("away")
        here.say("refunds", 9)
        await passed(5_000)
        assert world.heard == []
        world.numbers.error = None
        await passed(30_000)
        assert world.states == ["firing"]
        assert "error" not in await here.alerts.alert(ME, "now")


async def _tale(world: World, here: Process) -> None:
    """Fires, is told, starts, is over."""
    here.say("refunds", 9)
    await passed(15_000)
    here.say("refunds", 0)
    await passed(25_000)


@pytest.mark.parametrize("lose_reply", [False, True])
@pytest.mark.parametrize("commits", range(9))
@virtual
async def test_a_crash_at_any_commit_tells_all_and_starts_once(commits: int, lose_reply: bool) -> None:
    world = World(RULE)
    store = Mortal(world.store, commits, lose_reply=lose_reply)
    first = world.process(store)
    await first.__aenter__()
    first.say("refunds", 9)
    await passed(15_000)
    if not store.dead.is_set():
        first.say("refunds", 0)
        await passed(25_000)
    # What is left of the killed process may not act any more: its epoch is gone with the next one.
    value = world.numbers.values["refunds"]
    for tenant in first.alerts._tenants.values():
        for standing in tenant.alerts.values():
            await standing.lookout.close()
    async with world.process() as here:
        here.say("refunds", value)
        await passed(15_000)
        here.say("refunds", 0)
        await passed(25_000)
        assert (await here.alerts.alerts(ME))[0]["state"] == "ok"
        assert len(here.runs) == 1, "one firing, one run"
        assert (await here.alerts.alerts(ME))[0]["runs"] == list(here.runs)
    ids = list(dict.fromkeys(notice["id"] for notice in world.heard))
    by_id = {notice["id"]: notice["state"] for notice in world.heard}
    assert [by_id[id] for id in ids] == ["firing", "ok"], "told twice at worst, under one id"


class Unsure:
    """A store that is cut off once: after so many commits one is written, and its answer is lost."""

    def __init__(self, inner: MemoryStore, commits: int) -> None:
        self.inner, self.left = inner, commits

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def commit(self, batch: Batch) -> Any:
        told = await self.inner.commit(batch)
        self.left -= bool(batch.count)
        if batch.count and self.left == -1:
            raise Unavailable("the connection is cut", code="store_away", unknown=True)
        return told


@pytest.mark.parametrize("commits", range(9))
@virtual
async def test_a_turn_whose_commit_seemed_to_fail_is_handed_on_once(commits: int) -> None:
    world = World(RULE)
    async with world.process(Unsure(world.store, commits)) as here:
        await _tale(world, here)
        await passed(30_000)
        assert [turn["what"] for _, turn in world.told] == ["firing", "ok"]
        assert here.alerts.told("acme") == world.told
        assert len(here.runs) == 1


@virtual
async def test_time_that_was_pending_before_a_restart_counts() -> None:
    world = World(RULE)
    async with world.process() as here:
        here.say("refunds", 9)
        await passed(6_000)
    async with world.process() as again:
        await passed(3_000)
        assert world.heard == []
        await passed(1_500)
        assert world.states == ["firing"]
        assert await again.alerts.alerts(ME, state="firing")


@virtual
async def test_a_store_that_was_away_changes_nothing_in_the_end() -> None:
    world = World(RULE.replace("for: 10s\n", ""))

    class Away(Mortal):
        away = False

        async def commit(self, batch: Any) -> Any:
            if self.away:
                raise Unavailable("the disk is full", code="disk_full")
            return await self.inner.commit(batch)

    store = Away(world.store)
    async with world.process(store) as here:
        store.away = True
        here.say("refunds", 9)
        await passed(20_000)
        assert (world.heard, world.runs.asked) == ([], [])
        store.away = False
        await passed(60_000)
        assert world.states == ["firing"]
        assert len(here.runs) == 1


@virtual
async def test_values_of_an_objective_count_time_and_survive_a_snapshot() -> None:
    world = World("slo: calm\nmetric: refunds\nobjective: value\ngood: value < 5\ntarget: 0.9\nwindow: 1h\n")
    async with world.process() as here:
        here.say("refunds", 1)
        await passed(60_000)
        here.say("refunds", 9)
        await passed(20_000)
        here.say("refunds", None)
        await passed(20_000)
        view = await here.alerts.slo(ME, "calm")
        assert (round(view["good"], -3), round(view["total"], -3), view["state"]) == (60_000, 80_000, "exhausted")
        pages = {name: data for (tenant, name), data in here.alerts.objectives.pages() if data is not None}
    async with world.process() as again:
        again.alerts.objectives.load("acme", pages)
        assert (await again.alerts.slos(ME))[0]["good"] == view["good"]


@virtual
async def test_events_of_an_objective_are_counted_where_it_is_wanted() -> None:
    world = World("slo: quick\nmetric: refunds\nobjective: freshness\nlimit: 5s\ntarget: 0.5\nwindow: 1h\n")
    async with world.process() as here:
        counted = here.alerts.objectives
        assert counted.wanted("acme", "freshness") == {"refunds"}
        assert counted.wanted("acme", "quality") == frozenset()
        counted.fresh("acme", "refunds", [10, 4_999, 5_000, 5_001], world.now_ms())
        counted.count("acme", "refunds", "quality", good=1, total=1, at_ms=world.now_ms())
        view = await here.alerts.slo(ME, "quick")
        assert (view["good"], view["total"], view["state"]) == (3, 4, "ok")
        with pytest.raises(NotFound):
            await here.alerts.slo(ME, "slow")


@virtual
async def test_reads_that_are_dear_are_made_seldom_and_the_last_move_is_always_seen() -> None:
    world = World(AT_ONCE)
    plain = world.numbers.read_metric

    async def dear(tenant: str, query: Any) -> dict[str, Any]:
        await passed(200)
        return await plain(tenant, query)

    world.numbers.read_metric = dear  # type: ignore[method-assign]  # the same reader, slower
    async with world.process() as here:
        for _ in range(1_000):
            here.say("refunds", 1)
            await passed(20)
        assert world.numbers.reads <= 12
        here.say("refunds", 9)
        await passed(3_000)
        assert world.states == ["firing"]


@virtual
async def test_a_start_that_was_committed_and_not_delivered_is_delivered_once_however_long_its_shard_is_away() -> None:
    """Alerts are in one shard and the run in another, whose owner is away; then the first is killed and comes back."""
    world = World(RULE.replace("for: 10s\n", ""))
    there = world.process(MemoryStore())

    def process(store: Any) -> Process:
        made = world.process(store)
        made.journal.holds, made.journal.post = (lambda partition: partition == HOME), there.journal.receive
        return made

    store = Mortal(world.store)
    first = process(store)
    await first.__aenter__()
    first.say("refunds", 9)
    await passed(5_000)
    store.left = 0
    first.say("refunds", 0)  # the process hears of nothing any more
    await passed(25_000)
    for tenant in first.alerts._tenants.values():
        for standing in tenant.alerts.values():
            await standing.lookout.close()
    there.journal.holds, there.journal.post = (lambda partition: partition != HOME), first.journal.receive
    async with process(world.store) as here:
        await passed(60_000)
        assert (await here.alerts.alert(ME, "refunds_high"))["history"][0]["what"] != "started"
        there.journal.post = here.journal.receive
        async with there.journal:
            await passed(10_000)
            [run] = there.runs
            assert there.runs[run] == {"rate": 9}
            assert (await here.alerts.alerts(ME))[0]["runs"] == [run]
            await there.end(run)
            await passed(10_000)
            assert "runs" not in (await here.alerts.alerts(ME))[0]
            assert len(there.runs) == 1
            assert await there.journal.store.message_marks() == (
                [MessageMark(partition_of(run, PARTITIONS), HOME, 1, 2)],
                [MessageMark(HOME, partition_of(run, PARTITIONS), 1, 1)],
            )


@given(st.lists(st.tuples(st.integers(0, 4_000), st.sampled_from(["store_away", "slow"])), max_size=60))
def test_a_cause_for_which_everything_fails_is_said_now_and_then_and_every_time_is_counted(
    came: list[tuple[int, str]],
) -> None:
    now = [0]
    failures, asked = Failures(lambda: now[0]), Counter[str]()
    with capture_logs() as logs:
        for gap_ms, code in came:
            now[0] += gap_ms
            asked[code] += 1
            failures.say(f"alert-{now[0]}", Unavailable("it is away", code=code), 500)
        now[0] += 60_000
        for code in asked:
            failures.say("last", Unavailable("it is away", code=code), 500)
    for code, count in asked.items():
        said = [line for line in logs if line["code"] == code]
        assert sum(1 + line["more_before"] for line in said) == count + 1
        assert len(said) <= 2 + now[0] // 10_000
