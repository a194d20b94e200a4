"""A new verb is one entry and one function: from these it is in HTTP, in OpenAPI, in both clients and on the wire
between processes, with its role asked for at each."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

import aob
from aob.client import AsyncClient
from aob.client.async_made import add
from aob.client.blocking import blocking
from aob.compose import App
from aob.compose.layout import Layout
from aob.compose.shards.local import STREAMS, LocalShard
from aob.compose.shards.sharded import ShardedViews
from aob.compose.wire import Asking, Channel, Requests, Wire
from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Refused
from aob.core.policy import LOCAL, Caller
from aob.core.verb import Http, Verb, ok, performs
from aob.core.verbs import TABLE
from aob.server import create_app, serving
from aob.server.http.openapi import openapi
from aob.views import Views


class Greet(msgspec.Struct, frozen=True):
    """Whom, and how."""

    name: str
    words: tuple[str, ...] = ()
    loud: bool = False


GREET: Final = Verb(
    "greet", Greet, "run", "greeting", "any",
    Http("POST", "/v1/greetings/{name}", "greet", "Greet somebody.", ok(JsonObject, "The greeting."), takes="GreetBody",
         query=("loud",), optional=True),
)  # fmt: skip
WITH_IT: Final = (*TABLE, GREET)


class Rooms(Views):
    """The engine, and the function of the new verb."""

    @performs(GREET)
    async def greet(self, who: Caller, args: Greet) -> JsonObject:
        text = " ".join(("hello", *args.words, args.name))
        return {"text": text.upper() if args.loud else text, "by": who.name}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path) as app:
        app.views = Rooms(app.views.core)
        yield app


@pytest.fixture
async def url(home: App) -> AsyncIterator[str]:
    async with serving(create_app(home.views, home.metrics, table=WITH_IT)) as address:
        yield address


async def key(home: App, *roles: str) -> str:
    secret: str = (await home.views.create_key(LOCAL, "k", roles))["secret"]
    return secret


async def test_it_is_a_route_with_its_fields_in_their_places(home: App, url: str) -> None:
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": await key(home, "run")}) as http:
        path = "/v1/greetings/ann"
        assert (await http.post(path, params={"loud": "true"}, json={"words": ["dear"]})).json()[
            "text"
        ] == "HELLO DEAR ANN"
        assert (await http.post(path)).json() == {"text": "hello ann", "by": "k"}
        wrong = (await http.post(path, json={"word": []})).json()
        assert (wrong["status"], wrong["problems"][0]["hint"]) == (422, "did you mean words?")
        http.headers["x-api-key"] = await key(home, "view")
        assert (await http.post(path)).status_code == 403


async def test_it_is_in_the_document(home: App) -> None:
    told = openapi(create_app(home.views, table=WITH_IT).table, "0")
    operation = told["paths"]["/v1/greetings/{name}"]["post"]
    assert [each["name"] for each in operation["parameters"]] == ["name", "loud"]
    assert list(told["components"]["schemas"]["GreetBody"]["properties"]) == ["words"]
    assert "role `run`" in operation["description"]


async def test_both_clients_have_it(home: App, url: str) -> None:
    class Asking(AsyncClient):
        """With the new verb."""

    add(Asking, (GREET,))
    secret = await key(home, "run")
    async with Asking(url, secret) as asking:
        assert (await asking.greet("ann", words=["dear"]))["text"] == "hello dear ann"
    greeting: Any = blocking(Asking)(url, secret)
    with greeting as it:
        assert (await asyncio.to_thread(it.greet, "ann", loud=True))["text"] == "HELLO ANN"
    with pytest.raises(TypeError, match="word"):
        await asking.greet("ann", word=[])


@asynccontextmanager
async def owner(shard: LocalShard) -> AsyncIterator[Channel]:
    """A shard behind a wire, as an owner process has it."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    wire = await Wire.over(theirs)
    async with Requests(wire, lambda ask: shard, STREAMS, Asking(wire)):
        channel = Channel(await Wire.over(ours), 1, lambda ask: asyncio.sleep(0))
        yield channel
        await channel.close()
    wire.close()


async def test_it_goes_over_the_wire_to_the_shard_that_answers_it(home: App) -> None:
    shard = LocalShard(0, home, WITH_IT)
    async with owner(shard) as channel:
        channel.up, channel.number = True, 1  # type: ignore[attr-defined]
        verbs: Any = ShardedViews(home.views, [channel], Layout.of(1), WITH_IT)  # type: ignore[list-item]
        assert (await verbs.greet(LOCAL, "ann", words=("dear",)))["text"] == "hello dear ann"
        with pytest.raises(Refused):
            await verbs.greet(Caller("default", "eve", frozenset({"view"})), "ann")
        with pytest.raises(CallerError) as caught:
            await channel.call("greets", LOCAL, "ann")
        assert caught.value.code == "unknown_verb"
