"""The pages of first steps do what they say: files are written, the platform is started, lines are run in order."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.house.tree import ROOT

BLOCK: Final = re.compile(r"^```(\w+) (file=\S+|run|fails|up)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def environment() -> dict[str, str]:
    """Ours, with the commands of this environment first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AOB_")}
    return {**kept, "AOB_PORT": "0", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}


def up(script: str, folder: Path) -> "subprocess.Popen[str]":
    """Start the platform as the page says, and come back when it has said its address."""
    process = subprocess.Popen(
        ["/bin/sh", "-ec", f"exec {script.strip()}"],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout
    said = process.stdout.readline()
    assert "http://127.0.0.1" in said, said + process.stdout.read()
    return process


@pytest.mark.parametrize(("page", "shows"), [("start.md", {"up", "run", "fails"}), ("first-agent.md", {"up", "run"})])
def test_the_first_steps_work_exactly_as_they_stand(page: str, shows: set[str], tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text())
    assert {what for _, what, _ in blocks} >= shows
    platform: subprocess.Popen[str] | None = None
    try:
        for _, what, text in blocks:
            if what.startswith("file="):
                (tmp_path / what.removeprefix("file=")).write_text(text)
            elif what == "up":
                ended(platform)
                platform = up(text, tmp_path)
            else:
                command = ["/bin/sh", "-ec", text]
                done = subprocess.run(
                    command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
                )
                assert (done.returncode != 0) is (what == "fails"), text + done.stdout + done.stderr
    finally:
        ended(platform)


def ended(platform: "subprocess.Popen[str] | None") -> None:
    """End the platform, if it is there and has not been killed."""
    if platform:
        platform.send_signal(signal.SIGTERM)
        platform.communicate(timeout=20)
