"""Set-up on a machine that lacks something names the one line that installs it, and touches nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

TOOLS = ("dirname", "id", "rm", "touch")
NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
TOO_OLD = 'case "$*" in *version_info*) exit 1;; --version) echo Python 3.9.2;; esac'
NO_VENV = 'case "$*" in *ensurepip*) exit 1;; --version) echo Python 3.11.2;; esac'


def set_up(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up where every Python is the given shell script."""
    for name in NAMES:
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{python}\n")
        script.chmod(0o755)
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    environment = {"PATH": str(tmp_path), "HOME": os.environ.get("HOME", "/")}
    command = [shutil.which("sh") or "/bin/sh", str(ROOT / "tools" / "setup.sh"), "run"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(("python", "said"), [(TOO_OLD, "Python 3.9.2"), (NO_VENV, "has no venv module")])
def test_what_is_missing_is_named_with_the_line_that_installs_it(tmp_path: Path, python: str, said: str) -> None:
    done = set_up(tmp_path, python)
    assert done.returncode == 1
    assert said in done.stderr
    assert "apt-get install -y python3" in done.stderr
    assert "python3-venv" in done.stderr


@pytest.mark.parametrize(("third", "chosen"), [(70, "third"), (95, "first")])
def test_the_quickest_python_is_taken_unless_it_is_hardly_quicker(tmp_path: Path, third: int, chosen: str) -> None:
    took = {"first": 100, "second": 150, "third": third}
    for folder, ms in took.items():
        script = tmp_path / folder / "python3"
        script.parent.mkdir()
        script.write_text(
            f'#!/bin/sh\ncase "$*" in *process_time*) echo {ms};; --version) echo {folder};; *venv*) exit 0;; esac\n'
        )
        script.chmod(0o755)
    for tool in TOOLS:
        (tmp_path / "first" / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    copy = tmp_path / "tools" / "setup.sh"
    copy.parent.mkdir()
    copy.write_text((ROOT / "tools" / "setup.sh").read_text())
    environment = {"PATH": ":".join(str(tmp_path / folder) for folder in took)}
    done = subprocess.run(
        [shutil.which("sh") or "/bin/sh", str(copy), "run"],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout.startswith(f"Making .venv with {chosen}\n"), done.stderr


def test_ci_calls_the_commands_that_the_readme_gives() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()
    for command in ("make check", "make test"):
        assert f"\n{command}\n" in script
        assert f"`{command}`" in readme
