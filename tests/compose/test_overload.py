"""More events than the disk takes: callers are told when to come again, and what was acknowledged is there."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import aob
from aob.core.policy import LOCAL
from aob.server import create_app, serving
from tests.metrics.till import SHOP, recount, sold


@pytest.mark.timeout(30)
async def test_it_answers_429_with_a_time_and_loses_nothing_that_it_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.gate.pressure.WAITING_BYTES_MAX", 64 * 1024)
    monkeypatch.setattr("aob.gate.pressure.FREE_BYTES", 1_024)
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        key = (await app.views.create_key(LOCAL, "sender", ("run", "view")))["secret"]
        events, go_on = app.metrics.live.events, asyncio.Event()
        commit = events.commit

        async def slow(groups: Any, letters: Any) -> Any:
            await go_on.wait()
            return await commit(groups, letters)

        monkeypatch.setattr(events, "commit", slow)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/x-ndjson"}
        async with (
            serving(create_app(app.views, app.metrics)) as url,
            httpx.AsyncClient(base_url=url, headers=headers, limits=httpx.Limits(max_connections=100)) as http,
        ):

            async def send(call: int) -> httpx.Response:
                lines = msgspec.json.Encoder().encode_lines([sold(f"{call}-{n}") for n in range(20)])
                return await http.post("/v1/events", content=lines, timeout=20)

            calls = [asyncio.create_task(send(call)) for call in range(60)]
            refused: set[asyncio.Task[httpx.Response]] = set()
            waiting = set(calls)
            while len(refused) < 30:  # about twenty calls fit; those beyond are told at once
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused |= done
            waits = (await http.get("/v1/metrics/sales", params={"window": "all"})).json()["value"]
            assert waits == 0, "reads go on, and what is not durable is not counted"
            go_on.set()
            accepted = [answer for call in calls if (answer := await call).status_code == 200]
            for call in refused:
                answer = call.result()
                assert (answer.status_code, answer.json()["code"]) == (429, "ingest_busy")
                assert int(answer.headers["retry-after"]) >= 1
            assert recount(tmp_path)["sales"] == 20 * len(accepted) > 0, "acknowledged is there, refused is not"
            again = [await send(call) for call in range(60)]
        assert {answer.status_code for answer in again} == {200}
        assert (await app.metric("sales", window="all"))["value"] == 1_200 == recount(tmp_path)["sales"]
