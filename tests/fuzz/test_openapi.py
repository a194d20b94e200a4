"""Every route of a home at work, fuzzed from its own OpenAPI document with the ids of what is there.

No request gets a 5xx, and every answer is one that the document promises. Most requests are as the document wants them
and reach a run, a ticket, a patch, a key, a blob; some have ids of nothing, and some are not what it wants.
"""

import asyncio
import re
import threading
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import aob
from aob.compose import App
from aob.compose.layout import Layout
from aob.compose.shards import Owners
from aob.core.policy import LOCAL
from aob.server import create_app, serving
from tests.runs.home import Deed, flow, fn, ticket_of

EXAMPLES: Final = 11
WRONG: Final = 3
"""Requests of each operation that are as its document wants them, and that are not."""
ENDLESS: Final = ("follow_all", "follow_all_alias", "follow_run", "follow_logs", "stream_events", "stream_org")
CHECKS: Final = (
    not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance,
)  # fmt: skip
SHOP: Final = """
event: order.created
version: 1
fields: {order_id: {type: string}, amount: {type: number}}
entities: [{entity: order, key: data.order_id, set: {amount: data.amount}}]
---
metric: revenue
version: 1
type: sum
moves: [{on: order.created, value: data.amount}]
windows: [1h, all]
slo: {slo: revenue_fresh, objective: freshness, limit: 5s, target: 0.99, window: 1h}
"""


class House:
    """A home, its server and its loop in a thread of their own, for callers that wait with their whole thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._live(),))
        self.app: App
        self.url = self.key = ""

    def __enter__(self) -> "House":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _live(self) -> None:
        deed = Deed()
        async with aob.open(self._folder, app=deed.handlers()) as self.app:
            self.key = (await self.app.views.create_key(LOCAL, "fuzz", ("admin",)))["secret"]
            nodes = {"a": fn("sized", input={"n": "70000"}), "ok": {"kind": "approval", "config": {}}, "b": fn()}
            await self.app.push(flow("order", nodes, "a>ok", "ok>b:approved"))
            async with Owners(self.app, (), Layout.of(1)) as owners:
                app, text = self.app, b"aob_events 1\n"
                served = create_app(app.views, app.metrics, owners.home, metrics_text=lambda as_open: text)
                async with serving(served) as self.url:
                    self._ready.set()
                    await self._stop.wait()
            deed.release()

    async def things(self) -> dict[str, str]:
        """Ids of a run that waits, its ticket, its patch, a blob, a key, and what is there of live metrics."""
        app = self.app
        run = await app.start("order", {})
        ticket = await ticket_of(app, run.id)
        patch = await app.views.propose(LOCAL, run.id, {"operations": [{"op": "disable", "id": "b"}]})
        key = await app.views.create_key(LOCAL, "k", ["view"])
        blob = (await app.run(run.id))["nodes"]["a"]["hash"]
        metrics = app.metrics
        await app.push_contracts({"shop.yaml": SHOP})
        await metrics.put_alert(LOCAL, "high", {"metric": "revenue", "when": "value > 1.0"})
        event = {"type": "order.created", "source": "shop", "id": run.id, "data": {"order_id": "o-1", "amount": 5.0}}
        told = await app.ingest([{**event, "data": {}}, event])
        hook = await metrics.create_webhook(LOCAL, "https://example.org", events=["*"])
        await metrics.update_webhook(LOCAL, hook["id"], paused=True)  # nothing leaves this machine
        await metrics.push_schema(LOCAL, f"{run.id}-value", '{"type": "object"}')
        topic = await metrics.create_topic(LOCAL, f"acme.shop.{run.id}", config={"retention.hours": 24})
        agent = await metrics.register_agent(LOCAL, f"acme.shop.{run.id}", capabilities=("sorts orders",))
        live = {"metric": "revenue", "type": "order", "id": "o-1", "kind": "metric", "contract": "revenue",
                "number": str(told["verdicts"][0]["deadletter"]), "alert": "high", "slo": "revenue_fresh",
                "webhook_id": hook["id"], "delivery_id": "msg_1", "topic": topic["topic"], "subject": f"{run.id}-value",
                "group": "billing", "agent": agent["agent"], "namespace": "acme.other"}  # fmt: skip
        return {**live, "run_id": run.id, "ticket_id": ticket["ticket_id"], "patch_id": patch["patch_id"],
                "name": "order", "key_id": key["id"], "hash": blob}  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("fuzz")) as opened:
        yield opened


@pytest.mark.timeout(300)
def test_no_request_breaks_the_server_or_gets_an_answer_that_was_not_promised(house: House) -> None:
    schema = schemathesis.openapi.from_url(f"{house.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    with requests.Session() as session:
        asked = [
            ask_at_random(house, operation, session)
            for operation in operations
            if operation.definition.raw["operationId"] not in ENDLESS
        ]
    assert len(asked) > 70
    assert sum(asked) > len(asked) * EXAMPLES / 2
    assert house.do(house.app.views.health())["status"] == "ok"


def ask_at_random(house: House, operation: Any, session: requests.Session) -> int:
    """Requests of one operation, nine of ten right ones with ids of what is there; how many were made."""
    things = house.do(house.things())
    known = {name: things[name] for name in re.findall(r"{(\w+)}", operation.path) if name in things}
    count = 0

    def ask(case: Any) -> None:
        nonlocal count
        response = case.call(headers={"x-api-key": house.key}, timeout=60, session=session)
        case.validate_response(response, checks=CHECKS)
        count += 1

    few = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    few(given(case=operation.as_strategy(path_parameters=known))(ask))()
    if known:
        settings(few, max_examples=1)(given(case=operation.as_strategy())(ask))()
    with suppress(Unsatisfiable):  # what takes nothing takes nothing wrong
        settings(few, max_examples=WRONG)(given(case=operation.as_strategy(GenerationMode.NEGATIVE))(ask))()
    return count
