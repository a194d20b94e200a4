"""The role `api`: real processes that serve a home which another process holds."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import fields
from structlog.testing import capture_logs

from aob.compose.api import HOME_STREAMS, DirectHome, Holders, HomeRoom, RemoteHome
from aob.compose.api.direct import of_owners
from aob.compose.api.room import unbounded
from aob.compose.network import Member, Peers, PeerServer
from aob.core.errors import Unavailable
from aob.core.policy import LOCAL, Caller
from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE
from aob.core.verbs.runs import EVENTS_MAX
from aob.ports.telemetry import TRACE, Trace
from tests.house.tree import ROOT
from tests.network.peers import until
from tests.servers.forks import Fork, begun
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(90)
ONE = {"workflow": "one", "nodes": {"a": {"kind": "timer", "config": {"for": "1ms"}}}}


class Engine:
    """An engine with a few verbs."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def create_key(self, who: Caller, **named: Any) -> dict[str, str]:
        return {"id": "key_2"}

    async def health(self) -> dict[str, str]:
        return {"status": "ok"}

    async def run(self, who: Caller, run_id: str, **named: Any) -> dict[str, Any]:
        self.asked.append(run_id)
        return {"run_id": run_id, "by": who.name}

    async def timeline(self, who: Caller, run_id: str, after: int, limit: int) -> list[int]:
        return [after, limit]

    async def ingest(self, who: Caller, **named: Any) -> dict[str, Any]:
        return {name: type(value).__name__ for name, value in named.items()}


@contextlib.asynccontextmanager
async def held(engine: Engine, keys: list[tuple[str, Caller]], acts: list[bool]) -> AsyncIterator[PeerServer]:
    room = HomeRoom(lambda: (engine,), lambda: list(keys), [b"s" * 32], acts=lambda: acts[-1])
    async with PeerServer(Member(("coordinator",)), lambda shard: room, HOME_STREAMS) as server:
        yield await server.open("127.0.0.1", 0)


async def test_an_api_asks_the_one_process_that_holds_the_home_and_follows_its_keys() -> None:
    from hashlib import sha256

    key = sha256(b"secret").hexdigest()
    keys, acts, engines = [(key, LOCAL)], [True], [Engine(), Engine()]
    async with held(engines[0], [], [False]) as aside, held(engines[1], keys, acts) as holder:
        peers = Peers(Member(("api",)))
        async with peers, RemoteHome(Holders(["127.0.0.1:1", aside.address, holder.address], peers), peers) as home:
            verbs: Any = home
            assert home.authenticate("secret") == LOCAL
            assert home.authenticate("other") is None
            assert await verbs.run(LOCAL, "run_1") == {"run_id": "run_1", "by": "local"}
            assert await home.health() == {"status": "ok"}
            assert await home.link_secrets() == [b"s" * 32]
            assert engines[0].asked == []
            more = await verbs.timeline(LOCAL, "run_1", limit=EVENTS_MAX + 1)
            assert more == [-1, EVENTS_MAX + 1], "a page reads one more than a caller may ask for"
            other = Caller("acme", "ann", frozenset({"view"}), "key_2")
            making = asyncio.create_task(verbs.create_key(LOCAL, "ann", ["view"]))
            keys.append((sha256(b"new").hexdigest(), other))
            assert (await making)["id"] == "key_2"
            assert home.authenticate("new") == home.holder("key_2") == other
            keys.clear()
            await until(lambda: home.authenticate("secret") is None)
            assert home.holder("key_2") is None
            acts.append(False)  # it has lost the home, and nobody else holds it
            with pytest.raises(Unavailable) as unowned:
                await verbs.run(LOCAL, "run_2")
            assert unowned.value.code == "shard_unowned"
            assert engines[1].asked == ["run_1"]


# -- real processes -------------------------------------------------------------------------------------------------


