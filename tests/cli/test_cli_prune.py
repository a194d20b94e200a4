"""`aob run prune`: what a person types becomes steps, and what they removed is added up."""

from aob.core.instant import ms_of
from tests.cli.conftest import Terminal
from tests.server.fake import FakeEngine


async def test_ended_runs_are_pruned_step_by_step_and_added_up(aob: Terminal, engine: FakeEngine) -> None:
    done = await aob("run", "prune", "--before", "2026-01-02", "--reason", "old", "--workflow", "order")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("2 runs removed, which ended ")
    assert lines[1] == "8 events, 5 KiB"
    assert [line.split() for line in lines[2:4]] == [["WORKFLOW", "RUNS"], ["order", "2"]]
    assert lines[4] == "1 stay: a fork of it lives"
    assert "the record: removal_1.run_a, and 1 before it" in done.err
    how = {"workflow": "order", "status": None, "reason": "old", "dry_run": False}
    assert engine.commands == [
        ("prune", (ms_of("2026-01-02T00:00:00Z"), cursor, how)) for cursor in (None, "1.run_a")
    ]  # fmt: skip


async def test_a_dry_run_is_told_as_one_and_programs_get_the_sum(aob: Terminal, engine: FakeEngine) -> None:
    told = await aob("run", "prune", "--before", "2026-01-02T01:00:00+01:00", "--dry-run")
    assert told.out.startswith("2 runs would go, which ended ")
    found = (await aob("run", "prune", "--before", "2026-01-02", "--status", "failed", "--json")).json
    assert (found["runs"], found["kept"], found["before"]) == (2, {"needed": 1}, ms_of("2026-01-02T00:00:00Z"))
    assert found["records"] == ["removal_None", "removal_1.run_a"]
    assert engine.commands[-1][1][2]["status"] == "FAILED"


async def test_an_instant_that_is_none_is_refused_with_an_example(aob: Terminal, engine: FakeEngine) -> None:
    for wrong in ("yesterday", "2026-01-02T00:00:00", "2026-13-01"):
        refused = await aob("run", "prune", "--before", wrong)
        assert (refused.code, engine.commands) == (2, [])
        assert "before is no instant" in refused.err
    assert (await aob("run", "prune", "--before", "90d", "--dry-run")).code == 0
