"""What a worker says to whoever watches its process."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import pytest

from aob.compose.worker.probes import probed
from aob.core.errors import AobError
from tests.servers.ports import free_port


async def test_a_worker_is_ready_while_it_is_attached() -> None:
    port, heard = free_port(), list[str]()
    async with (
        probed(str(port), lambda event, facts: heard.append(event)) as said,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):

        async def status(path: str = "/health/ready") -> tuple[int, Any]:
            answer = await http.get(path)
            return answer.status_code, answer.json()["status"]

        assert await status("/health/live") == (200, "alive")
        assert await status() == (503, "waits")
        for event, told in (("loaded", (503, "waits")), ("connected", (200, "ready")), ("counted", (200, "ready")),
                            ("waits", (503, "waits")), ("connected", (200, "ready")), ("died", (503, "waits")),
                            ("connected", (200, "ready")), ("draining", (503, "draining"))):  # fmt: skip
            said(event, {})
            assert await status() == told, event
        assert (await status("/metrics"))[0] == 404
        assert (await http.head("/health/ready?x=1")).status_code == 503
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 100_000)
        with suppress(ConnectionError):
            assert await reader.read() == b"", "what is no request is hung up on"
        writer.close()
    assert heard[0] == "loaded"


async def test_a_place_for_probes_that_is_none_or_taken_is_named() -> None:
    port = free_port()
    async with probed(f"127.0.0.1:{port}", lambda event, facts: None):
        for place, code in ((f"127.0.0.1:{port}", "port_taken"), ("x", "bad_address"), ("h:99999", "bad_address")):
            with pytest.raises(AobError) as refused:
                async with probed(place, lambda event, facts: None):
                    pass
            assert (refused.value.code, place in refused.value.detail) == (code, True)
