"""`kill -9` while events pour in: what was acknowledged is in the log, each event once, and the sums are the rows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.ingest import Gate
from tests.core.ingest.sample import CONTRACTS

ROOT = Path(__file__).parents[2]
LIVES = (400, 40, 1_500, 5)
"""Acknowledged events after which each life is killed."""


def life(folder: Path, number: int, count: int) -> set[str]:
    """One life of a sender, killed once it has told of so many; the ids whose whole line came through."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gate.sender", str(folder), str(number)], cwd=ROOT, stdout=subprocess.PIPE
    )
    told = b""
    try:
        assert process.stdout is not None
        while told.count(b"\n") < count:
            part = process.stdout.read1(65_536)
            assert part, "the sender ended by itself"
            told += part
    finally:
        process.kill()
        rest, _ = process.communicate()
    return {each.decode() for each in (told + rest).rpartition(b"\n")[0].split(b"\n")}


@pytest.mark.timeout(100)
async def test_each_acknowledged_event_is_in_the_log_once(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for number, count in enumerate(LIVES, 1):
        acknowledged |= life(tmp_path, number, count)
    log = SqliteEventLog(tmp_path / "events.db")
    after, ids, sums, gate = 0, list[str](), [0, 0, 0], Gate(CONTRACTS)
    while rows := await log.rows(after):
        for row in rows:
            assert (row.row, row.first) == (after + 1, len(ids)), "rows and offsets are dense"
            found = [json.loads(each)["id"] for each in row.lines.split(b"\n")] if row.count else []
            assert [event.id for event in gate.reread(row.lines, row.notes, row.first)] == found
            assert len(found) == row.count
            ids += found
            sums = [a + b for a, b in zip(sums, (row.count, row.duplicate, row.rejected), strict=True)]
            after = row.row
    assert acknowledged <= set(ids)
    assert len(ids) == len(set(ids))
    assert await log.totals("acme") == tuple(sums)
    assert sums[1] > 0, "no event was sent twice, so nothing was tried"
    await log.close()
