"""Settings of a home and variables of the environment: two homes that differ in one of them alone are told apart."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

import aob
from aob.client import AsyncClient
from aob.compose import serving
from aob.core.errors import AobError
from aob.core.policy import Caller
from aob.testing.conformance.model import Turn
from tests.cli.conftest import Terminal
from tests.models.provider import KEY, Provider
from tests.runs.home import finished, flow, fn, ticket_of
from tests.servers.fixtures import dropped, made_schema
from tests.servers.listening import listening
from tests.servers.ports import free_port
from tests.servers.postgres import shared
from tests.sweep.frame import LEFT_OUT, World, code, shows
from tests.sweep.graph import order_of
from tests.work.peers import Peer
from tests.work.test_notify import Sink

ADD = {"op": "add_node", "id": "x"}
POST = {"kind": "http", "config": {"url": "https://shop.example/x", "method": "POST"}}


@asynccontextmanager
async def served(world: World, **settings: Any) -> Any:
    """`aob up` in this process: where it listens, and a client with the home's key."""
    home, told = world.folder / "home", asyncio.get_running_loop().create_future()
    parsed = serving.read_settings(home, os.environ, **{"port": 0, **settings})
    serves = serving.serve_home(home, parsed, (), lambda *said: told.set_result(said), lambda _: None)
    running = asyncio.create_task(serves)
    await asyncio.wait([running, told], return_when=asyncio.FIRST_COMPLETED)
    try:
        url, app, _ = told.result() if told.done() else running.result()
        async with AsyncClient(url, key=(home / "key").read_text().strip()) as client:
            yield url, app, client
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# -- where it listens, and who may read how often


@shows("settings", "host", "127.0.0.1", "127.0.0.2")
async def host(given: dict[str, Any], world: World) -> Any:
    async with served(world, **given) as (url, _, client):
        await client.health()
        return url.rpartition(":")[0]


@shows("settings", "port", "one that is free", 0)
async def port(given: dict[str, Any], world: World) -> Any:
    wanted = free_port()
    async with served(world, port=wanted if given["port"] else 0) as (url, _, client):
        await client.health()
        return url.endswith(f":{wanted}")


@shows("settings", "grpc_port", LEFT_OUT, 0)
async def grpc_port(given: dict[str, Any], world: World) -> Any:
    async with served(world, **given) as (_, _, client):
        return "workers" in await client.health()


@shows("settings", "grpc_cert", "", "api.pem")
async def grpc_cert(given: dict[str, Any], world: World) -> Any:
    return await _with_certificate(world, {"grpc_key": "api.pem", **given})


@shows("settings", "grpc_key", "", "api.pem")
async def grpc_key(given: dict[str, Any], world: World) -> Any:
    return await _with_certificate(world, {"grpc_cert": "api.pem", **given})


async def _with_certificate(world: World, given: dict[str, Any]) -> Any:
    """Whether workers are served with a certificate, or why they are not."""
    folder = world.folder / "certs"
    await Terminal({})("certs", "init", "--home", str(world.folder), "--role", "api")
    pair = {name: str(folder / file) if file else "" for name, file in given.items()}

    async def serve() -> Any:
        async with served(world, grpc_port=0, **pair) as (_, _, client):
            return "workers" in await client.health()

    return await code(serve())


@shows("settings", "public_url", LEFT_OUT, "https://runs.example")
async def public(given: dict[str, Any], world: World) -> Any:
    async with served(world, **given) as (url, app, _):
        return app.notices.base_url.replace(url, "URL")


async def reads(world: World, **settings: Any) -> list[int]:
    async with served(world, **settings) as (url, _, client):
        key = (await client.create_key("reader", ["view"]))["secret"]
        async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}) as reader:
            return [(await reader.get("/v1/runs")).status_code for _ in range(3)]


