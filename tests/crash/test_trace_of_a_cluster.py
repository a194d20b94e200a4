"""One trace over processes: what a caller asks of an api, what that asks of a coordinator, and the handler at a worker
belong to the caller's trace, each caused by the one before it."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.compose.test_telemetry import SPAN_ID, TRACE_ID, collector
from tests.crash.cluster import APP, KEY, cluster
from tests.crash.test_coordinators import SHARDS
from tests.crash.test_coordinators import schema as schema
from tests.crash.test_workers_of_a_cluster import pushed
from tests.runs.home import flow, fn
from tests.servers.fixtures import Schema
from tests.servers.ports import free_port
from tests.worker.polling import until

pytestmark = pytest.mark.timeout(120)


async def test_a_start_is_traced_from_the_api_to_the_handler_at_a_worker(
    tmp_path: Path, schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as found, cluster(tmp_path, schema) as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        made.env = {"AOB_GRPC_PORT": "0"}
        port = free_port()
        await made.member("one", port=port, app="")
        client = await made.api(port)
        await made.spread(SHARDS)
        await made.worker(made.urls[0], APP)
        await pushed(client, flow("one", {"a": fn("noted", input={"n": "inputs.n"})}))
        async with httpx.AsyncClient(base_url=made.urls[0], trust_env=False, headers={"x-api-key": KEY}) as caller:
            started = await caller.post(
                "/v1/runs", json={"workflow": "one", "inputs": {"n": 1}},
                headers={"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"},
            )  # fmt: skip
        run_id = started.json()["run_id"]
        assert (await client.wait(run_id))["status"] == "COMPLETED"
        await client.start("one", {"n": 2})  # this is another trace

        def mine() -> dict[str, Any]:
            return {span.name: span for span in found.spans if span.trace_id.hex() == TRACE_ID}

        await until(lambda: {"POST /v1/runs", "function noted"} <= mine().keys())
    spans = mine()
    parents = {span.span_id.hex(): name for name, span in spans.items()} | {SPAN_ID: "caller"}
    chain, at = ["function noted"], "function noted"
    while at != "caller":
        at = parents[spans[at].parent_span_id.hex()]
        chain.append(at)
    assert chain[-2:] == ["POST /v1/runs", "caller"]
    assert any(name.startswith("ask ") for name in chain[1:-2]), chain  # at the coordinator
    told = {each.key: each.value.string_value or each.value.int_value for each in spans["function noted"].attributes}
    assert (told["aob.run"], told["aob.visit"], told["aob.attempt"]) == (run_id, "a", 1)
    assert len(mine()) == len(spans), "the second start has a trace of its own"
