"""While something is away, the log has a line for each cause and no line for each request."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from structlog.testing import capture_logs

from aob.core.errors import OurError, Unavailable
from aob.server import App
from aob.server.http.refusals import CAUSES_MAX, EVERY_S, Refusals
from tests.server.calls import problem
from tests.server.fake import FakeEngine

Later = list[Callable[[], None]]

AWAY = Unavailable("the database is away", code="store_away")


async def test_an_outage_is_told_once_and_then_counted(
    http: httpx.AsyncClient, engine: FakeEngine, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*given: object, **named: object) -> None:
        raise AWAY

    monkeypatch.setattr(engine, "run", away)
    with capture_logs() as logs:
        for _ in range(50):
            problem(await http.get("/v1/runs/run_1"), 503, "store_away")
        assert [(log["event"], log["log_level"], log["count"]) for log in logs] == [("requests_refused", "warning", 1)]
        app.stop()
    assert [log["count"] for log in logs] == [1, 49]
    assert {log["code"] for log in logs} == {"store_away"}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """The calls for later, to be made by the test."""
    calls: Later = []

    class Handle:
        def cancel(self) -> None:
            """Nothing is waited for."""

    def call_later(self: object, delay_s: float, function: Callable[[], None]) -> Handle:
        assert delay_s == EVERY_S
        calls.append(function)
        return Handle()

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_later", call_later)
    return calls


async def test_a_cause_that_goes_on_is_told_again_with_its_count_and_one_that_is_over_is_not(later: Later) -> None:
    refusals = Refusals()
    with capture_logs() as logs:
        for _ in range(3):
            refusals.count("/v1/runs", AWAY)
        refusals.count("/v1/runs", Unavailable("it moves", code="partition_moving"))
        later.pop()()
        refusals.count("/v1/runs", AWAY)  # still within the next time: it is told at its end
        later.pop()()
        later.pop()()
        assert not later, "nothing came in the last time: nothing waits"
        refusals.count("/v1/runs", AWAY)  # a new outage
    assert [(log["code"], log["count"]) for log in logs] == [
        ("store_away", 1), ("partition_moving", 1), ("store_away", 2), ("store_away", 1), ("store_away", 1),
    ]  # fmt: skip


async def test_it_remembers_a_bounded_number_of_causes(later: Later) -> None:
    refusals = Refusals()
    with capture_logs() as logs:
        for number in range(2 * CAUSES_MAX):
            refusals.count("/", Unavailable("away", code=f"code_{number}"))
    assert len(logs) == 2 * CAUSES_MAX
    assert len(refusals._since) == CAUSES_MAX


async def test_another_error_of_ours_is_told_each_time(
    http: httpx.AsyncClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*given: object, **named: object) -> None:
        raise OurError("it broke")

    monkeypatch.setattr(engine, "run", broken)
    with capture_logs() as logs:
        for _ in range(3):
            await http.get("/v1/runs/run_1")
    assert [log["event"] for log in logs] == ["request_failed"] * 3