async def run(*words: str) -> tuple[Fork, str]:
    """`aob …` until it says its address."""
    process = await begun([*words, "--json"], {**os.environ, "AOB_LOG_LEVEL": "error"})
    line = await process.stdout.readline()
    return process, msgspec.json.decode(line)["url"]


async def end(process: Fork, number: signal.Signals = signal.SIGTERM) -> int:
    if process.returncode is None:
        process.send_signal(number)
    return await process.wait()


@pytest.mark.parametrize("secure", [False, True])
async def test_two_apis_serve_a_home_and_go_on_when_its_process_is_killed_and_comes_back(
    tmp_path: Path, secure: bool
) -> None:
    home, certs = tmp_path / "home", tmp_path / "certs"
    if secure:
        made = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "aob.cli", "certs", "init", "--certs", str(certs), stdout=PIPE, cwd=ROOT
        )
        assert await made.wait() == 0
    for folder in (home, tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "aob.toml").write_text(f'certs = "{certs}"' if secure else "")
    at = f"127.0.0.1:{free_port()}"
    holder, own = await run("up", "--home", str(home), "--port", "0", "--peers", at)
    processes = [holder]
    try:
        serve = ("serve", "api", "--coordinator", at, "--port", "0")
        (one, a), (two, b) = await asyncio.gather(*(run(*serve, "--home", str(tmp_path / name)) for name in ("a", "b")))
        processes += [one, two]
        key = (home / "key").read_text().strip()
        async with httpx.AsyncClient(headers={"x-api-key": key}, timeout=30) as http:
            assert (await http.put(f"{a}/v1/workflows/one", json=ONE)).status_code in (200, 201)
            first = await http.post(f"{b}/v1/runs", json={"workflow": "one", "key": "k"})
            run_id = first.json()["run_id"]
            seen = [(await http.get(f"{url}/v1/runs/{run_id}?wait=10s")).json() for url in (own, a, b)]
            assert {each["status"] for each in seen} == {"COMPLETED"}
            made_key = (await http.post(f"{a}/v1/keys", json={"name": "ann", "roles": ["view"]})).json()
            mine = {"x-api-key": made_key["secret"]}
            assert (await http.get(f"{a}/v1/runs/{run_id}", headers=mine)).status_code == 200
            assert (await http.post(f"{a}/v1/runs", json={"workflow": "one"}, headers=mine)).status_code == 403
            assert (await http.get(f"{a}/v1/runs", headers={"x-api-key": "x"})).status_code == 401
            told = (await http.get(f"{b}/v1/status")).json()
            assert [each["status"] for each in told["shards"]] == ["ok"]
            assert told["counts"].keys() >= {"starts", "steps", "events"}
            numbers = (await http.get(f"{a}/metrics", headers={"x-api-key": ""})).text
            assert 'aob_api_link{member="home"} 1.0' in numbers
            assert at not in numbers, "an address is for who has a key"
            assert re.search(r'aob_stage_units_total{stage="http"} [1-9]', numbers), "its own requests"
            assert ("aob_certificate_expiry" in numbers and "api.pem" in numbers) is secure

            await end(holder, signal.SIGKILL)
            away = await http.get(f"{a}/v1/runs/{run_id}")
            assert away.status_code == 503
            assert "retry-after" in away.headers
            assert (await http.get(f"{a}/health/live")).status_code == 200
            assert (await http.get(f"{a}/health/ready")).status_code == 503
            while 'aob_api_link{member="home"} 0.0' not in (await http.get(f"{a}/metrics")).text:
                pass  # a text of numbers is given again for a while
            holder, own = await run("up", "--home", str(home), "--port", "0", "--peers", at)
            processes.append(holder)
            for url in (a, b):
                while (
                    again := await http.post(f"{url}/v1/runs", json={"workflow": "one", "key": "k"})
                ).status_code == 503:
                    pass
                assert again.json()["run_id"] == run_id
            assert (await http.delete(f"{b}/v1/keys/{made_key['id']}")).status_code in (200, 204)
            assert (await http.get(f"{b}/v1/runs", headers=mine)).status_code == 401
        assert await asyncio.gather(end(one), end(two)) == [0, 0]
        assert await end(holder) == 0
    finally:
        await asyncio.gather(*(end(process, signal.SIGKILL) for process in processes))


