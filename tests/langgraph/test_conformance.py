"""The suite that LangGraph's makers give for checkpointers."""

from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES

from aob.langgraph import AobSaver


async def test_all_capabilities_are_detected_and_pass(opened: AobSaver, capsys: pytest.CaptureFixture[str]) -> None:
    @checkpointer_test(name="AobSaver")
    async def ours() -> AsyncGenerator[BaseCheckpointSaver[int], None]:
        yield opened

    report = await validate(ours)
    with capsys.disabled():
        report.print_report()
    assert len(ALL_CAPABILITIES) == 8
    failures = {name: each.failures for name, each in report.results.items() if not each.passed}
    assert failures == {}
    assert {name for name, each in report.results.items() if each.detected} == {each.value for each in ALL_CAPABILITIES}
    assert sum(each.tests_passed for each in report.results.values()) >= 70
