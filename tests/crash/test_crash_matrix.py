"""kill -9, for real: at every moment of a commit, in the middle of work, inside recovery; then what must still hold.

Each case is a home on SQLite whose process kills itself at a named point, is started again until nothing kills it, and
is then looked at: what was acknowledged, what was committed, and what handlers noted on disk while they worked.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.crash.house import Deed, Entry, House, completed
from tests.crash.life import BIG

ENDS = {"chain", "each", "passes", "ask", "nap", "wait", "again"}
COMMITS = [
    ("commit.begin", 1), ("commit.begin", 23), ("commit.before", 14), ("commit.before", 24), ("commit.at_the_disk", 19),
    ("commit.at_the_disk", 26), ("commit.after", 12), ("commit.after", 25), ("release.before", 21),
    ("release.effects_left", 17), ("release.effects_left", 26), ("release.after", 24), ("start.answered", 6),
]  # fmt: skip
SEGMENTS = [
    ("segments.before", 1), ("segments.after", 3), ("cut.before", 1), ("cut.after", 2), ("last_cut.begin", 1),
    ("last_cut.before", 1), ("last_cut.after", 1), ("last_cut.done", 1),
]  # fmt: skip
WORK = [("handler.performed", 1), ("handler.performed", 9), ("blob.before_rename", 1), ("blob.after_rename", 1)]
RECOVERY = [
    ("recovery.begin", 1), ("recovery.taken", 1), ("recovery.folded", 2), ("recovery.folded", 9),
    ("recovery.before_dispatch", 1), ("recovery.dispatched", 1),
]  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture(scope="module")
def left_home(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home as a kill left it."""
    house = House(tmp_path_factory.mktemp("left"))
    killed(house, "commit.after", 24)
    return house


def killed(house: House, point: str, count: int = 1) -> list[Entry]:
    """A life that ends at this point; the log that it leaves."""
    assert house.live(point, count), f"nothing came to {point} for the {count}th time"
    return house.log()


def lives_on(house: House, before: list[Entry], deeds: int) -> None:
    """A life in peace after a kill: everything that must hold holds."""
    assert not house.live()
    log = house.log()
    assert log[: len(before)] == before, "the log is not the one that was left, gone on with"
    whole(log)
    was_completed = set(completed(before))
    again = [deed for deed in house.deeds()[deeds:] if (deed.run, deed.visit) in was_completed]
    assert not again, "what was completed was performed again"
    assert once_each(house.deeds())
    everything_rests(house)
    assert max(Counter(completed(log)).values()) == 1, "a visit has completed twice"


def whole(log: list[Entry]) -> None:
    """No row and no event of a stream is missing or there twice."""
    rows = [entry.row for entry in log]
    assert sorted(set(rows)) == list(range(1, max(rows) + 1))
    streams: dict[str, list[int]] = {}
    for entry in log:
        streams.setdefault(entry.stream, []).append(entry.seq)
    assert all(seqs == list(range(len(seqs))) for seqs in streams.values())


def once_each(deeds: list[Deed]) -> bool:
    """Whether no process performed an attempt twice."""
    return len(set(deeds)) == len(deeds)


def everything_rests(house: House) -> None:
    """Every acknowledged run is there and has ended, or waits for what it is made to wait for."""
    assert set(house.told) == set(house.acknowledged)
    found = {name: told["run"] for name, told in house.told.items()}
    assert {name: run["run_id"] for name, run in found.items()} == house.acknowledged
    assert {name: found[name]["status"] for name in ENDS} == dict.fromkeys(ENDS, "COMPLETED")
    assert found["wait"]["nodes"]["a"]["output"] == {"n": 1}
    assert found["again"]["nodes"]["a"]["output"] >= 2
    assert found["chain"]["output"] == found["chain"]["run_id"][-1] * BIG
    assert len(found["person"]["tickets"]) == 1
    set_at = [e["due_ms"] for e in house.told["far"]["timeline"] if e["type"] == "timer_set"]
    assert [timer["due"] for timer in found["far"]["timers"]] == set_at
    assert {found[name]["status"] for name in ("person", "far", "late")} == {"WAITING"}
    for name in ("pay", "send"):
        happens_once(house, name)


def happens_once(house: House, name: str) -> None:
    """The effect has happened once, or it is shown as uncertain and has happened at most once."""
    told = house.told[name]
    if told["run"]["status"] == "COMPLETED":
        assert len(performed(house, name)) == 1
    else:
        opened = [e["id"] for e in told["timeline"] if e["type"] == "ticket_opened" and e["subject"] == "uncertain"]
        assert told["run"]["tickets"] == opened
        assert len(opened) == 1
        assert len(performed(house, name)) <= 1


def performed(house: House, name: str) -> list[Deed]:
    """The performances of the first node of a run."""
    return [deed for deed in house.deeds() if deed.run == house.acknowledged[name] and deed.visit == "a"]


@pytest.mark.parametrize(("point", "count"), COMMITS + SEGMENTS + WORK)
def test_nothing_acknowledged_is_lost_and_nothing_completed_is_repeated(house: House, point: str, count: int) -> None:
    left = killed(house, point, count)
    lives_on(house, left, len(house.deeds()))


@pytest.mark.parametrize("point", ["commit.before", "commit.at_the_disk", "commit.after", "release.before"])
def test_a_kill_at_every_fifth_commit_of_a_home_that_is_started_again_each_time(house: House, point: str) -> None:
    for count in range(5, 300, 5):
        before, deeds = house.log(), len(house.deeds())
        was_killed = house.live(point, count)
        assert house.log()[: len(before)] == before
        was_completed = set(completed(before))
        assert not [deed for deed in house.deeds()[deeds:] if (deed.run, deed.visit) in was_completed]
        if not was_killed:
            break
    lives_on(house, house.log(), len(house.deeds()))


@pytest.mark.parametrize(("point", "count"), RECOVERY)
def test_a_kill_inside_recovery_changes_nothing(house: House, left_home: House, point: str, count: int) -> None:
    house = left_home.copied(house.folder)
    left = house.log()
    deeds = len(house.deeds())
    for _ in range(2):
        assert killed(house, point, count) == left
        assert len(house.deeds()) == deeds
    lives_on(house, left, deeds)


@pytest.mark.parametrize(("point", "happened"), [("once.intended", 0), ("once.performed", 1)])
def test_an_effect_that_was_cut_off_waits_for_a_decision(
    house: House, tmp_path_factory: pytest.TempPathFactory, point: str, happened: int
) -> None:
    left = killed(house, point)
    lives_on(house, left, len(house.deeds()))
    assert house.told["pay"]["run"]["status"] == "WAITING"
    assert not house.live()
    assert len(performed(house, "pay")) == happened
    other = house.copied(tmp_path_factory.mktemp("other"))
    for decided, choice, status in ((house, "repeat", "COMPLETED"), (other, "fail", "FAILED")):
        assert not decided.live(decide=choice)
        assert decided.told["pay"]["run"]["status"] == status
        assert len(performed(decided, "pay")) == happened + (choice == "repeat")


def test_an_effect_that_was_settled_is_not_performed_again_and_needs_no_decision(house: House) -> None:
    left = killed(house, "once.settled")
    lives_on(house, left, len(house.deeds()))
    assert house.told["pay"]["run"]["output"] == "paid"
    assert len(performed(house, "pay")) == 1


def test_a_handler_of_an_effect_that_asks_for_no_intent_is_not_repeated_either(house: House) -> None:
    left = killed(house, "once.unasked")
    lives_on(house, left, len(house.deeds()))
    assert len(performed(house, "send")) == 1