@pytest.mark.parametrize("verb", TABLE, ids=lambda verb: verb.name)
def test_a_verb_between_processes_has_the_arguments_of_callers_without_their_limits(verb: AnyVerb) -> None:
    def shown(shape: type[msgspec.Struct]) -> list[tuple[str, str, Any, Any]]:
        return [(each.name, each.encode_name, each.default, each.default_factory) for each in fields(shape)]

    inner = unbounded(verb.args)
    assert shown(inner) == shown(verb.args)
    assert "maximum" not in str(msgspec.json.schema(inner).get("properties"))


async def test_who_holds_a_home_no_longer_answers_no_other_process() -> None:
    class Room:
        async def runs(self, who: Caller, **named: object) -> dict[str, object]:
            acts.clear()  # it sleeps while it answers
            return {"runs": []}

        async def follow(self, who: Caller, **named: object) -> AsyncIterator[int]:
            for item in range(3):
                yield item
                acts.clear()

    acts = ["held"]
    room = HomeRoom(lambda: (Room(),), list, [b""], acts=lambda: bool(acts))
    with pytest.raises(Unavailable) as caught:
        await room.call("runs", LOCAL)
    assert caught.value.code == "not_owner"
    acts.append("held")
    stream = room.stream("follow", LOCAL)
    assert await anext(stream) == 0
    with pytest.raises(Unavailable):
        await anext(stream)
    for asked in ("runs", "home_health", "link_secrets"):
        with pytest.raises(Unavailable):
            await room.call(asked, None)


async def test_what_was_begun_is_answered_while_a_home_is_handed_over() -> None:
    class Room:
        async def runs(self, who: Caller, **named: object) -> dict[str, object]:
            acts.append(False)
            return {"runs": []}

    acts, answers = [True], [True]
    room = HomeRoom(lambda: (Room(),), list, [b""], acts=lambda: acts[-1], answers=lambda: answers[-1])
    assert await room.call("runs", LOCAL) == {"runs": []}
    with pytest.raises(Unavailable):
        await room.call("runs", LOCAL)
    acts.append(True)
    answers.append(False)
    with pytest.raises(Unavailable):
        await room.call("runs", LOCAL)


async def test_what_an_api_has_of_its_own_hides_no_verb() -> None:
    async with Peers(Member(("api",))) as peers:
        home: Any = RemoteHome(Holders(["127.0.0.1:1"], peers), peers)
        made = {verb.name: getattr(home, verb.name).__qualname__.partition(".<locals>")[0] for verb in TABLE}
        assert set(made.values()) == {"RemoteHome._asking", "RemoteHome._streaming"}
        home = DirectHome(Holders(["127.0.0.1:1"], peers), peers)
        made = {verb.name: getattr(home, verb.name).__qualname__.partition(".<locals>")[0] for verb in TABLE}
        assert set(made.values()) == {"RemoteHome._asking", "RemoteHome._streaming", "DirectHome._either"}
        assert {name for name, of in made.items() if of == "DirectHome._either"} == {
            verb.name for verb in TABLE if of_owners(verb)
        }
        assert not [verb.name for verb in TABLE if hasattr(DirectHome, verb.name)]


async def test_a_verb_goes_on_with_the_trace_of_its_caller_over_the_wire() -> None:
    traces: list[Trace | None] = []

    class Traced(Engine):
        async def run(self, who: Caller, run_id: str, **named: Any) -> dict[str, Any]:
            traces.append(TRACE.get())
            return await super().run(who, run_id, **named)

    room = HomeRoom(lambda: (Traced(),), list, [b"s" * 32])
    async with PeerServer(Member(("coordinator",)), lambda shard: room, HOME_STREAMS) as server:
        await server.open("127.0.0.1", 0)
        async with Peers(Member(("api",))) as peers, RemoteHome(Holders([server.address], peers), peers) as home:
            verbs: Any = home
            trace = Trace("a" * 32, "b" * 16, "default", "order-1")
            token = TRACE.set(trace)
            try:
                await verbs.run(LOCAL, "run_1")
            finally:
                TRACE.reset(token)
            await verbs.run(LOCAL, "run_2")
    assert traces == [trace, None]