@shows("settings", "rate_limit_rpm", 1, 2)
@shows("settings", "tenant_rate_limit_rpm", 1, 2)
async def limited(given: dict[str, Any], world: World) -> Any:
    return await reads(world, **{"rate_limit_rpm": 0, "tenant_rate_limit_rpm": 0, **given})


# -- the home


@shows("settings", "app", (), ("tests.work.handlers_cpu",))
async def app(given: dict[str, Any], world: World) -> Any:
    (world.folder / "home").mkdir()
    (world.folder / "home" / "aob.toml").write_text(f"app = {list(given['app'])}")
    home = await world.home()
    return await code(home.push(flow("w", {"a": fn("label")})))


@shows("settings", "shards", 1, 2)
async def shards(given: dict[str, Any], world: World) -> Any:
    return await code(world.home(processes="shard", **given))


@shows("settings", "store_password", "one", "other")
async def store_password(given: dict[str, Any], world: World) -> Any:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As a server of Postgres that wants the password as it is."""
        try:
            while int.from_bytes((start := await _message(reader))[:4]) != 3 << 16:
                writer.write(b"N")  # neither TLS nor GSSAPI
            assert b"user" in start
            writer.write(b"R" + (8).to_bytes(4) + (3).to_bytes(4))
            assert await reader.readexactly(1) == b"p"
            password = (await _message(reader)).rstrip(b"\0").decode()
            if not told.done():
                told.set_result(password)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with listening(ask) as port:
        world.set_env(AOB_STORE_PASSWORD=given["store_password"], AOB_MASTER_KEY=KEYS[0])
        opening = asyncio.ensure_future(world.home(store=f"postgresql://aob@127.0.0.1:{port}/shop", blobs="", log=""))
        async with asyncio.timeout(60):
            await asyncio.wait({opening, told}, return_when=asyncio.FIRST_COMPLETED)
            password = told.result() if told.done() else await opening
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return password


@shows("settings", "servers", {}, {"2": "postgresql://aob@127.0.0.1/shop"})
async def servers(given: dict[str, Any], world: World) -> Any:
    world.set_env(**{f"AOB_STORE_{name}": url for name, url in given["servers"].items()})
    return await code(world.home())


KEYS = tuple(base64.b64encode(bytes([number]) * 32).decode() for number in range(3))


@shows("settings", "master_key", KEYS[0], KEYS[1])
async def master_key(given: dict[str, Any], world: World) -> Any:
    return await _opens_under(world, {"AOB_MASTER_KEY": given["master_key"]})


@shows("settings", "master_key_old", KEYS[0], KEYS[1])
async def master_key_old(given: dict[str, Any], world: World) -> Any:
    return await _opens_under(world, {"AOB_MASTER_KEY": KEYS[2], "AOB_MASTER_KEY_OLD": given["master_key_old"]})


@shows("settings", "kinds_without_worker", "here", "wait")
async def kinds_without_worker(given: dict[str, Any], world: World) -> Any:
    node = {"kind": "http", "config": {"url": "http://127.0.0.1:1/"}}
    async with aob.open(world.folder / "home", grpc_port=0, **given) as app:
        await app.push({"workflow": "w", "nodes": {"a": node}, "edges": {}})
        await app.start("w")
        return len(app.views.core.dispatch.queue)


@shows("settings", "lease_s", 20, 500)
async def lease_s(given: dict[str, Any], world: World) -> Any:
    schema = made_schema(shared(), 1)
    try:
        world.set_env(AOB_STORE=schema.url, AOB_MASTER_KEY=KEYS[0])
        async with aob.open(world.folder / "home", **given) as app:
            claim = app.shared.claim
            assert claim is not None
            (lease,) = (await claim._leases.standing()).leases
            return lease.left_ms > 250_000
    finally:
        dropped(schema)


async def _opens_under(world: World, variables: dict[str, str]) -> str:
    """Whether a home on Postgres opens that was opened with the first key."""
    schema = made_schema(shared(), 1)
    try:
        for each in ({"AOB_MASTER_KEY": KEYS[0]}, variables):
            world.set_env(AOB_STORE=schema.url, **each)
            async with aob.open(world.folder / "home"):
                pass
    except AobError as error:
        return error.code
    finally:
        dropped(schema)
    return "opened"


async def _message(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)


@shows("settings", "partitions", 64, 128)
async def partitions(given: dict[str, Any], world: World) -> Any:
    await world.home(**given)
    return json.loads((world.folder / "home" / "home.json").read_text())["partitions"]


@shows("settings", "processes", "shard", "one")
async def processes(given: dict[str, Any], world: World) -> Any:
    return await code(world.home(shards=2, **given))


@shows("settings", "concurrency", 1, 4)
async def concurrency(given: dict[str, Any], world: World) -> Any:
    return await order_of(world, [flow("v", {"a": fn()})] * 3 + [flow("v", {"a": fn(priority="high")})], **given)


@shows("settings", "store", LEFT_OUT, "memory:")
@shows("settings", "blobs", LEFT_OUT, "memory:")
@shows("settings", "log", LEFT_OUT, "memory:")
async def files(given: dict[str, Any], world: World) -> Any:
    home = await world.enter(aob.open(world.folder / "home", app=world.deed.handlers(), **given))
    await home.push(flow("w", {"a": fn("sized"), "b": {"kind": "emit", "config": {"topic": "t", "type": "t"}}}))
    await finished(home, (await home.start("w", 100_000)).id)
    await home.ingest({"id": "1", "source": "s", "type": "t", "data": 1})
    names = {path.relative_to(home.home).parts[0] for path in home.home.rglob("*") if path.is_file()}
    return sorted(names & {"shard-0.db", "blobs", "gate.db"})


@shows("settings", "cache", "off", "memory:")
async def cache(given: dict[str, Any], world: World) -> Any:
    home = await world.home(**given)
    await home.push(flow("w", {"double": fn("double", cache="read_through")}))
    for _ in range(2):
        await finished(home, (await home.start("w", 3)).id)
    return world.deed.calls


LOGS = """
import sys
from pathlib import Path
from aob.compose import serving
async def serve_home(*parts):
    for word in ("info", "warning", "error"):
        getattr(serving.log, word)("it_says_" + word)
