"""A home at work behind HTTP, the client of Confluent's package, and bare requests of its protocol."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

import aob
from aob.compose import App
from aob.core.policy import Caller
from aob.server import create_app, serving


class Registry:
    """Requests of the protocol to one home."""

    def __init__(self, home: App, url: str, key: str) -> None:
        self.home, self.url, self.key = home, f"{url}/registry", key
        self.http = httpx.AsyncClient(headers={"x-api-key": key}, timeout=30)
        self._clients: list[SchemaRegistryClient] = []

    async def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """The status and the body of an answer."""
        answer = await self.http.request(method, self.url + path, json=body, params=query)
        assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        return answer.status_code, answer.json()

    async def register(self, subject: str, schema: str, language: str = "AVRO", **more: Any) -> int:
        """The id of a schema that is registered."""
        body = {"schema": schema, "schemaType": language, **more}
        status, told = await self("POST", f"/subjects/{subject}/versions", body)
        assert status == 200, told
        return int(told["id"])

    def client(self, user: str = "tester", key: str = "") -> SchemaRegistryClient:
        """The client of Confluent's package."""
        made = SchemaRegistryClient({"url": self.url, "basic.auth.user.info": f"{user}:{key or self.key}"})
        self._clients.append(made)
        return made

    async def close(self) -> None:
        """Close all connections."""
        for each in self._clients:
            each._rest_client.session.close()
        await self.http.aclose()

    async def ask(self, function: Callable[..., Any], *given: Any) -> Any:
        """What a blocking call answers."""
        return await asyncio.to_thread(function, *given)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with aob.open(tmp_path / "home") as home:
        who = Caller("default", "tester", frozenset({"admin", "deploy", "view"}))
        key = (await home.views.create_key(who, "tester", ("deploy", "view")))["secret"]
        async with serving(create_app(home.views, home.metrics)) as url:
            made = Registry(home, url, key)
            yield made
            await made.close()
