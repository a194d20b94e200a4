"""Jobs of a run that has a trace: performed under it, in a span of their own; what they ask of others carries it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aob.backends.memory.telemetry import MemoryTelemetry
from aob.core.node import HttpConfig
from aob.ports.telemetry import TRACE, Telemetry, Trace, traced, traceparent
from aob.ports.workers import Done, Job
from aob.work import node
from aob.work.kinds import barer, performer, placer
from aob.work.kinds.http import filled
from aob.work.pool import Pool
from aob.work.secrets import NOWHERE, Vault
from tests.work.jobs import Asked, Told, calls, job_of, node_of, tools_of

ABOVE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BELOW = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "b7ad6b7169203331")


class Spans(MemoryTelemetry):
    """Notes spans, each with its cause."""

    tracing = True

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[str, Trace | None, dict[str, Any]]] = []

    @contextmanager
    def span(self, name: str, parent: Trace | None = None, **attributes: str | int | float) -> Iterator[Trace | None]:
        self.begun.append((name, parent, attributes))
        token = TRACE.set(BELOW)
        try:
            yield BELOW
        finally:
            TRACE.reset(token)


@node
async def told() -> str:
    trace = TRACE.get()
    return "" if trace is None else traceparent(trace)


async def outputs(*jobs: Job, telemetry: Telemetry | None) -> list[Any]:
    """What comes of the jobs, one after the other, at a pool that calls bare ones as it may."""
    results = Told()
    tools = tools_of(told, telemetry=telemetry)
    async with Pool(1, performer(tools, Asked), results, place=placer(tools), bare=barer(tools)) as pool:
        for job in jobs:
            pool.submit(job)
        return [result.output if isinstance(result, Done) else result for result in await results.first(len(jobs))]


def asked(run: str, trace: str = "") -> Job:
    job = calls("told", run=run)
    job.trace = trace
    return job


async def test_a_job_with_a_trace_is_performed_in_a_span_below_it_and_others_in_none() -> None:
    spans = Spans()
    found = await outputs(asked("run_1"), asked("run_2", ABOVE), asked("run_3"), telemetry=spans)
    assert sorted(found) == ["", "", traceparent(BELOW)]
    ((name, above, facts),) = spans.begun
    assert name == "function told"
    assert above == traced(ABOVE)
    assert (facts["aob.run"], facts["aob.visit"], facts["aob.attempt"], facts["aob.tenant"]) == (
        "run_2", "n", 1, "acme"
    )  # fmt: skip


@pytest.mark.parametrize("telemetry", [None, MemoryTelemetry()])
async def test_without_a_collector_the_trace_is_carried_on_all_the_same(telemetry: Telemetry | None) -> None:
    found = await outputs(asked("run_1", ABOVE), asked("run_2"), telemetry=telemetry)
    assert sorted(found) == ["", ABOVE]


def test_a_trace_is_carried_on_as_it_came() -> None:
    trace = traced(ABOVE)
    assert trace is not None
    assert traceparent(trace) == ABOVE


@pytest.mark.parametrize("given", [{}, {"Traceparent": "mine"}])
def test_an_http_node_sends_the_trace_unless_its_document_names_one(given: dict[str, str]) -> None:
    config = HttpConfig(url="http://shop/orders", headers=given)
    job = job_of(node_of("http", {"url": "http://shop/orders", "headers": given}), {})
    assert "traceparent" not in filled(config, job, Vault(NOWHERE)).headers
    job.trace = ABOVE
    sent = {name.lower(): value for name, value in filled(config, job, Vault(NOWHERE)).headers.items()}
    assert sent["traceparent"] == given.get("Traceparent", ABOVE)


def test_within_a_span_an_http_node_sends_that() -> None:
    job = job_of(node_of("http", {"url": "http://shop/orders"}), {})
    job.trace = ABOVE
    token = TRACE.set(BELOW)
    try:
        headers = filled(HttpConfig(url="http://shop/orders"), job, Vault(NOWHERE)).headers
    finally:
        TRACE.reset(token)
    assert headers["traceparent"] == traceparent(BELOW)