serving.serve_home = serve_home
serving.up(Path(sys.argv[1]))
"""


def logged(world: World, level: str) -> Any:
    env = {**os.environ, "AOB_LOG_LEVEL": level}
    command = [sys.executable, "-c", LOGS, str(world.folder / "home")]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return [word for word in ("info", "warning", "error") if f"it_says_{word}" in done.stderr]


@shows("settings", "log_level", "info", "error")
async def log_level(given: dict[str, Any], world: World) -> Any:
    return await asyncio.to_thread(logged, world, given["log_level"])


@shows("settings", "certs", "", "other")
async def certs(given: dict[str, Any], world: World) -> Any:
    folder = world.folder / "home"
    folder.mkdir(parents=True)
    (folder / "aob.toml").write_text(f'certs = "{given["certs"]}"')
    done = await Terminal({})("certs", "init", "--home", str(folder), "--role", "api")
    return done.code, sorted(str(path.relative_to(folder)) for path in folder.glob("*/ca.pem"))


# -- egress


async def requested(world: World, peer: Peer, **egress: Any) -> Any:
    peer.answer("/x", b"1", content_type="application/json")
    home = await world.home(egress=egress)
    await home.push(flow("w", {"a": {"kind": "http", "config": {"url": f"{peer.url}/x"}}}))
    told = await finished(home, (await home.start("w")).id)
    return told["output"], (told["error"] or {}).get("code")


@shows("egress", "private", [], ["127.0.0.1"])
async def private(given: dict[str, Any], world: World) -> Any:
    return await requested(world, await world.peer(), **given)


@shows("egress", "hosts", LEFT_OUT, ["shop.example"])
async def hosts(given: dict[str, Any], world: World) -> Any:
    return await requested(world, await world.peer(), private=["127.0.0.1"], **given)


# -- patches


async def proposed(world: World, node: dict[str, Any], kind: str = "person", **rules: Any) -> Any:
    """What becomes of a patch that adds a node to a run that waits."""
    home = await world.home(patches=rules)
    known = {"kind": "http", "config": {"url": "https://shop.example/y"}}
    await home.push(flow("w", {"a": {"kind": "wait", "config": {"message": "go"}}, "b": known}, "a>b"))
    run = await home.start("w")
    body = {"operations": [{**ADD, "node": node}], "kind": kind}
    try:
        told = await home.views.propose(home.who, run.id, body)
    except aob.AobError as error:
        return error.code
    return told["state"], sorted(problem["code"] for problem in told.get("problems", ()))


@shows("patches", "forbidden_kinds", [], ["timer"])
@shows("patches", "always_person", False, True)
async def a_timer(given: dict[str, Any], world: World) -> Any:
    return await proposed(world, {"kind": "timer", "config": {"for": "1s"}}, **given)


@shows("patches", "trusted_kinds", [], ["person"])
async def trusted(given: dict[str, Any], world: World) -> Any:
    return await proposed(world, {"kind": "timer", "config": {"for": "1s"}}, always_person=True, **given)


@shows("patches", "agents_max", 0, 1)
async def agents_max(given: dict[str, Any], world: World) -> Any:
    return await proposed(world, {"kind": "agent", "config": {"task": "t", "model": "script:x"}}, **given)


@shows("patches", "template_hosts", False, True)
async def template_hosts(given: dict[str, Any], world: World) -> Any:
    config = {"url": "https://{host}/x"}
    return await proposed(world, {"kind": "http", "config": config, "input": {"host": "'a.example'"}}, **given)


@shows("patches", "free", [], [{"kind": "http"}])
async def free(given: dict[str, Any], world: World) -> Any:
    return await proposed(world, POST, **given)


@shows("free", "kind", "http", "object")
@shows("free", "host", "shop.example", "other.example")
@shows("free", "method", "POST", "DELETE")
async def freed(given: dict[str, Any], world: World) -> Any:
    return await proposed(world, POST, free=[{"kind": "http", **given}])


@shows("patches", "four_eyes", False, True)
async def four_eyes(given: dict[str, Any], world: World) -> Any:
    home = await world.home(patches={"always_person": True, **given})
    await home.push(flow("w", {"a": {"kind": "wait", "config": {"message": "go"}}}))
    starter = Caller("default", "ann", frozenset({"view", "run", "approve"}), "k1")
    run_id = (await home.views.start(starter, "w"))["run_id"]
    told = await home.views.propose(home.who, run_id, {"operations": [{**ADD, "node": fn()}]})
    return await code(home.views.answer(starter, told["ticket"], "approve"))


# -- models


async def modelled(world: World, **models: Any) -> Any:
    """What an agent says, and with which key its model was asked."""
    home = await world.home(models=models)
    await home.push(flow("w", {"a": {"kind": "agent", "config": {"task": "t"}}}))
    told = await finished(home, (await home.start("w")).id)
    return told["output"], (told["error"] or {}).get("code")


@shows("models", "default", "script:one", "script:other")
async def default(given: dict[str, Any], world: World) -> Any:
    scripts = world.folder / "home" / "scripts"
    scripts.mkdir(parents=True)
    for name in ("one", "other"):
        (scripts / f"{name}.yaml").write_text(f"rules:\n  - name: any\n    text: I am {name}\n")
    return await modelled(world, **given)


@shows("models", "base_urls", "one", "other")
@shows("models", "keys", LEFT_OUT, "{secret:OTHER}")
@shows("models", "record", LEFT_OUT, "tape")
async def live(given: dict[str, Any], world: World) -> Any:
    one = await world.enter(Provider([Turn(text="I am one")] * 4))
    other = await world.enter(Provider([Turn(text="I am the other")] * 4))
    name = given.pop("base_urls", "one")
    keys = {"openai-chat": given.pop("keys", "{secret:ONE}")}
    world.set_env(AOB_SECRET_ONE=KEY, AOB_SECRET_OTHER="sk-wrong")
    urls = {"one": one.openai_url, "other": other.openai_url}
    found = await modelled(
        world, default="openai-chat:gpt-4o-mini", base_urls={"openai-chat": urls[name]}, keys=keys, **given
    )
    tapes = sorted(path.name for path in (world.folder / "home").rglob("*.jsonl"))
    return found, len(one.requests), len(other.requests), tapes


# -- notices and mail


@shows("notify", "targets", "/one", "/other")
async def targets(given: dict[str, Any], world: World) -> Any:
    peer = await world.peer()
    peer.answer("/one")
    peer.answer("/other")
    home = await world.home(
        egress={"private": ["127.0.0.1"]}, notify={"targets": {"ops": f"{peer.url}{given['targets']}"}}
    )
    await home.push(flow("w", {"a": {"kind": "notify", "config": {"to": "webhook:ops", "text": "hello"}}}))
    await finished(home, (await home.start("w")).id)
    return peer.paths()


@shows("smtp", "host", "127.0.0.1", "127.0.0.2")
@shows("smtp", "port", "its", "another")
@shows("smtp", "sender", "a@shop.example", "b@shop.example")
@shows("smtp", "user", "ann", "bob")
@shows("smtp", "password", "right", "wrong")
@shows("smtp", "security", "none", "starttls")
async def mail(given: dict[str, Any], world: World) -> Any:
    sink = Sink()
    sink.port = free_port()
    logins: list[Any] = []

    def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        logins.append((data.login, data.password))
        return AuthResult(success=True)

    more = {"authenticator": known, "auth_require_tls": False} if given.keys() & {"user", "password"} else {}
    server = Controller(sink, hostname="127.0.0.1", port=sink.port, **more)
    server.start()
    try:
        login = {"user": "ann", "password": "right"} if more else {}
        smtp = {"host": "127.0.0.1", "port": sink.port, **login, **given}
        if given.get("port"):
            smtp["port"] = sink.port if given["port"] == "its" else free_port()
        home = await world.home(smtp=smtp)
        await home.push(flow("w", {"a": {"kind": "notify", "config": {"to": "mailto:a@shop.example", "text": "hi"}}}))
        run = await home.start("w")
        ended = asyncio.create_task(finished(home, run.id))
        asked = asyncio.create_task(ticket_of(home, run.id, "uncertain"))
        over, open_ = await asyncio.wait([ended, asked], return_when=asyncio.FIRST_COMPLETED)
        for task in open_:
            task.cancel()
        await asyncio.gather(ended, asked, return_exceptions=True)
        told = "uncertain" if ended not in over else (ended.result()["error"] or {}).get("code")
        return told, logins, [(each["from"], each.get_content().strip()) for each in sink.mails]
    finally:
        server.stop()


# -- object stores


@shows("store", "url", "one", "other")
@shows("store", "options", {"no_such_option": "x"}, {"no_other": "x"})
@shows("store", "client", {"no_such_option": "x"}, {"no_other": "x"})
@shows("store", "per_tenant", True, False)
async def store(given: dict[str, Any], world: World) -> Any:
    name = given.pop("url", "one")
    url = "s3://bucket" if given.keys() & {"options", "client"} else f"file://{world.folder}/{name}"
    home = await world.home(stores={"own": {"url": url, **given}}, egress={"private": []})
    config = {"op": "put", "key": "a.json", "store": "own"}
    await home.push(flow("w", {"a": {"kind": "object", "config": config}}))
    told = await finished(home, (await home.start("w", 1)).id)
    found = [path.relative_to(world.folder).as_posix() for path in world.folder.rglob("a.json")]
    return (told["error"] or {}).get("message"), found
