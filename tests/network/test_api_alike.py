"""An api answers as the process that holds the home: every operation, asked rightly or with anything, over the wire."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from msgspec.structs import fields

import aob
from aob.compose.api import Holders, HomeRoom, RemoteHome
from aob.compose.api.room import HOME_STREAMS
from aob.compose.network import Member, Peers, PeerServer
from aob.compose.shards.local import LocalShard
from aob.core.policy import LOCAL, Caller
from aob.core.value import digest_of
from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE
from aob.server import create_app, serving

DOCUMENT: Final = b"workflow: hello\nnodes:\n  a: {kind: timer, config: {for: 1h}}\n"
BODIES: Final = (b"", b"[" * 2_000, b'{"name":"x","operations":[]}', DOCUMENT)
NAMES: Final = ("..%2fkeys", digest_of(DOCUMENT).hex())
ELSEWHERE: Final = {
    "list_shards", "set_shards", "status", "handlers", "pause_handler", "resume_handler", "show_settings",
    "push_settings",
}  # fmt: skip
"""Verbs that neither of the two rooms has."""
SLOW: Final = {"query"}  # it starts a process


@contextlib.asynccontextmanager
async def both(home: Path) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """The process that holds a home, and an api before it."""
    async with aob.open(home) as app, contextlib.AsyncExitStack() as stack:
        secret = (await app.views.create_key(LOCAL, "root", ("admin",)))["secret"]
        rooms = (app.views, app.metrics)
        room = HomeRoom(lambda: rooms, app.views.active_keys, [b"s" * 32])
        server = PeerServer(Member(("coordinator",)), lambda shard: room, HOME_STREAMS)
        server = await stack.enter_async_context(await server.open("127.0.0.1", 0))
        peers = await stack.enter_async_context(Peers(Member(("api",))))
        remote: Any = await stack.enter_async_context(RemoteHome(Holders([server.address], peers), peers))
        clients = []
        for served in (create_app(app.views, app.metrics), create_app(remote, remote, remote)):
            url = await stack.enter_async_context(serving(served))
            client = httpx.AsyncClient(base_url=url, headers={"x-api-key": secret}, timeout=30)
            clients.append(await stack.enter_async_context(client))
        yield clients[0], clients[1]


async def test_every_operation_has_the_same_status_at_an_api_and_none_breaks(tmp_path: Path) -> None:
    wrong = []
    async with both(tmp_path) as (here, there):
        for verb in (verb for verb in TABLE if not verb.streams and verb.name not in ELSEWHERE | SLOW):
            for way in verb.http:
                bodies = BODIES if way.method in ("POST", "PUT", "PATCH") else (b"",)
                for name in NAMES if "{" in way.path else ("",):
                    path = name.join(
                        part.partition("}")[2] if at else part for at, part in enumerate(way.path.split("{"))
                    )
                    for body in bodies:
                        media = "application/yaml" if body == DOCUMENT else "application/json"
                        kind = {"content-type": "application/octet-stream" if "blobs" in path else media}
                        told = [
                            await each.request(way.method, path, content=body, headers=kind) for each in (here, there)
                        ]
                        status = [each.status_code for each in told]
                        if status[0] // 100 != status[1] // 100 or max(status) >= 500:
                            wrong.append(f"{verb.name} {path[:60]} {body[:20]!r}: {status}")
    assert not wrong, "\n".join(wrong)


async def test_a_document_is_checked_at_an_api(tmp_path: Path) -> None:
    async with both(tmp_path) as (_, api):
        for document, valid in ((DOCUMENT, True), (b"workflow: x\nnodes: {a: {kind: nope}}", False)):
            answer = await api.post(
                "/v1/workflows:validate", content=document, headers={"content-type": "application/yaml"}
            )
            assert (answer.status_code, answer.json()["valid"]) == (200, valid)


async def test_the_registry_of_schemas_answers_at_an_api_as_at_home(tmp_path: Path) -> None:
    async with both(tmp_path) as (here, there):
        path = "/registry/subjects/orders-value/versions"
        first = await there.post(path, json={"schema": '"int"'})
        assert (first.status_code, first.json()["id"]) == (200, 1)
        for asked in (
            path,
            "/registry/schemas/ids/1",
            "/registry/subjects/none/versions",
            "/registry/config",
            "/registry/x",
        ):
            told = [await each.get(asked) for each in (here, there)]
            assert told[0].status_code == told[1].status_code, asked
            assert told[0].json() == told[1].json(), asked
        for each in (here, there):
            refused = await each.post(path, json={"schema": '"boolean"'})
            assert (refused.status_code, refused.json()["error_code"]) == (409, 409)


SAMPLES: Final = {bytes: b"\xff\x00", str: "a", int: 1, bool: True}
OF_OWNERS: Final = [verb for verb in TABLE if verb.answered_by != "main" and not verb.streams]


@pytest.mark.parametrize("verb", OF_OWNERS, ids=lambda verb: verb.name)
async def test_an_owner_gets_arguments_that_came_as_json_as_the_types_that_its_verb_has(verb: AnyVerb) -> None:
    class Views:
        """Notes what it is given."""

    async def perform(who: Caller, *args: object, **named: object) -> tuple[object, ...]:
        return (*args, *named.values())

    views: Any = Views()
    setattr(views, verb.name, perform)
    shard: Any = LocalShard.__new__(LocalShard)
    shard.views, shard._inner, shard._verbs = views, {}, {verb.name: verb}
    shape: Any = verb.args
    given = {each.encode_name: SAMPLES[each.type] for each in fields(shape) if each.type in SAMPLES}
    if any(each.required and each.encode_name not in given for each in fields(shape)):
        return  # JSON of any kind
    over_the_wire = msgspec.json.decode(msgspec.json.encode(given))
    for told in (await shard.call(verb.name, LOCAL, **over_the_wire), await shard.call(verb.name, LOCAL, **given)):
        assert [value for value in told if isinstance(value, str | bytes)] == [
            value for value in given.values() if isinstance(value, str | bytes)
        ]
