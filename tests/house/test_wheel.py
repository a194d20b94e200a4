"""The wheel has what `aob demo` shows, so that it works in an empty folder; extras that are missing are named."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from aob.cli.demo import stage
from aob.core.errors import Unavailable
from tests.house.tree import ROOT


def test_the_examples_travel_in_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("order", "shop"):
        here = {path.relative_to(ROOT) for path in (ROOT / "examples" / name).rglob("*") if path.is_file()}
        kept = {path for path in here if "__pycache__" not in path.parts}
        assert {f"aob/{path.as_posix()}" for path in kept} <= names
    assert "aob/metrics/platform/contracts.json" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_a_demo_without_its_extra_says_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "find_spec", lambda name: None if name in ("obstore", "apprise") else object())
    with pytest.raises(Unavailable) as caught:
        stage.equipped()
    assert "obstore, apprise" in caught.value.detail
    assert "[demo]" in caught.value.hint
