"""The list of attempts at work: what a crash leaves in it, what a stop writes into it, and what it never holds up."""

import asyncio
import os
from pathlib import Path

import pytest

from aob.work.pool import Pool, Running, mark
from aob.work.pool.running import SLOT, SLOTS
from tests.work.jobs import Told, calls
from tests.work.test_pool import Gate, Noted


def again(path: Path) -> tuple[frozenset[bytes], bool]:
    with Running(path) as running:
        return running.before, running.crashed


def test_a_crash_leaves_what_was_at_work(tmp_path: Path) -> None:
    path = tmp_path / "running-0"
    running = Running(path)
    assert (running.before, running.crashed) == (frozenset(), True)
    running.anew()
    one, two, three = (running.take() for _ in range(3))
    running.begin(one, "run_1/a", 1)
    running.begin(two, "run_1/each[3]/fetch", 2)
    running.begin(one, "run_2/b", 1)  # the worker went on to another job
    running.begin(three, "run_3/c", 1)
    running.clear(three)
    left = {mark("run_2/b", 1), mark("run_1/each[3]/fetch", 2)}
    assert again(path) == (left, True)
    assert again(path) == (left, True), "a start that does not come to its work leaves the list"


async def test_a_worker_that_has_nothing_to_do_stands_in_no_list(tmp_path: Path) -> None:
    path, gate, told = tmp_path / "running-0", Gate(), Told()
    with Running(path) as running:
        running.anew()
        async with Pool(2, gate.perform, told, running=running, log=Noted()) as pool:
            pool.submit(calls("slow", visit="v"))
            await gate.until(lambda: gate.began == ["v"])
            assert {each.split(b" ")[0] for each in again(path)[0]} == {b"key-run_1-v"}
            gate.open()
            await told.first()
            for _ in range(10):
                await asyncio.sleep(0)
            assert again(path) == (frozenset(), True)


def test_a_stop_leaves_what_it_cut_off_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "running-0"
    with Running(path) as running:
        running.anew()
        slots = [running.take() for _ in range(4)]
        for slot in slots:
            running.begin(slot, f"run_1/n{slot}", 1)
        running.stop([("run_1/slow", 3)])
        running.begin(slots[0], "run_9/late", 1)
        running.give(slots[1])
    assert again(path) == ({mark("run_1/slow", 3)}, False)


def test_more_workers_and_longer_names_than_there_is_room_for_do_no_harm(tmp_path: Path) -> None:
    running = Running(tmp_path / "running-0")
    running.anew()
    slots = [running.take() for _ in range(SLOTS + 5)]
    assert slots[-1] == 0
    for n, slot in enumerate(slots):
        if slot:
            running.begin(slot, f"run_1/{'x' * SLOT}{n}", 1)
    found, _ = again(tmp_path / "running-0")
    assert len(found) == SLOTS
    assert mark(f"run_1/{'x' * SLOT}0", 1) in found


def test_a_file_of_another_size_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "running-0").write_bytes(b"garbage" * 99)
    assert again(tmp_path / "running-0") == (frozenset(), True)


def test_the_whole_list_is_on_the_disk_before_it_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "running-0"
    with Running(path):
        assert path.stat().st_blocks * 512 >= path.stat().st_size  # a hole is a SIGBUS when the disk is full


def test_a_full_disk_is_said_and_the_list_is_made_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "running-0"
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda *_: 7)
        with pytest.raises(OSError, match="space"):
            Running(path)
    assert again(path) == (frozenset(), True)