async def test_an_api_takes_the_shared_settings_live_and_does_not_start_against_them() -> None:
    from aob.compose.live_settings import LiveSettings
    from aob.compose.settings import Settings
    from aob.core.errors import Conflict
    from aob.ports.cluster import Record

    record = [Record("settings", 1, b'{"limits":{"rate_limit_rpm":7}}', "ann", 1)]
    room = HomeRoom(lambda: (Engine(),), list, [b"s" * 32], settings=lambda: record[-1])
    async with PeerServer(Member(("coordinator",)), lambda shard: room, HOME_STREAMS) as server:
        await server.open("127.0.0.1", 0)
        peers = Peers(Member(("api",)))
        async with peers:
            live = LiveSettings(Settings(), {})
            async with RemoteHome(Holders([server.address], peers), peers, live.take):
                assert live.now.rate_limit_rpm == 7
                record.append(Record("settings", 2, b'{"limits":{"rate_limit_rpm":8}}', "ann", 1))
                await until(lambda: live.now.rate_limit_rpm == 8)
            other = LiveSettings(Settings(rate_limit_rpm=9), {"limits": {"rate_limit_rpm": 9}})
            with pytest.raises(Conflict) as refused:
                async with RemoteHome(Holders([server.address], peers), peers, other.take):
                    pass
            assert refused.value.code == "settings_differ"


async def test_an_api_whose_home_is_away_says_so_once_and_not_at_each_try(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    async def away(verb: str, who: Caller) -> AsyncIterator[Any]:
        tries.append(verb)
        raise Unavailable("nobody listens there", code="shard_unowned")
        yield

    monkeypatch.setattr("aob.compose.api.remote.AGAIN_S", 0.0)
    async with Peers(Member(("api",))) as peers:
        home = RemoteHome(Holders(["127.0.0.1:1"], peers), peers)
        monkeypatch.setattr(home._home, "stream", away)
        with capture_logs() as logs:
            entering = asyncio.create_task(home.__aenter__())
            await until(lambda: tries.count("keyring") > 5 and tries.count("shared_settings") > 5)
            entering.cancel()
            await asyncio.gather(entering, home.__aexit__(), return_exceptions=True)
    told = [log["event"] for log in logs]
    assert (told.count("keys_not_followed"), told.count("settings_not_followed")) == (1, 1)


async def test_what_anybody_may_ask_is_asked_of_the_home_once_for_all_who_wait() -> None:
    go, asked = asyncio.Event(), 0

    class Room:
        async def health(self) -> dict[str, str]:
            nonlocal asked
            asked += 1
            await go.wait()
            if asked == 2:
                raise Unavailable("away", code="store_away")
            return {"status": "ok"}

    room = HomeRoom(lambda: (Room(),), list, [b""])
    async with PeerServer(Member(("coordinator",)), lambda shard: room, HOME_STREAMS) as server:
        await server.open("127.0.0.1", 0)
        peers = Peers(Member(("api",)))
        async with peers, RemoteHome(Holders([server.address], peers), peers) as home:
            waiting = [asyncio.create_task(home.health()) for _ in range(100)]
            waiting[0].cancel()  # whoever was first may go
            await asyncio.sleep(0)
            go.set()
            assert [each["status"] for each in await asyncio.gather(*waiting[1:])] == ["ok"] * 99
            assert asked == 1
            with pytest.raises(Unavailable):
                await home.health()
            assert (await home.health())["status"] == "ok"
            assert asked == 3
