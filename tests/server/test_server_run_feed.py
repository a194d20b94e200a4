"""The feed of all runs has a path of its own; the one that it had before, where business events are sent, stays."""

import httpx
import pytest

from tests.server.fake import FakeEngine


@pytest.mark.parametrize("path", ["/v1/runs/events", "/v1/events"])
async def test_both_paths_tell_of_all_runs(path: str, http: httpx.AsyncClient, engine: FakeEngine) -> None:
    await http.post("/v1/runs", json={"workflow": "order"})
    async with http.stream("GET", path, params={"position": "none"}) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    answer = await http.head(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
