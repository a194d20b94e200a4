"""An agent is killed at each of its steps (`kill -9`): before and after its effect, before and after its commit. Each
record has one visible effect, one output, and one step of its state. So it is when it is set back, and killed again."""

import subprocess
import sys
from pathlib import Path

import msgspec

from tests.crash.agent_life import POINTS

KILLED = -9


def lived(home: Path, point: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.crash.agent_life", str(home), point]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_one_visible_effect_whatever_step_is_cut_off(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for point in POINTS:
        died = lived(home, point)
        assert (died.returncode, (tmp_path / f"killed-{point}").exists()) == (KILLED, True), died.stderr
    ended = lived(home, "end")
    assert ended.returncode == 0, ended.stderr
    paid = [msgspec.json.decode(line) for line in ended.stdout.splitlines()]
    assert paid == [{"order": f"o{n}", "nth": n + 1} for n in range(len(POINTS))]
    acted = (tmp_path / "ledger").read_text().split()
    assert len(set(acted)) == len(POINTS), "one key an order, however often it was asked"
    assert len(acted) == len(POINTS) + 1, "only the effect whose worker died before its result was asked twice"
    assert lived(home, "set_back").returncode == KILLED
    again = lived(home, "again")
    assert again.returncode == 0, again.stderr
    *before, last = [msgspec.json.decode(line) for line in again.stdout.splitlines()]
    assert before == paid, "outputs are not appended again"
    assert last == {"order": "last", "nth": 2 * len(POINTS) + 1}, "each is handled again, once"
    assert (tmp_path / "ledger").read_text().split()[:-1] == acted, "what was settled is not asked again"
