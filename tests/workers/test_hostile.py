"""A worker with a good key and bad intent: what it sends costs a bounded amount, and touches no other."""

import asyncio
import contextlib
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aob.core.errors import Busy
from aob.core.graph import HandlerFacts
from aob.core.value import digest_of
from aob.server.relay import Routing, routing
from aob.server.workers.stream import UNREAD_MAX, Door, Stream
from aob.work import Facts
from tests.runs.home import chain, finished
from tests.workers.client import EndedError, Raw, handler, hello, pb
from tests.workers.home import comes, home, key_of, where
from tests.workers.test_relay import relayed, two_homes

MOST = 2**32 - 1


class Line:
    """The way to a gateway: what was sent."""

    def __init__(self) -> None:
        self.sent: list[pb.WorkerItem] = []

    def put(self, item: pb.WorkerItem) -> None:
        self.sent.append(item)


def answers(to: Routing, gateway: str) -> Line:
    """A gateway is attached and has answered."""
    line = Line()
    to.attached(gateway, line)
    to.take_gateway(gateway, pb.ServerFrame(items=[pb.ServerItem(welcome=pb.Welcome(lease_ms=30_000))]))
    return line


def test_a_worker_has_as_much_credit_as_slots_however_much_it_asks_for() -> None:
    sent: list[pb.ServerItem] = []
    to = Routing(hello(slots=3).hello, sent.append, lambda: 0.0)
    first = answers(to, "a")
    for _ in range(3):
        to.take_worker(pb.WorkerFrame(items=[pb.WorkerItem(want=pb.Want(jobs=MOST))]))
    later = answers(to, "b")  # hears of all slots at once
    for line in (first, later):
        assert sum(item.want.jobs for item in line.sent) == 3


@pytest.mark.parametrize("what", ["intend", "log", "done"])
def test_what_no_gateway_answers_is_kept_up_to_a_bound(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "KEPT_BYTES_MAX", 100_000)
    held = [pb.Held(run="r", visit=f"v{number}", attempt=1) for number in range(1_000)]
    to = Routing(hello(held=held).hello, lambda item: None, lambda: 0.0)
    big = b"x" * 1_000
    made = {
        "intend": lambda visit, ask: pb.WorkerItem(
            intend=pb.Intend(run="r", visit=visit, attempt=1, ask=ask, what=big)
        ),
        "log": lambda visit, ask: pb.WorkerItem(log=pb.Log(run="r", visit=visit, attempt=1, fields=big)),
        "done": lambda visit, ask: pb.WorkerItem(done=pb.Done(run="r", visit=visit, attempt=1, output=big)),
    }[what]
    frames = (pb.WorkerFrame(items=[made(f"v{number}", number)]) for number in range(1, 1_000))
    with pytest.raises(Busy, match="no answer"):
        deque(map(to.take_worker, frames), maxlen=0)
    assert 870 <= sum(1 for _ in frames) <= 920


def test_what_is_answered_is_not_counted_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "KEPT_BYTES_MAX", 10_000)
    to = Routing(hello().hello, lambda item: None, lambda: 0.0)
    answers(to, "a")
    to.take_worker(pb.WorkerFrame(items=[pb.WorkerItem(want=pb.Want(jobs=1))]))
    named: Any = {"run": "r", "visit": "v", "attempt": 1}
    to.take_gateway("a", pb.ServerFrame(items=[pb.ServerItem(job=pb.Job(**named))]))
    for ask in range(1, 1_000):
        to.take_worker(pb.WorkerFrame(items=[pb.WorkerItem(intend=pb.Intend(**named, ask=ask, what=b"x" * 1_000))]))
        to.take_gateway("a", pb.ServerFrame(items=[pb.ServerItem(recorded=pb.Recorded(**named, ask=ask))]))


