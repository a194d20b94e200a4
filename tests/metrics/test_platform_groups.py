"""What runs do, folded by groups that differ in numbers only, comes to what it would one by one."""

import random
from collections.abc import Sequence
from itertools import groupby
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from msgspec import Raw

from aob.core.metric import Fold
from aob.core.metric_query import MetricQuery
from aob.core.run.record import events as ev
from aob.core.value import NULL
from aob.journal import Committed
from aob.metrics.platform import platform_contracts
from aob.metrics.platform.run_events import Telling
from aob.metrics.platform.slices import Tellings

CONTRACTS = platform_contracts()
FLOWS = ("pay", "ship", "")
BEGIN_MS = 1_700_000_000_500


class Fact(NamedTuple):
    """One decision of one event."""

    row: int
    at_ms: int
    stream: str
    tenant: str
    event: Any


def commits_of(facts: Sequence[Fact]) -> list[Committed]:
    """A commit for all that have one time, with what follows of one stream as one decision."""
    found = list[Committed]()
    for at_ms, some in groupby(facts, lambda fact: fact.at_ms):
        told = [
            SimpleNamespace(events=[fact.event for fact in each], stream=SimpleNamespace(
                name=name, tenant=tenant, law=SimpleNamespace(kind=name.partition("_")[0])))
            for (name, tenant), each in groupby(some, lambda fact: (fact.stream, fact.tenant))
        ]  # fmt: skip
        found.append(Committed(0, at_ms, told))
    return found


def done(dice: random.Random, visit: str, after: str, plain: bool) -> list[Any]:
    """What may happen to a visit. Most runs are plain: it completes, and none, one or several become ready."""
    took_us, roles, choices = dice.randrange(3_000_000), ("boss", "cfo"), ("yes", "no")
    if plain:
        ready = dice.choice(([after], [after], [], [after, f"{after}b"]))
        return [ev.NodeCompleted(visit, 1, "success", NULL, b"", None, ready, took_us=took_us)]
    many = [ev.NodeCompleted(visit, 1, "success", NULL, b"", None, [after], took_us=took_us)]
    return dice.choice([
        many, many, many, many,
        [ev.NodeCompleted(visit, 1, "success", NULL, b"", None, [after], copied=True)],
        [ev.NodeFailed(visit, 1, "failure", NULL, None, [after])],
        [ev.AttemptFailed(visit, 1, NULL, 5), ev.TokenReady(visit, 2, "retry")],
        [ev.TicketOpened(f"t{visit}", visit, "approval", dice.choice(roles), "", [], {}, NULL),
         ev.TicketAnswered(f"t{visit}", dice.choice(choices), "", "", NULL)],
        [ev.TicketAnswered(f"t{after}", dice.choice(choices), "", "", NULL)],
        [ev.IntentSettled(visit, 1, NULL, usage={"brain": "b", "tokens_in": 3, "cost_usd": 0.5})],
        [ev.PatchApplied("p", 1, NULL, NULL, "", "ann")],
    ])  # fmt: skip


def events_of(dice: random.Random, run: str) -> list[Any]:
    """A run from its start, or what is left of one whose start nobody remembers, to its end or not."""
    start = ev.RunStarted(
        run, dice.choice(FLOWS), "", "", "", "", "", 0, NULL, b"", "full", "medium", 0, 0, {}, ready=["n0"]
    )
    told: list[Any] = [start] if dice.random() < 0.9 else []
    plain = dice.random() < 0.6
    for number in range(dice.randrange(6)):
        told += done(dice, f"n{number}", f"n{number + 1}", plain)
    if dice.random() < 0.8:
        told.append(ev.RunFinished(dice.choice(("COMPLETED", "FAILED", "CANCELLED")), 0, Raw(b"1")))
    return told


def facts_of(dice: random.Random) -> list[Fact]:
    """Facts of several runs of two tenants, mixed, over some seconds."""
    left = {f"run_{number}": events_of(dice, f"run_{number}") for number in range(dice.randrange(1, 40))}
    left["workflow/x"] = [object()] * 3
    found, at_ms = list[Fact](), BEGIN_MS
    while left:
        name = dice.choice(list(left))
        if not left[name]:
            del left[name]
            continue
        at_ms += dice.choice((0, 0, 1, 40, 700))
        found.append(Fact(len(found), at_ms, name, "ab"[hash(name) % 2], left[name].pop(0)))
    return found


def one_by_one(facts: list[Fact]) -> dict[str, Fold]:
    tellings, folds, known = Tellings(CONTRACTS), dict[str, Fold](), dict[str, Telling]()
    for fact in facts:
        if fact.stream.startswith("run_"):
            fold = folds.setdefault(fact.tenant, Fold(CONTRACTS))
            told = known.setdefault(fact.tenant, Telling()).tell(fact.stream, fact.event, fact.at_ms)
            if told is not None:
                fold.add([tellings.make(told[0], told[1], fact.at_ms)])
    return folds


def by_groups(dice: random.Random, facts: list[Fact]) -> dict[str, Fold]:
    tellings, folds, at, commits = Tellings(CONTRACTS), dict[str, Fold](), 0, commits_of(facts)
    while at < len(commits):
        count = dice.choice((1, 3, 50))
        for tenant, groups in tellings.read(commits[at : at + count]).items():
            folds.setdefault(tenant, Fold(CONTRACTS)).add_many(groups)
        at += count
    return folds


def told(fold: Fold, now_ms: int) -> dict[Any, Any]:
    """Every metric by all its dimensions, in a window of seconds and in one of all."""
    found = {}
    for name, versions in CONTRACTS.metrics.items():
        contract = versions[max(versions)]
        for window in {"1m", "1d"} & set(contract.windows):
            reading = fold.read(MetricQuery(name, window, by=tuple(contract.dimensions)), now_ms)
            rows = sorted((tuple(row["by"].values()), repr(row["value"])) for row in reading.rows or ())
            found[name, window] = rows or repr(reading.value)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_groups_come_to_what_their_events_come_to_one_by_one(seed: int) -> None:
    dice = random.Random(seed)
    facts = facts_of(dice)
    single, grouped = one_by_one(facts), by_groups(dice, facts)
    assert grouped.keys() == single.keys()
    for tenant, fold in single.items():
        for now_ms in (facts[-1].at_ms, facts[-1].at_ms + 30_000):
            assert told(grouped[tenant], now_ms) == told(fold, now_ms)
