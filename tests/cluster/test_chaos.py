"""Chaos: the same seed makes the same faults, a judge finds what is broken, and one short seed is lived for real."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house.tree import ROOT
from tests.servers.postgres import NoServerError, binaries
from tools.chaos import schedule
from tools.chaos.faults import Commits, Faults
from tools.chaos.judge import Judge
from tools.chaos.ledger import Deed, Ledger
from tools.chaos.load import Load
from tools.chaos.schedule import KINDS

SEED = "3287"
"""In 9 s: a coordinator is killed, a commit of the main process loses its answer, a worker's stream is cut."""
PROCESSES = {"coordinator": 2, "api": 2, "worker": 2, "executor": 1, "metrics": 1, "fanout": 1, "edge": 1}


@given(seed=st.integers(0, 10_000), minutes=st.floats(0.1, 20), lease_s=st.floats(1, 10))
def test_a_seed_says_what_is_broken_and_when(seed: int, minutes: float, lease_s: float) -> None:
    faults = schedule(seed, minutes * 60, PROCESSES, lease_s)
    assert faults == schedule(seed, minutes * 60, dict(reversed(PROCESSES.items())), lease_s)
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
    assert all(0 < fault.at_s < minutes * 60 for fault in faults)
    assert all(fault.for_s > lease_s for fault in faults if fault.kind == "stop"), "it sleeps past its lease"


def test_a_long_seed_does_everything_to_everyone_and_each_can_be_done() -> None:
    faults = schedule(1, 4 * 3_600, PROCESSES, 4)
    assert {fault.kind for fault in faults} == set(KINDS)
    named = {f"{role}-{n}" for role, count in PROCESSES.items() for n in range(1, count + 1)} - {"edge-1"} | {
        "edge",
        "",
    }
    assert {fault.target for fault in faults} == named
    assert all(hasattr(Faults, f"_{kind}") for kind in KINDS)


@pytest.mark.parametrize("number", range(4))
def test_a_commit_is_cut_before_the_server_has_it_or_before_its_answer_is_back(number: int) -> None:
    way, chunks = Commits(number), [("up", b"select aob.commit_runs("), ("down", b"row")] * 4
    cuts = [way.watch(one, chunk) for one, chunk in chunks]  # type: ignore[arg-type]
    assert cuts.index(True) == number
    assert sum(cuts) == 1


class Door:
    """A platform as a judge sees it: two runs that went well, and their numbers."""

    def __init__(self) -> None:
        self.workflows = {"run_1": "chain", "run_2": "paid"}
        self.status = dict.fromkeys(self.workflows, "COMPLETED")
        self.visits = {"run_1": ["look", "nap", "book"], "run_2": ["pay", "tell"]}
        self.numbers: dict[str, Any] = {
            "chaos_sales": {"north": 1.0}, "chaos_amount": 7.0, "chaos_payments": 1.0,
            "runs_finished": {"chain": 1.0, "paid": 1.0},
        }  # fmt: skip

    async def start(self, workflow: str, inputs: Any, *, key: str) -> dict[str, str]:
        return {"run_id": f"run_{inputs['n']}"}

    async def run(self, run_id: str) -> dict[str, Any]:
        return {"status": self.status[run_id], "workflow": self.workflows[run_id], "error": None}

    async def why(self, run_id: str) -> dict[str, str]:
        return {"sentence": "waiting for nobody"}

    async def tickets(self) -> list[Any]:
        return []

    async def timeline(self, run_id: str) -> Any:
        for visit in self.visits[run_id]:
            yield {"type": "node_completed", "visit": visit}

    async def metric(self, metric: str, *, window: str, by: list[str]) -> dict[str, Any]:
        number = self.numbers[metric]
        rows = [{"by": {by[0]: name}, "value": value} for name, value in number.items()] if by else []
        return {"value": None if by else number, "rows": rows}


def deed(kind: str, run: str, visit: str, key: str = "k") -> Deed:
    return Deed(kind, run, visit, 1, key, 1)


class Small:
    """What the judge looks at, in order."""

    def __init__(self) -> None:
        self.door, self.ledger = Door(), Ledger()
        self.ledger.deeds = [deed("look", "run_1", "look"), deed("book", "run_1", "book"), deed("pay", "run_2", "pay")]
        self.load = Load([self.door], 1)  # type: ignore[list-item]
        self.load.starts = {"a": ("chain", 1), "b": ("paid", 2)}
        self.load.run_ids = {"a": "run_1", "b": "run_2"}
        self.load.sales, self.load.acknowledged = {"s": ("north", 7)}, {"s"}
        self.load.finished = Counter(["run_1", "run_2"])

    async def broken(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        for name in ("CALM_S", "SETTLE_S_MAX", "FOLD_S_MAX", "LOOK_S"):
            monkeypatch.setattr(f"tools.chaos.judge.{name}", 0.02)
        judge = Judge(self.load, self.ledger)
        await judge.settle()
        return [held.what for held in await judge.judged() if held.broken]


BREAKS: dict[str, Callable[[Small], object]] = {
    "": lambda small: None,
    "no run is stuck": lambda small: small.door.status.update(run_1="WAITING"),
    "every run that was acknowledged is completed": lambda small: small.door.status.update(run_1="FAILED"),
    "a visit has one success": lambda small: small.door.visits["run_1"].append("look"),
    "what succeeded was asked for outside": lambda small: small.ledger.deeds.pop(1),
    "what must happen once was asked for once": lambda small: small.ledger.deeds.append(deed("pay", "run_2", "pay")),
    "what is asked for again has the same key": lambda small: small.ledger.deeds.append(
        deed("book", "run_1", "book", "other")
    ),
    "what was acknowledged was never seen otherwise": lambda small: small.load.run_ids.update(a="run_0"),
    "the feed told of each end once": lambda small: small.load.finished.update(["run_1"]),
    "the number chaos_sales is a recount": lambda small: small.door.numbers["chaos_sales"].update(north=2.0),
    "the number chaos_payments is a recount": lambda small: small.door.numbers.update(chaos_payments=0.0),
}


@pytest.mark.parametrize("what", BREAKS)
async def test_the_judge_finds_what_is_broken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Small()
    BREAKS[what](small)
    small.door.status["run_0"], small.door.workflows["run_0"] = "COMPLETED", "chain"
    small.door.visits["run_0"] = []
    found = await small.broken(monkeypatch)
    assert what in found if what else not found


@pytest.mark.timeout(240)
def test_one_short_seed_is_lived_and_everything_holds() -> None:
    try:
        binaries()
    except NoServerError as why:
        pytest.skip(str(why))
    words = [sys.executable, "-m", "tools.chaos", "--minutes", "0.15", "--seed", SEED, "--json"]
    done = subprocess.run(words, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["broken"] == {}
    assert told["runs"] > 0
    assert told["events"] > 0
    assert {fault.partition(" ")[0] for fault in told["did"]} == {"kill", "commit_cut", "cut_worker"}