async def test_a_relay_that_breaks_ends_the_stream_of_its_worker_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = Routing.tick

    def breaks(self: Routing) -> None:
        if self._hello.worker == "bad":
            raise ValueError("a field of its Hello")
        tick(self)

    async with two_homes(tmp_path) as at:
        bad = Raw(at.address, at.key)
        await bad.send(hello("bad"))
        await bad.items("welcome")
        monkeypatch.setattr(Routing, "tick", breaks)
        assert (await bad.ended()).code == "UNAVAILABLE"
        await bad.die()
        async with at.worker():
            await at.attached()
            at.gateways.clear()  # only the look after all relays takes note of it
            await comes(lambda: all(not relay.links for relay in at.relays._relays))


@pytest.mark.parametrize("item", [
    hello(name=""), hello(slots=1_000_000), hello(build="b" * 1_000),
    hello(held=[pb.Held(run="r", visit=str(number), attempt=1) for number in range(20_001)]),
])  # fmt: skip
async def test_a_hello_that_cannot_be_is_refused_before_a_gateway_is_asked(tmp_path: Path, item: pb.WorkerItem) -> None:
    async with home(tmp_path / "keys") as keys, relayed(set(), keys.views) as (relays, address):
        raw = Raw(address, await key_of(keys))
        with contextlib.suppress(EndedError):
            await raw.send(item)
        assert (await raw.ended()).code == "INVALID_ARGUMENT"
        assert len(relays) == 0
        await raw.die()


async def test_a_tenant_that_takes_all_places_gives_one_up_for_another_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.server.workers.stream.PLACES_MAX", 3)
    async with home(tmp_path / "home", lease_ms=600_000) as app:
        many = await key_of(app, tenant="many")
        raws: list[Raw] = []
        for number in range(3):
            raws.append(Raw(where(app), many))
            await raws[-1].send(hello(f"w{number}"))
            await raws[-1].items("welcome")
        raws.append(Raw(where(app), many))
        with contextlib.suppress(EndedError):
            await raws[3].send(hello("w3"))
        assert (await raws[3].ended()).code == "RESOURCE_EXHAUSTED"  # its own
        good = Raw(where(app), await key_of(app))
        await good.send(hello("good"))
        await good.items("welcome")
        assert (await raws[2].ended()).code == "RESOURCE_EXHAUSTED"  # the newest of those
        assert app.shared.gateway is not None
        hub = app.shared.gateway.hub
        await comes(lambda: sorted(hub.workers) == ["default/good", "many/w0", "many/w1"])
        await good.die()
        for raw in raws:
            await raw.die()


def test_tenants_that_have_as_many_places_take_none_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.server.workers.stream.PLACES_MAX", 4)

    async def write(data: bytes) -> None:
        """Nobody reads it."""

    nothing: Any = None
    door = Door(nothing, nothing, [])
    for tenant in ("a", "a", "a", "a", "b", "b"):
        door._enters(Stream(write), tenant)
    assert sorted(door._streams.values()) == ["a", "a", "b", "b"]
    for tenant in ("a", "b", "b", "a"):  # they would only change places for ever
        with pytest.raises(Busy) as full:
            door._enters(Stream(write), tenant)
        assert full.value.code == "too_many_workers"
    assert sorted(door._streams.values()) == ["a", "a", "b", "b"]
    door._enters(Stream(write), "c")
    assert sorted(door._streams.values()).count("c") == 1
    with pytest.raises(Busy):
        door._enters(Stream(write), "c")


async def test_a_large_result_that_is_reported_again_and_again_is_read_once(tmp_path: Path) -> None:
    reads = 0
    async with home(tmp_path / "home", lease_ms=600_000) as app:
        raw = Raw(where(app), await key_of(app))
        await raw.send(hello(slots=1), pb.WorkerItem(want=pb.Want(jobs=1)))
        await raw.items("welcome")
        data = b'"large"'
        await app.views.put_job_blob(app.who, digest_of(data).hex(), data)
        gateway = app.shared.gateway
        assert gateway is not None
        fetch, go = gateway._blobs.get, asyncio.Event()

        async def counted(tenant: str, digest: bytes) -> bytes:
            nonlocal reads
            reads += 1
            await go.wait()
            return await fetch(tenant, digest)

        gateway._blobs.get = counted  # type: ignore[method-assign]
        await app.push(chain("c", "work"))
        run = await app.start("c", 1)
        (job,) = await raw.items("job")
        ref = pb.Ref(sha256=digest_of(data), size=len(data))
        done = pb.WorkerItem(done=pb.Done(run=job.run, visit=job.visit, attempt=job.attempt, ref=ref))
        await raw.send(*[done] * 1_000)
        await comes(lambda: reads)
        go.set()
        assert (await finished(app, run.id))["output"] == "large"
        assert reads == 1
        await raw.die()


