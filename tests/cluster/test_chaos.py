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
from tools.chaos.__main__ import apart
from tools.chaos.faults import Commits, Faults
from tools.chaos.hooks import told_once
from tools.chaos.judge import Judge
from tools.chaos.ledger import Deed, Ledger, Told
from tools.chaos.load import Load
from tools.chaos.schedule import KINDS

SEED = "3287"
"""In 7 s: a coordinator is killed, a commit of the main process loses its answer, a worker's stream is cut."""
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
    """A platform as a judge sees it: runs that went well, and their numbers."""

    def __init__(self) -> None:
        self.workflows = {
            "run_1": "chain",
            "run_2": "paid",
            "run_3": "patched",
            "run_4": "cancelled",
            "run_5": "mapped",
        }
        self.status = dict.fromkeys(self.workflows, "COMPLETED") | {"run_4": "CANCELLED"}
        self.visits = {
            "run_1": ["look", "nap", "book"], "run_2": ["pay", "tell"], "run_3": ["go", "book", "extra"], "run_4": [],
            "run_5": ["each", "each[0]/book", "each[1]/book", "each[2]/book"],
        }  # fmt: skip
        self.outputs: dict[str, Any] = {"run_5": {"count": 3, "failed": 0}}
        self.applied: dict[str, list[Any]] = {"run_3": [{"patch_id": "patch_3", "state": "applied"}]}
        self.letters: list[Any] = [{"id": "b", "state": "replayed"}]
        self.numbers: dict[str, Any] = {
            "chaos_sales": {"north": 1.0, "east": 1.0}, "chaos_amount": 9.0, "chaos_payments": 1.0,
            "runs_finished": dict.fromkeys(self.workflows.values(), 1.0),
        }  # fmt: skip

    async def start(self, workflow: str, inputs: Any, *, key: str) -> dict[str, str]:
        return {"run_id": f"run_{inputs['n']}"}

    async def run(self, run_id: str) -> dict[str, Any]:
        output = self.outputs.get(run_id)
        return {"status": self.status[run_id], "workflow": self.workflows[run_id], "error": None, "output": output}

    async def patches(self, run_id: str) -> list[Any]:
        return self.applied[run_id]

    async def deadletters(self, *, state: str, **page: int) -> dict[str, Any]:
        return {"deadletters": [] if state else self.letters, "next": None}

    async def ingest(self, events: list[Any]) -> dict[str, Any]:
        return {"accepted": 0, "rejected": len(events), "verdicts": []}

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
        self.ledger.deeds = [
            deed("look", "run_1", "look"), deed("book", "run_1", "book"), deed("pay", "run_2", "pay"),
            deed("book", "run_3", "book"), deed("look", "run_3", "extra"),
            *(deed("book", "run_5", f"each[{number}]/book") for number in range(3)),
        ]  # fmt: skip
        self.load = Load([self.door], 1)  # type: ignore[list-item]
        self.load.starts = {run_id: (name, int(run_id[-1])) for run_id, name in self.door.workflows.items()}
        self.load.run_ids = {run_id: run_id for run_id in self.door.workflows}
        self.load.sales, self.load.acknowledged = {"s": ("north", 7)}, {"s"}
        self.load.bad, self.load.refused_ids = {"b": ("east", 2)}, {"b"}
        self.load.patched, self.load.cancelled, self.load.told = {"run_3": "patch_3"}, {"run_4"}, {"run_3": "go"}
        self.load.finished = Counter([*self.door.workflows])

    async def broken(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        for name in ("CALM_S", "SETTLE_S_MAX", "FOLD_S_MAX", "LOOK_S"):
            monkeypatch.setattr(f"tools.chaos.judge.{name}", 0.02)
        judge = Judge(self.load, self.ledger)
        await judge.settle()
        return [held.what for held in await judge.judged() if held.broken]


BREAKS: dict[str, Callable[[Small], object]] = {
    "": lambda small: None,
    "no run is stuck": lambda small: small.door.status.update(run_1="WAITING"),
    "every run that was acknowledged ended as it must": lambda small: small.door.status.update(run_1="FAILED"),
    "a patch that was acknowledged is in its run once": lambda small: small.door.applied.update(run_3=[]),
    "what was cancelled did nothing": lambda small: small.ledger.deeds.append(deed("book", "run_4", "book")),
    "a map has each of its items": lambda small: small.door.outputs.update(run_5={"count": 2, "failed": 0}),
    "a refused event is a dead letter that was replayed": lambda small: small.door.letters.clear(),
    "a visit has one success": lambda small: small.door.visits["run_1"].append("look"),
    "what succeeded was asked for outside": lambda small: small.ledger.deeds.pop(1),
    "what must happen once was asked for once": lambda small: small.ledger.deeds.append(deed("pay", "run_2", "pay")),
    "what is asked for again has the same key": lambda small: small.ledger.deeds.append(
        deed("book", "run_1", "book", "other")
    ),
    "what was acknowledged was never seen otherwise": lambda small: small.load.run_ids.update(run_1="run_0"),
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


def hook(message: str, type: str, **data: str) -> Told:
    return Told(message, type, data)


TOLD = [
    hook("1", "run.running", run_id="run_2"), hook("2", "chaos.paid", id="e1"),
    hook("3", "run.completed", run_id="run_2"), hook("4", "alert.changed", alert="sales_over_50", what="firing"),
]  # fmt: skip
ONCE = "the webhook told of each thing under one id"
HOOKS: dict[str, tuple[str, list[Told]]] = {
    "all, some again": ("", [*TOLD, TOLD[1], TOLD[3]]),
    "an end is missing": (ONCE, [*TOLD[:2], TOLD[3]]),
    "an event is missing": (ONCE, [TOLD[0], *TOLD[2:]]),
    "an alert is missing": (ONCE, TOLD[:3]),
    "an end twice": (ONCE, [*TOLD, TOLD[2]._replace(id="5")]),
    "an event twice": (ONCE, [*TOLD, TOLD[1]._replace(id="5")]),
    "an alert twice": (ONCE, [*TOLD, TOLD[3]._replace(id="5")]),
    "the end first": ("the webhook told of begins before ends", TOLD[::-1]),
}


@pytest.mark.parametrize("what", HOOKS)
async def test_what_a_webhook_was_told_is_looked_at(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.chaos.hooks.FOLD_S_MAX", 0.05)
    monkeypatch.setattr("tools.chaos.hooks.LOOK_S", 0.01)
    broken, ledger = HOOKS[what][0], Ledger()
    ledger.told = HOOKS[what][1]
    held = await told_once({"run_2": {"workflow": "paid"}}, 1, ledger)
    assert [each.what for each in held if each.broken] == [broken] * bool(broken)


def test_a_tenant_that_is_told_of_another_s_run_is_found() -> None:
    one, two = Load([], 1), Load([], 1)
    one.run_ids, two.run_ids = {"a": "run_1"}, {"a": "run_2"}
    one.finished, two.finished = Counter(["run_1"]), Counter(["run_2"])
    assert not apart({"": one, "north": two})[0].broken
    two.finished["run_1"] += 1
    assert apart({"": one, "north": two})[0].broken == ["north was told of run_1"]


@pytest.mark.timeout(240)
def test_one_short_seed_is_lived_and_everything_holds() -> None:
    try:
        binaries()
    except NoServerError as why:
        pytest.skip(str(why))
    words = [sys.executable, "-m", "tools.chaos", "--minutes", "0.12", "--seed", SEED, "--shards", "4", "--json"]
    done = subprocess.run(words, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["broken"] == {}
    assert told["runs"] > 0
    assert told["events"] > 0
    assert {fault.partition(" ")[0] for fault in told["did"]} == {"kill", "commit_cut", "cut_worker"}
