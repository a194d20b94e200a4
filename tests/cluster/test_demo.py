"""`make demo-cluster`, whole: it ends well, and leaves nothing behind; also when it is ended in its middle."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.servers.postgres import NoServerError, binaries, birth

pytestmark = pytest.mark.timeout(240)
DEMO = [sys.executable, "-m", "tools.cluster.demo"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    try:
        binaries()
    except NoServerError as why:
        pytest.skip(str(why))
    return {**os.environ, "PYTHONPATH": str(ROOT / "examples"), "TMPDIR": str(tmp_path)}


def left(said: str, folder: Path) -> list[object]:
    """Processes that were told of and are still there, and folders."""
    return [*folder.glob("aob-demo-cluster-*")] + [
        pid for pid in re.findall(r"[a-z]+(?:-\d)? (\d+)(?:  |$)", said, re.MULTILINE) if birth(int(pid))
    ]


def test_the_demo_on_a_cluster_ends_well_and_leaves_nothing(env: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(DEMO, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for wanted in (
        "approve, through api-2; the run was started through api-1", "completed twice: none",
        "POST /orders/o-1002/ship ×1; shipments: 1", "All went well",
    ):  # fmt: skip
        assert wanted in done.stdout, done.stdout
    assert re.search(r"kill -9 of (coordinator-\d|metrics-1), which has the run", done.stdout)
    assert not left(done.stdout, tmp_path)


def test_one_that_is_ended_in_its_middle_clears_its_stage(env: dict[str, str], tmp_path: Path) -> None:
    said = ""
    few = [*DEMO, "--coordinators", "1"]
    with subprocess.Popen(few, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            said += line
            if "A large order arrives" in line:
                demo.send_signal(signal.SIGTERM)
    assert demo.returncode == 143, said
    assert not left(said, tmp_path)