def test_the_bounds_of_a_relay_are_below_those_of_its_streams() -> None:
    assert routing.KEPT_BYTES_MAX <= UNREAD_MAX


async def test_what_a_worker_declares_counts_for_its_tenant_only(tmp_path: Path) -> None:
    """Its effects, versions and schemas are neither seen nor obeyed by other tenants, also after it has left."""
    async with home(tmp_path / "home") as app:
        ours, theirs = Raw(where(app), await key_of(app)), Raw(where(app), await key_of(app, tenant="other"))
        await ours.send(hello(handlers=[handler("work", "none", deterministic=True)]))
        await ours.items("welcome")
        schema = b'{"type":"object","required":["zzz"]}'
        await theirs.send(hello(handlers=[handler("work", "once", input=schema), handler("secret_of_theirs")]))
        await theirs.items("welcome")
        gateway = app.shared.gateway
        assert gateway is not None
        facts, other = app.views.core.handlers, replace(app.who, tenant="other")
        for leaves in (False, True):
            if leaves:
                await theirs.die()
                await comes(lambda: len(gateway.hub.workers) == 1)
            assert facts.of(app.who.tenant).effects == {"work": "none"}
            assert facts.of("other").effects == {"work": "once", "secret_of_theirs": "keyed"}
            assert facts.of("third").effects == {}
            assert await app.views.validate(app.who, chain("c", "work")) == []
            assert [each.code for each in await app.views.validate(app.who, chain("c", "secret_of_theirs"))]
            assert await app.views.validate(other, chain("c", "secret_of_theirs")) == []
        await ours.die()


def test_the_effect_of_a_worker_that_left_no_longer_counts_beside_others() -> None:
    facts = Facts({"own": HandlerFacts("own", "1", "none", True)})
    facts.learn("t", "t/a", [HandlerFacts("h", "1", "none", True), HandlerFacts("own", "2", "once", False)])
    facts.learn("t", "t/b", [HandlerFacts("h", "2", "once", False)])
    assert (facts.of("t")["h"].effect, facts.of("t")["own"].effect) == ("once", "none")
    facts.leave("t", "t/b")
    assert facts.of("t")["h"].effect == "none"
    facts.leave("t", "t/a")
    assert facts.of("t")["h"].effect == "none", "its documents are accepted, and wait"


def test_a_worker_that_comes_back_needs_no_further_room_for_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.work.facts.KNOWN_MAX", 3)
    facts = Facts({})
    names = ["x", "y", "z"]
    facts.learn("t", "t/a", [HandlerFacts(name, "1", "none", True, False) for name in names])
    facts.leave("t", "t/a")
    assert facts.has_room("t", names)
    assert not facts.has_room("t", [*names, "w"])
    assert facts.has_room("other", ["w"])


async def test_the_names_that_workers_of_a_tenant_may_declare_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.work.facts.KNOWN_MAX", 5)
    async with home(tmp_path / "home") as app:
        many = await key_of(app, tenant="many")
        codes = []
        for number in range(3):
            raw = Raw(where(app), many)
            with contextlib.suppress(EndedError):
                await raw.send(hello(f"w{number}", handlers=[handler(f"h{number}-{each}") for each in range(3)]))
                await raw.items("welcome")
                codes.append("OK")
            if len(codes) == number:
                codes.append((await raw.ended()).code)
            await raw.die()
        assert codes == ["OK", "INVALID_ARGUMENT", "INVALID_ARGUMENT"]
        raw = Raw(where(app), await key_of(app))
        await raw.send(hello())
        await raw.items("welcome")
        await raw.die()
