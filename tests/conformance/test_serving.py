"""Every `Serving` backend against the one suite."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from aob.backends.duckdb_serving import DuckServing
from aob.backends.memory.event_log import MemoryEventLog
from aob.core.contract_model import ContractSet
from aob.ports.dead_letters import LogWithLetters
from aob.ports.event_log import EventLog
from aob.ports.serving import Serving, Supply
from aob.testing.conformance.serving import ServingSuite


class TestDuckInFiles(ServingSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "serving"

    async def make_log(self) -> LogWithLetters:
        return MemoryEventLog()

    async def make(
        self, log: EventLog, contracts_of: Callable[[str], ContractSet], supplies: Sequence[Supply]
    ) -> Serving:
        return DuckServing(log, contracts_of, self.folder, supplies=supplies)
