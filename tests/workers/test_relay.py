"""Workers at a process that owns no jobs: two homes behind one relay. Streams die on either side, homes go and come:
nothing is lost, and nothing succeeds twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import aob
from aob.compose import App
from aob.compose.executor import executing
from aob.compose.network import authority
from aob.core.value import canonical, decode
from aob.ports.workers import Job
from aob.server.relay import Relays, Target
from aob.server.relay.settings import ToldSettings
from aob.server.workers import Door, listening
from aob.testing.proxy import Proxy
from tests.runs.home import finished, flow, fn, kinds
from tests.work.peers import peer
from tests.worker.executing import executor
from tests.workers.client import Client, Ctx, EndedError, Raw, hello, pb
from tests.workers.home import HANDLERS, comes, echo, home, key_of, where
from tests.workers.test_faults import FLOW, OF_SERVERS, OF_WORKERS, Ledger


class Fixed(NamedTuple):
    """Two homes, the relay before them, and a key that both know."""

    one: App
    two: App
    gateways: set[str]
    relays: Relays
    address: str
    key: str

    async def attached(self) -> None:
        """Both homes have a worker."""
        for app in (self.one, self.two):
            await has_worker(app)

    def worker(self, perform: Any = echo, **more: Any) -> Client:
        return Client(self.address, self.key, perform, handlers=HANDLERS, **more)


@asynccontextmanager
async def relayed(gateways: set[str], *keys: Any) -> AsyncIterator[tuple[Relays, str]]:
    """A relay to these gateways, and its address."""
    async with (
        Relays(lambda: frozenset(gateways), Target()) as relays,
        listening(Door(relays, relays, list(keys)), "127.0.0.1", 0) as at,
    ):
        yield relays, at.address


@asynccontextmanager
async def two_homes(folder: Path) -> AsyncIterator[Fixed]:
    async with home(folder / "one") as one, home(folder / "two") as two:
        key = await key_of(one)
        same_keys(two, one)
        gateways = {where(one), where(two)}
        async with relayed(gateways, one.views) as (relays, address):
            yield Fixed(one, two, gateways, relays, address, key)


async def has_worker(app: App) -> None:
    """Until a worker has come to this home too."""
    gateway = app.shared.gateway
    assert gateway is not None
    await comes(lambda: gateway.hub.workers)


def same_keys(app: App, other: App) -> None:
    """As in a cluster: a key is one of all its processes."""
    views: Any = app.views
    views.authenticate, views.holder = other.views.authenticate, other.views.holder


@pytest.mark.parametrize("what", [*OF_WORKERS, *OF_SERVERS])
async def test_a_workers_stream_that_dies_at_any_message_loses_and_doubles_nothing(tmp_path: Path, what: str) -> None:
    ledger = Ledger()
    async with two_homes(tmp_path) as at:
        dies = [what] if what != "keep" else ["done", "keep"]
        async with at.worker(ledger, dies_at=dies) as client:
            await at.attached()
            for app in (at.one, at.two):
                await app.push(FLOW)
            ids = [(app, (await app.start("f")).id) for app in (at.one, at.two)]
            for app, run_id in ids:
                run = await finished(app, run_id)
                assert run["status"] == "COMPLETED"
                told = kinds(await app.views.timeline(app.who, run_id))
                assert told.count("node_completed") == 4
                assert told.count("token_ready") == 1, "only the retry: no attempt was lost"
            assert client.died == dies
            assert sorted(ledger.done.values()) == [1, 1]
            await comes(lambda: not client.results)


async def test_what_counts_at_each_home_for_built_in_kinds_comes_through(tmp_path: Path) -> None:
    async with two_homes(tmp_path) as at:
        raw = Raw(at.address, await key_of(at.one, "work", "execute"))
        await raw.send(hello(offers=("http",)))
        (told,) = await raw.items("settings")  # both say the same
        assert decode(told.data)["egress"] == {"private": [], "hosts": None}
        await raw.die()
        raw = Raw(at.address, at.key)
        await raw.send(hello(offers=("http",)))
        assert (await raw.ended()).code == "PERMISSION_DENIED"
        await raw.die()


@pytest.mark.parametrize("strict_first", [True, False])
async def test_homes_whose_rules_differ_get_only_what_both_allow(tmp_path: Path, strict_first: bool) -> None:
    """The narrower home has its rules in time, the wider one fails closed, until it is the only one."""
    gateways = set[str]()
    async with peer() as shop:
        shop.answer("/here", b'"here"', content_type="application/json")
        rules: dict[str, Any] = {"private": [f"127.0.0.1:{shop.port}", "127.0.0.2"]}
        waits: dict[str, Any] = {"grpc_port": 0, "kinds_without_worker": "wait"}
        async with (
            aob.open(tmp_path / "one", egress=rules, **waits) as one,
            aob.open(tmp_path / "two", egress={"private": ["127.0.0.2"]}, **waits) as two,
            relayed(gateways, one.views) as (_, address),
        ):
            same_keys(two, one)
            for app in (one, two):
                await app.push(flow("g", {"a": {"kind": "http", "config": {"url": shop.url + "/here"}}}))
            first, then = (two, one) if strict_first else (one, two)
            gateways.add(where(first))
            async with executing(tmp_path / "own", one.shared.handlers, {}) as own, executor(one, "e", address, own):
                await has_worker(first)
                gateways.add(where(then))
                await has_worker(then)
                for app in (two, one):
                    run = await finished(app, (await app.start("g")).id)
                    assert (run["status"], run["error"]["code"]) == ("FAILED", "egress_refused"), run["error"]
                assert not shop.requests
                gateways.discard(where(two))
                async with asyncio.timeout(30):
                    while (await finished(one, (await one.start("g")).id))["status"] != "COMPLETED":
                        pass
        assert len(shop.requests) == 1


def test_the_newest_settings_count_and_equal_ones_are_said_once() -> None:
    told = ToldSettings()

    def settings(version: int, model: str = "", **egress: Any) -> pb.Settings:
        return pb.Settings(version=version, data=canonical({"egress": egress, "model": model}))

    def rules(given: pb.Settings | None) -> tuple[int, Any]:
        assert given is not None
        return given.version, decode(given.data)["egress"]

    wide: dict[str, Any] = {"private": ["x", "y"], "hosts": None}
    assert rules(told.say("a", settings(0, **wide))) == (0, wide)
    assert told.say("b", settings(0, **wide)) is None
    narrow = {"private": ["y"], "hosts": ["h"]}
    assert rules(told.say("b", settings(0, private=["y", "z"], hosts=["h"]))) == (0, narrow)
    assert told.say("c", settings(0, private=["y"], hosts=["i", "h"])) is None, "what counts is the same"
    assert told.keep({"a", "b", "c"}) is None
    assert rules(told.keep({"a"})) == (0, wide)
    assert rules(told.say("b", settings(3, private=["z"]))) == (3, {"private": ["z"]})
    assert told.say("a", settings(2, private=["x"])) is None, "it is late"
    assert told.say("a", settings(3, private=["z"])) is None


async def test_slots_are_offered_to_all_and_never_more_is_at_the_worker_than_it_has(tmp_path: Path) -> None:
    now, most = 0, 0

    async def perform(job: Job, ctx: Ctx) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return job.visit

    async with two_homes(tmp_path) as at, at.worker(perform, slots=2):
        await at.attached()
        ids = []
        for app in (at.one, at.two):
            await app.push(flow("f", {"a": fn("work"), "b": fn("look")}, "a>b"))
            ids += [(app, (await app.start("f")).id) for _ in range(20)]
        for app, run_id in ids:
            assert (await finished(app, run_id))["status"] == "COMPLETED"
        assert most <= 2


async def test_a_job_beyond_the_free_slots_goes_back_and_another_worker_has_it(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def held(job: Job, ctx: Ctx) -> Any:
        await gate.wait()
        return "late"

    async with two_homes(tmp_path) as at, at.worker(held, name="busy", slots=1) as busy:
        await at.attached()
        for app in (at.one, at.two):
            await app.push(flow("f", {"a": fn("work")}))
        ids = [(app, (await app.start("f")).id) for app in (at.one, at.two)]
        await comes(lambda: len(busy.begun) == 1)
        async with at.worker(name="free"):
            (other,) = [pair for pair in ids if pair[1] != busy.begun[0][0]]
            assert (await finished(*other))["status"] == "COMPLETED"
        gate.set()
        (first,) = [pair for pair in ids if pair[1] == busy.begun[0][0]]
        run = await finished(*first)
        assert (run["status"], run["output"]) == ("COMPLETED", "late")


async def test_gateways_that_are_cut_off_and_come_back_lose_and_double_nothing(tmp_path: Path) -> None:
    ledger = Ledger()
    async with home(tmp_path / "one") as one, home(tmp_path / "two") as two:
        key = await key_of(one)
        same_keys(two, one)
        host, _, port = where(one).rpartition(":")
        async with Proxy(host, int(port)) as proxy:
            gateways = {f"127.0.0.1:{proxy.port}", where(two)}
            async with (
                relayed(gateways, one.views) as (_, address),
                Client(address, key, ledger, handlers=HANDLERS) as client,
            ):
                for app in (one, two):
                    await has_worker(app)
                    await app.push(FLOW)
                ids = []
                for _ in range(6):
                    ids += [(app, (await app.start("f")).id) for app in (one, two)]
                    proxy.cut()
                for app, run_id in ids:
                    assert (await finished(app, run_id))["status"] == "COMPLETED"
                    told = kinds(await app.views.timeline(app.who, run_id))
                    assert told.count("token_ready") == 1, "only the retry: no attempt was lost"
                assert sorted(ledger.done.values()) == [1] * 12
                assert not client.died  # the worker noticed nothing of it


async def test_a_home_that_goes_and_comes_back_elsewhere_gets_the_results_of_its_jobs(tmp_path: Path) -> None:
    gate, gateways = asyncio.Event(), set[str]()

    async def perform(job: Job, ctx: Ctx) -> Any:
        await gate.wait()
        return "done"

    async with home(tmp_path / "keys") as keys, relayed(gateways, keys.views) as (_, address):
        gateways.add(where(keys))
        async with Client(address, await key_of(keys), perform, handlers=HANDLERS) as client:
            async with home(tmp_path / "home") as app:
                same_keys(app, keys)
                gateways.add(where(app))
                await has_worker(app)
                await app.push(flow("f", {"a": fn("pay")}))
                run_id = (await app.start("f")).id
                await comes(lambda: len(client.begun) == 1)
                gateways.discard(where(app))
            gate.set()
            await comes(lambda: client.results)
            async with home(tmp_path / "home") as app:
                same_keys(app, keys)
                gateways.add(where(app))
                assert (await finished(app, run_id))["output"] == "done"
            assert len(client.begun) == 1


async def test_a_worker_that_no_gateway_can_be_found_for_is_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.server.relay.links.WELCOME_S", 0.0)
    async with home(tmp_path / "keys") as keys, relayed(set(), keys.views) as (_, address):
        raw = Raw(address, await key_of(keys))
        await raw.send(hello())
        ended = await raw.ended()
        assert (ended.code, "no gateway" in ended.details) == ("UNAVAILABLE", True)
        await raw.die()
        wrong = Raw(address, "nobody")
        with pytest.raises(EndedError, match="UNAUTHENTICATED"):  # while it sends, or after
            await refused(wrong)
        await wrong.die()


async def test_what_no_gateway_claims_is_given_up_later_when_one_of_them_is_away() -> None:
    from aob.server.relay import Routing

    sent: list[pb.ServerItem] = []
    now = 0.0
    first = hello(held=[pb.Held(run="r", visit="v", attempt=1)]).hello
    routing = Routing(first, sent.append, lambda: now)
    lines: dict[str, list[pb.WorkerItem]] = {"a": [], "b": [], "c": []}

    class Line:
        def __init__(self, name: str) -> None:
            self.put = lines[name].append

    for name in ("a", "b"):
        assert len(routing.attached(name, Line(name)).held) == 1
        welcome = pb.ServerItem(welcome=pb.Welcome(lease_ms=30_000))
        drop = pb.ServerItem(drop=pb.Drop(run="r", visit="v", attempt=1))
        routing.take_gateway(name, pb.ServerFrame(items=[welcome, drop]))
    assert [item.WhichOneof("item") for item in sent] == ["welcome"]
    routing.attached("c", Line("c"))  # one that does not answer may have it
    now = 29.0
    routing.tick()
    assert len(sent) == 1
    routing.take_gateway("c", pb.ServerFrame(items=[drop]))
    now = 30.0
    routing.tick()
    assert sent[-1].drop.run == "r"


async def test_gateways_with_certificates_are_reached_by_tls_and_those_of_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.server.relay.links.WELCOME_S", 1.0)
    for name in ("ours", "theirs"):
        authority.init(tmp_path / name, [("coordinator",)], ["127.0.0.1"], datetime.now(UTC))
    pem = str(tmp_path / "ours" / authority.file_of(("coordinator",)))
    roots = [(tmp_path / name / "ca.pem").read_bytes() for name in ("ours", "theirs")]
    async with aob.open(tmp_path / "home", grpc_port=0, grpc_cert=pem, grpc_key=pem) as app:
        at, key = where(app), await key_of(app)
        await app.push(flow("f", {"a": {"kind": "timer", "config": {"for": "1ms"}}}))
        async with (
            Relays(lambda: frozenset((at,)), Target(True, roots[0])) as relays,
            listening(Door(relays, relays, [app.views]), "127.0.0.1", 0) as listens,
            Client(listens.address, key, echo, handlers=HANDLERS),
        ):
            await app.push(flow("g", {"a": fn("work", input={"n": "1"})}))
            assert (await finished(app, (await app.start("g")).id))["status"] == "COMPLETED"
        async with (
            Relays(lambda: frozenset((at,)), Target(True, roots[1])) as relays,
            listening(Door(relays, relays, [app.views]), "127.0.0.1", 0) as listens,
        ):
            raw = Raw(listens.address, key)
            await raw.send(hello("other"))
            with pytest.raises(EndedError, match="UNAVAILABLE: no gateway"):
                await raw.items("welcome")
            await raw.die()


async def test_a_gateway_that_reads_nothing_is_hung_up_on_and_attached_to_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.server.relay.links.UNREAD_MAX", 2_000)

    async def perform(job: Job, ctx: Ctx) -> Any:
        for _ in range(50):
            ctx.log("x" * 200)
        return job.visit

    async with two_homes(tmp_path) as at, at.worker(perform):
        await at.attached()
        for app in (at.one, at.two):
            await app.push(flow("f", {"a": fn("work"), "b": fn("look")}, "a>b"))
        ids = [(app, (await app.start("f")).id) for app in (at.one, at.two)]
        for app, run_id in ids:
            assert (await finished(app, run_id))["status"] == "COMPLETED"


async def refused(raw: Raw) -> None:
    """A Hello, and what comes of it."""
    await raw.send(hello())
    await raw.read()
