"""Visit logs: written from anywhere, bounded, read by visit, followed by signal, and never a handler's problem."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aob.work.visit_logs import Logs
from aob.work.visit_logs.folder import os as logs_os  # type: ignore[attr-defined]
from aob.work.visit_logs.line import LINE_MAX


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    now = iter(range(1_000, 1_000_000))
    return Logs(tmp_path / "logs", lambda: next(now))


def written(folder: Path) -> list[Path]:
    return list(folder.rglob("*.jsonl"))


async def lines(logs: Logs, run: str = "run_1", **more: Any) -> list[dict[str, Any]]:
    return [line async for line in logs.read(run, **more)]


async def messages(logs: Logs, **more: Any) -> list[str]:
    return [line["message"] for line in await lines(logs, **more)]


async def test_what_is_logged_comes_back_in_order_with_its_facts(logs: Logs) -> None:
    line = logs.opened("run_1", "each[3]/fetch", "default")
    line("looked", 2, {"order": "a", "cost": 1.5})
    line("done", 0, {})
    assert await lines(logs) == [
        {"visit": "each[3]/fetch", "at": 1_000, "attempt": 2, "message": "looked", "order": "a", "cost": 1.5},
        {"visit": "each[3]/fetch", "at": 1_001, "attempt": 0, "message": "done"},
    ]


async def test_lines_are_picked_by_visit_and_by_node(logs: Logs) -> None:
    for visit in ("fetch", "fetch2", "each[1]/fetch", "each[1]/send", "loop#2/fetch"):
        logs.write("run_1", visit, 1, visit, {})
    logs.write("run_2", "fetch", 1, "of another run", {})
    assert await messages(logs, visit="fetch") == ["fetch"]
    assert await messages(logs, visit="each[1]/fetch") == ["each[1]/fetch"]
    assert await messages(logs, node="fetch") == ["fetch", "each[1]/fetch", "loop#2/fetch"]
    assert await lines(logs, "run_3") == []


async def test_fields_that_are_not_json_or_have_our_names_do_no_harm(logs: Logs) -> None:
    logs.write("run_1", "fetch", 1, "odd", {"thing": object(), "visit": "other", "at": "then", "keys": {1: 2}})
    logs.write("run_1", "fetch", 1, "half \ud800", {})
    (odd, half) = await lines(logs)
    assert (odd["visit"], odd["at"], odd["visit_"], odd["at_"]) == ("fetch", 1_000, "other", "then")
    assert "object" in odd["thing"]
    assert "half" in half["message"]


async def test_a_line_is_bounded(logs: Logs) -> None:
    logs.write("run_1", "fetch", 1, "long", {"text": "x" * (2 * LINE_MAX)})
    logs.write("run_1", "fetch", 1, "x" * (2 * LINE_MAX), {})
    first, second = await lines(logs)
    assert first["cut_bytes"] > LINE_MAX
    assert len(second["message"]) <= LINE_MAX


async def test_a_run_keeps_its_last_lines_within_bounds(tmp_path: Path) -> None:
    logs = Logs(tmp_path, lambda: 0, segment_max=1_000, segments_max=3)
    for n in range(200):
        logs.write("run_1", "fetch", 1, f"line {n:04}", {})
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "run_1").iterdir()}
    assert len(sizes) == 3
    assert max(sizes.values()) <= 1_000
    kept = await messages(logs)
    assert kept == [f"line {n:04}" for n in range(200 - len(kept), 200)]
    assert 30 < len(kept) < 60
    again = Logs(tmp_path, lambda: 0, segment_max=1_000, segments_max=3)
    again.write("run_1", "fetch", 1, "after", {})
    assert (await messages(again))[-2:] == ["line 0199", "after"]


async def test_a_log_that_is_opened_again_loses_nothing_before_its_bound(tmp_path: Path) -> None:
    for n in range(60):
        logs = Logs(tmp_path, lambda: 0, segment_max=500, segments_max=8)
        logs.write("run_1", "fetch", 1, f"{n}", {})
        logs.close()
    assert await messages(logs) == [f"{n}" for n in range(60)]


async def test_a_line_cut_by_a_crash_does_not_harm_the_next(logs: Logs, tmp_path: Path) -> None:
    logs.write("run_1", "fetch", 1, "whole", {})
    logs.close()
    (path,) = (tmp_path / "logs" / "run_1").iterdir()
    with path.open("ab") as file:
        file.write(b'{"visit":"fetch","at":1,"mess')
    assert await messages(logs) == ["whole"]
    logs.write("run_1", "fetch", 1, "next", {})
    assert await messages(logs) == ["whole", "next"]


async def test_many_runs_may_be_written_with_few_files_open(tmp_path: Path) -> None:
    logs = Logs(tmp_path, lambda: 0)
    before = len(os.listdir("/proc/self/fd"))
    for round in range(2):
        for n in range(200):
            logs.write(f"run_{n}", "fetch", 1, f"round {round}", {})
    assert len(os.listdir("/proc/self/fd")) - before <= 64
    assert [line["message"] for line in await lines(logs, "run_7")] == ["round 0", "round 1"]
    logs.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("run", ["../up", "/etc/passwd", "..", ".", "a/b", "a\0b"])
async def test_no_run_leads_out_of_the_folder(tmp_path: Path, run: str) -> None:
    logs = Logs(tmp_path / "logs", lambda: 0)
    logs.write(run, "fetch", 1, "x", {})
    assert [line["message"] for line in await lines(logs, run)] == ["x"]
    assert [path.parents[1] for path in written(tmp_path)] == [tmp_path / "logs"]


async def test_a_full_disk_drops_lines_and_counts_them_and_goes_on_afterwards(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.write("run_1", "fetch", 1, "before", {})

    def full(*args: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(logs_os, "write", full)
        logs.write("run_1", "fetch", 1, "lost", {})
        logs.write("run_1", "fetch", 1, "lost", {})
    logs.write("run_1", "fetch", 1, "after", {})
    assert await messages(logs) == ["before", "after"]
    assert logs.dropped == 2


# -- following


async def collected(reading: AsyncIterator[dict[str, Any]], seen: list[str], moved: asyncio.Event) -> None:
    async for line in reading:
        seen.append(line["message"])
        moved.set()


async def until(seen: list[str], moved: asyncio.Event, count: int) -> None:
    async with asyncio.timeout(30):
        while len(seen) < count:
            moved.clear()
            await moved.wait()


async def test_a_follower_gets_what_there_is_then_each_line_as_it_comes_then_the_end(logs: Logs) -> None:
    seen: list[str] = []
    moved = asyncio.Event()
    logs.write("run_1", "fetch", 1, "one", {})
    following = asyncio.create_task(collected(logs.read("run_1", node="fetch", follow=lambda: True), seen, moved))
    await until(seen, moved, 1)
    logs.write("run_1", "fetch", 1, "two", {})
    logs.write("run_1", "send", 1, "not asked for", {})
    await until(seen, moved, 2)
    thread = threading.Thread(target=logs.write, args=("run_1", "fetch", 1, "three", {}))
    thread.start()
    await until(seen, moved, 3)
    thread.join()
    logs.write("run_1", "fetch", 1, "last", {})
    logs.finish("run_1")
    async with asyncio.timeout(30):
        await following
    assert seen == ["one", "two", "three", "last"]


async def test_following_a_run_that_is_over_ends_at_once(logs: Logs) -> None:
    logs.write("run_1", "fetch", 1, "one", {})
    logs.finish("run_1")
    async with asyncio.timeout(30):
        assert await messages(logs, follow=lambda: False) == ["one"]


async def test_a_follower_is_carried_over_into_new_segments(tmp_path: Path) -> None:
    logs = Logs(tmp_path, lambda: 0, segment_max=500, segments_max=3)
    seen: list[str] = []
    moved = asyncio.Event()
    following = asyncio.create_task(collected(logs.read("run_1", follow=lambda: True), seen, moved))
    await asyncio.sleep(0)
    for n in range(40):
        logs.write("run_1", "fetch", 1, f"{n}", {})
        await until(seen, moved, n + 1)
    logs.close()
    await following
    assert seen == [f"{n}" for n in range(40)]


async def test_removed_lines_are_gone(logs: Logs, tmp_path: Path) -> None:
    logs.write("run_1", "fetch", 1, "one", {})
    assert await logs.having(["run_2", "run_1"]) == ["run_1"]
    await logs.remove("run_1")
    assert await logs.having(["run_1"]) == []
    assert await lines(logs) == []
    assert not (tmp_path / "logs" / "run_1").exists()
