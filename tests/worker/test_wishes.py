"""What `aob worker` refuses before it looks for a server."""

from pathlib import Path

import pytest

pytest.importorskip("grpc")

from aob.compose.worker.working import Wishes, work
from aob.core.errors import Invalid


def test_a_file_that_is_not_there_is_told_before_a_server_is_waited_for(tmp_path: Path) -> None:
    async def find() -> None:
        raise AssertionError("it waited for a server")

    with pytest.raises(Invalid) as refused:
        work(Wishes((str(tmp_path / "flows.py"),)), find, lambda event, facts: None)  # type: ignore[arg-type]
    assert refused.value.code == "app_not_loaded"
