"""Snapshots are written when a test says so, however long the machine takes."""

import pytest

from aob.metrics.live import snapshots


@pytest.fixture(autouse=True)
def no_snapshot_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine takes longer than the seconds after which one is due."""
    monkeypatch.setattr(snapshots, "SNAPSHOT_S", 3_600.0)
