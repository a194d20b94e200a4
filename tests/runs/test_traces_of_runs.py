"""A run keeps the trace that it was started in: its jobs are performed under it, also after a restart."""

import types
from pathlib import Path

import aob
from aob.compose import App
from aob.ports.telemetry import TRACE, Trace, traceparent
from tests.runs.home import chain

ABOVE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


@aob.node
async def told() -> str:
    trace = TRACE.get()
    return "" if trace is None else traceparent(trace)


HANDLERS = types.SimpleNamespace(told=told)


async def started(app: App, trace: Trace | None) -> tuple[str, str]:
    """The id of a run that was started so, and what its handler found."""
    token = TRACE.set(trace)
    try:
        run = await app.start("w", {})
    finally:
        TRACE.reset(token)
    found = await run.done()
    assert found["status"] == "COMPLETED", found
    return run.id, found["output"]


async def test_jobs_have_the_trace_of_the_start_of_their_run_and_no_other(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home", app=HANDLERS) as app:
        await app.push(chain("w", "told", "told"))
        with_trace, found = await started(app, ABOVE)
        without, nothing = await started(app, None)
        assert (found, nothing) == (traceparent(ABOVE), "")
        events = [fact["type"] for fact in await app.views.timeline(app.who, with_trace)]
        assert events == [fact["type"] for fact in await app.views.timeline(app.who, without)]
    async with aob.open(tmp_path / "home", app=HANDLERS) as app:
        for run_id, kept in ((with_trace, traceparent(ABOVE)), (without, "")):
            stream = await app.views.core.journal.load(run_id)
            assert stream is not None
            assert stream.state.trace == kept


async def test_the_same_start_in_another_trace_is_the_same_run(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home", app=HANDLERS) as app:
        await app.push(chain("w", "told"))
        first = await app.start("w", {}, key="k")
        token = TRACE.set(ABOVE)
        try:
            again = await app.start("w", {}, key="k")
        finally:
            TRACE.reset(token)
        assert (again.id, again.created) == (first.id, False)
