"""The wheel has what `aob demo` shows, so that it works in an empty folder; extras that are missing are named."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from aob.core.errors import Unavailable
from demo import services
from tests.house.tree import ROOT


def built(folder: Path) -> Path:
    """The wheel, made there."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_examples_travel_in_the_wheel(tmp_path: Path) -> None:
    names = set(zipfile.ZipFile(built(tmp_path)).namelist())
    for name in ("demo", "order", "shop", "triage"):
        here = {path.relative_to(ROOT) for path in (ROOT / "examples" / name).rglob("*") if path.is_file()}
        kept = {path for path in here if "__pycache__" not in path.parts}
        assert {f"aob/{path.as_posix()}" for path in kept} <= names
    assert "aob/metrics/platform/contracts.json" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_the_generator_runs_from_the_wheel(tmp_path: Path) -> None:
    zipfile.ZipFile(built(tmp_path)).extractall(tmp_path / "installed")
    command = [sys.executable, "-m", "aob.cli", "generate", "--count", "3", "--start", "0", "--out", "-"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True, timeout=60)
    assert len(done.stdout.splitlines()) == 3


def test_a_demo_without_its_extra_says_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "find_spec", lambda name: None if name in ("obstore", "apprise") else object())
    with pytest.raises(Unavailable) as caught:
        services.equipped()
    assert "obstore, apprise" in caught.value.detail
    assert "[demo]" in caught.value.hint
