"""Shards that go from process to process while workers hold their jobs: the new owner asks the workers before it
judges, and the old one neither acknowledges nor refuses what is not its own any more."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.ports.workers import Job
from aob.runs import keyed_id
from aob.work.remote import Hub
from tests.runs.home import finished, flow, fn, until
from tests.work.peers import peer
from tests.workers.client import Client, Ctx, Raw, hello, pb
from tests.workers.home import HANDLERS, comes, home, key_of, where
from tests.workers.test_relay import has_worker, relayed, same_keys

NAMED: dict[str, Any] = {"run": "run_elsewhere", "visit": "v", "attempt": 1}
FLOW = flow("f", {"a": fn("pay")})


def hub_of(app: App) -> Hub:
    """The hub of a home."""
    assert app.shared.gateway is not None
    return app.shared.gateway.hub


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Homes are members of a cluster from now on; the last says whether they have the shards they are asked for."""
    here = [True]
    made: Callable[..., None] = Hub.__init__

    def as_member(hub: Hub, *args: Any, **named: Any) -> None:
        made(hub, *args, **named)
        hub.here = lambda run: here[-1]

    monkeypatch.setattr(Hub, "__init__", as_member)
    return here


async def attached(app: App, *held: pb.Held) -> Raw:
    """A worker that holds this, once it is welcome."""
    raw = Raw(where(app), await key_of(app))
    await raw.send(hello(handlers=HANDLERS, held=list(held)))
    await raw.items("welcome")
    return raw


# -- at the hub -----------------------------------------------------------------------------------------------------


async def test_what_a_worker_holds_of_a_shard_that_may_come_is_remembered_for_a_lease_time(
    tmp_path: Path, members: list[bool]
) -> None:
    async with home(tmp_path / "home") as app:
        members.append(False)
        raw, hub = await attached(app, pb.Held(**NAMED)), hub_of(app)
        await comes(lambda: [*hub._claims])
        ((_, claim),) = hub._claims
        assert claim.until_s > hub.clock().time() + hub.lease_ms / 2_000, "it has no answer yet"
        claim.until_s = 0.001
        (drop,) = await raw.items("drop")
        assert (drop.run, drop.attempt, [*hub._claims]) == (NAMED["run"], 1, [])
        await raw.die()


async def test_what_is_remembered_goes_on_as_soon_as_its_shard_is_here(tmp_path: Path, members: list[bool]) -> None:
    async with home(tmp_path / "home") as app:
        hub, first = hub_of(app), await attached(app)
        await app.push(FLOW)
        await first.die()
        await comes(lambda: not hub.workers)
        run_id = (await app.start("f")).id
        members.append(False)  # its shard is being opened
        named: dict[str, Any] = {"run": run_id, "visit": "a", "attempt": 1}
        raw = Raw(where(app), await key_of(app))
        await raw.send(hello(handlers=HANDLERS, held=[pb.Held(**named)]))
        (keep,) = await raw.items("keep")
        members.append(True)
        assert keep.run == run_id
        await raw.send(pb.WorkerItem(done=pb.Done(**named, output=b'"done"')))
        assert (await finished(app, run_id))["output"] == "done"
        await raw.items("ack")
        await raw.die()


async def test_what_a_worker_has_begun_is_never_given_out_again_as_the_same_attempt(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app:
        first = await attached(app)  # it wants none yet
        await app.push(FLOW)
        run_id = (await app.start("f")).id
        await comes(lambda: (run_id, "a") in hub_of(app)._index)
        await first.die()
        begins = await attached(app, pb.Held(run=run_id, visit="a", attempt=1))
        await begins.items("keep")
        await begins.die()
        again = await attached(app)  # the same process, which does not list it
        await again.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        await until(app, run_id, "ticket_opened", subject="uncertain")
        assert (await app.run(run_id))["status"] == "WAITING", "it may have happened: nobody calls it again"
        await again.die()


async def test_what_a_worker_has_spoken_of_it_has_begun(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app:
        begins = await attached(app)
        await app.push(FLOW)
        run_id = (await app.start("f")).id
        await begins.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        await begins.items("job")
        beat = pb.Beat(run=run_id, visit="a", attempt=1, ask=1, checkpoint=b"1")
        await begins.send(pb.WorkerItem(beat=beat))
        await begins.items("recorded")
        await begins.die()
        again = await attached(app)  # the same process, which does not list it
        await again.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        await until(app, run_id, "ticket_opened", subject="uncertain")
        await again.die()


async def test_a_worker_of_another_tenant_that_claims_a_job_neither_gets_it_nor_keeps_its_own_worker_from_it(
    tmp_path: Path, members: list[bool]
) -> None:
    async with home(tmp_path / "home") as app:
        hub, first = hub_of(app), await attached(app)
        await app.push(FLOW)
        await first.die()
        await comes(lambda: not hub.workers)
        run_id = keyed_id(app.who.tenant, "f", "k")
        members.append(False)  # its shard is being opened
        held = pb.Held(run=run_id, visit="a", attempt=1)
        other = Raw(where(app), await key_of(app, tenant="other"))
        await other.send(hello("thief", handlers=HANDLERS, held=[held, pb.Held(run="run_no", visit="a", attempt=1)]))
        await other.items("welcome")
        own = await attached(app, held)
        await comes(lambda: len([*hub._claims]) == 3)
        await app.views.start(app.who, "f", {}, key="k")
        members.append(True)
        for raw, what in ((own, "keep"), (other, "drop")):
            assert run_id in {told.run for told in await raw.items(what)}
        await other.send(pb.WorkerItem(done=pb.Done(run=run_id, visit="a", attempt=1, output=b'"stolen"')))
        await own.send(pb.WorkerItem(done=pb.Done(run=run_id, visit="a", attempt=1, output=b'"done"')))
        assert (await finished(app, run_id))["output"] == "done"
        await own.die()
        await other.die()


async def test_a_worker_of_another_tenant_that_claims_a_job_that_waits_does_not_get_it(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app:
        hub, own = hub_of(app), await attached(app)  # it wants none yet
        await app.push(FLOW)
        named: dict[str, Any] = {"run": (await app.start("f")).id, "visit": "a", "attempt": 1}
        await comes(lambda: (named["run"], "a") in hub._index)
        owner = next(each for each in hub.owners if each.stands(*named.values(), app.who.tenant))
        assert [owner.stands(*named.values(), tenant) for tenant in (app.who.tenant, "", "other")] == [
            True,
            True,
            False,
        ]
        other = Raw(where(app), await key_of(app, tenant="other"))
        await other.send(hello("thief", handlers=HANDLERS, held=[pb.Held(**named)]))
        (drop,) = await other.items("drop")
        await own.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        (job,) = await own.items("job")
        assert drop.run == job.run == named["run"]
        await own.die()
        await other.die()


async def test_a_worker_answers_only_for_the_attempt_that_it_has_brought_along(
    tmp_path: Path, members: list[bool]
) -> None:
    async with home(tmp_path / "home") as app:
        hub, first = hub_of(app), await attached(app)
        await app.push(FLOW)
        await first.die()
        await comes(lambda: not hub.workers)
        named: dict[str, Any] = {"run": keyed_id(app.who.tenant, "f", "k"), "visit": "a"}
        members.append(False)  # its shard is being opened
        other = Raw(where(app), await key_of(app))
        await other.send(hello("other", handlers=HANDLERS, held=[pb.Held(**named, attempt=2)]))
        await other.items("welcome")
        own = await attached(app, pb.Held(**named, attempt=1))
        await comes(lambda: len([*hub._claims]) == 2)
        await other.send(pb.WorkerItem(done=pb.Done(**named, attempt=1, output=b'"stolen"')))
        (drop,) = await other.items("drop")
        assert drop.attempt == 1, "it is not its own"
        await app.views.start(app.who, "f", {}, key="k")
        members.append(True)
        (keep,) = await own.items("keep")
        (drop,) = await other.items("drop")
        assert (keep.attempt, drop.attempt) == (1, 2)
        await own.send(pb.WorkerItem(done=pb.Done(**named, attempt=1, output=b'"done"')))
        assert (await finished(app, named["run"]))["output"] == "done"
        await own.die()
        await other.die()


async def test_what_one_tenant_claims_is_bounded_and_leaves_others_their_room(
    tmp_path: Path, members: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.work.remote.claims.CLAIMS_MAX", 2)
    async with home(tmp_path / "home") as app:
        members.append(False)
        many = [pb.Held(run=f"run_{number}", visit="v", attempt=1) for number in range(3)]
        other = Raw(where(app), await key_of(app, tenant="other"))
        await other.send(hello("greedy", handlers=HANDLERS, held=many))
        (drop,) = await other.items("drop")
        assert drop.run == "run_2"
        raw = await attached(app, pb.Held(**NAMED))
        await comes(lambda: NAMED["run"] in {key[0] for key, _ in hub_of(app)._claims})
        await raw.die()
        await other.die()


async def test_what_does_not_stand_at_its_owner_is_dropped_at_once(tmp_path: Path, members: list[bool]) -> None:
    async with home(tmp_path / "home") as app:
        raw = Raw(where(app), await key_of(app))
        await raw.send(hello(handlers=HANDLERS, held=[pb.Held(**NAMED)]))
        (drop,) = await raw.items("drop")
        assert drop.run == NAMED["run"]
        await raw.die()


@pytest.mark.parametrize("here", [True, False])
async def test_a_result_is_acknowledged_as_nobody_s_only_by_the_owner_of_its_shard(
    tmp_path: Path, members: list[bool], here: bool
) -> None:
    async with home(tmp_path / "home") as app:
        raw = await attached(app)
        members.append(here)
        await raw.send(pb.WorkerItem(done=pb.Done(**NAMED, output=b"1")))
        (told,) = await raw.items("ack" if here else "drop")
        assert told.run == NAMED["run"]
        await raw.die()


async def test_a_request_of_a_run_that_goes_to_another_owner_is_not_refused(
    tmp_path: Path, members: list[bool]
) -> None:
    async with home(tmp_path / "home") as app:
        raw = await attached(app)
        members.append(False)
        await raw.send(pb.WorkerItem(graph=pb.Graph(**NAMED, ask=1)))
        await raw.send(pb.WorkerItem(done=pb.Done(**NAMED, output=b"1")))
        await raw.items("drop")
        members.append(True)
        await raw.send(pb.WorkerItem(graph=pb.Graph(**NAMED, ask=2)))
        (refused,) = await raw.items("refused")
        assert (refused.ask, refused.code) == (2, "token_gone")
        await raw.die()


@pytest.mark.parametrize("done", [False, True])
async def test_an_owner_that_stops_gives_up_what_workers_have_so_that_the_next_one_hears_of_it(
    tmp_path: Path, members: list[bool], done: bool
) -> None:
    async with home(tmp_path / "home") as app:
        raw, hub = await attached(app), hub_of(app)
        await raw.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        await app.push(FLOW)
        await app.start("f")
        (job,) = await raw.items("job")
        if done:  # it is reported, and its commit is not there yet
            hub.committed = lambda run, visits: None  # type: ignore[method-assign]
            named = {"run": job.run, "visit": job.visit, "attempt": job.attempt}
            await raw.send(pb.WorkerItem(done=pb.Done(**named, output=b"1")))
            await comes(lambda: hub.unacked)
        runs = next(each for each in hub.owners if type(each).__module__.startswith("aob.runs"))
        hub.abandon(runs)
        (drop,) = await raw.items("drop")
        assert (drop.run, drop.visit, drop.attempt) == (job.run, job.visit, job.attempt)
        await raw.die()


# -- behind a relay -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [False, True])
async def test_a_once_job_at_a_worker_outlives_its_owner(tmp_path: Path, members: list[bool], over: bool) -> None:
    """Its handler has ended before there is a new one, or not."""
    gate, gateways = asyncio.Event(), set[str]()

    async def perform(job: Job, ctx: Ctx) -> Any:
        await gate.wait()
        return "done"

    folder = tmp_path / "home"
    async with home(tmp_path / "keys") as keys, relayed(gateways, keys.views) as (_, address):
        hub_of(keys).here = lambda run: False
        gateways.add(where(keys))
        async with Client(address, await key_of(keys), perform, handlers=HANDLERS) as client:
            async with home(folder) as app:
                same_keys(app, keys)
                gateways.add(where(app))
                await has_worker(app)
                await app.push(FLOW)
                run_id = (await app.start("f")).id
                await comes(lambda: len(client.begun) == 1)
                gateways.discard(where(app))
            (folder / "away").unlink()  # another process has it from now on, which knows nothing of workers
            if over:
                gate.set()
                await comes(lambda: client.results)
            async with home(folder) as app:
                same_keys(app, keys)
                assert hub_of(app)._expected
                gateways.add(where(app))
                gate.set()
                run = await finished(app, run_id)
            assert (run["output"], len(client.begun)) == ("done", 1), "one attempt, called once"


@pytest.mark.parametrize("wait", [True, False])
async def test_a_request_at_an_executor_outlives_its_owner(tmp_path: Path, members: list[bool], wait: bool) -> None:
    """Also where the new owner would perform it itself, and no executor has come to it yet."""
    gate, gateways, granted = asyncio.Event(), set[str](), asyncio.Event()

    async def perform(job: Job, ctx: Ctx) -> Any:
        what, item = await ctx.intend("http", {"url": "x"})
        assert what == "granted"
        granted.set()
        await gate.wait()
        await ctx.settle(item.number, "asked")
        return "done"

    folder = tmp_path / "home"
    settings: dict[str, Any] = {"grpc_port": 0, "kinds_without_worker": "wait" if wait else "here"}
    node = {"kind": "http", "config": {"url": "http://127.0.0.1:1/", "method": "POST"}, "effect": "once"}
    async with home(tmp_path / "keys") as keys, relayed(gateways, keys.views) as (_, address):
        hub_of(keys).here = lambda run: False
        gateways.add(where(keys))
        key = await key_of(keys, "work", "execute")
        async with Client(address, key, perform, handlers=HANDLERS, offers=("http",)) as client:
            async with aob.open(folder, **settings) as app:
                same_keys(app, keys)
                gateways.add(where(app))
                await has_worker(app)
                await app.push(flow("g", {"a": node}))
                run_id = (await app.start("g")).id
                await granted.wait()
                gateways.discard(where(app))
            (folder / "away").unlink()  # another process has it from now on, which knows nothing of workers
            async with aob.open(folder, **settings) as app:
                same_keys(app, keys)
                assert hub_of(app)._expected
                gateways.add(where(app))
                gate.set()
                run = await finished(app, run_id)
            assert (run["output"], len(client.begun)) == ("done", 1), "one attempt, asked once"


async def test_an_effect_of_the_owner_before_is_judged_when_no_executor_has_come_with_it(
    tmp_path: Path, members: list[bool]
) -> None:
    go = asyncio.Event()

    async def never(writer: asyncio.StreamWriter) -> None:
        await go.wait()

    async with peer() as shop:
        shop.answers["/pay"] = never
        settings: dict[str, Any] = {"grpc_port": 0, "egress": {"private": [f"127.0.0.1:{shop.port}"]}}
        node = {"kind": "http", "config": {"url": shop.url + "/pay", "method": "POST"}, "effect": "once"}
        async with aob.open(tmp_path / "home", **settings) as app:
            await app.push(flow("g", {"a": node}))
            run = await app.start("g")
            await shop.asked(1)
        for name in ("running-0", "away"):  # another process has it from now on
            (tmp_path / "home" / name).unlink()
        async with aob.open(tmp_path / "home", **settings) as app:
            assert hub_of(app)._expected, "its workers may be on their way"
            hub_of(app).lease_ms = 100
            await until(app, run.id, "ticket_opened")
            assert not hub_of(app)._awaited
        go.set()


async def test_a_job_that_no_worker_presents_in_time_is_lost(tmp_path: Path, members: list[bool]) -> None:
    begun = asyncio.Event()

    async def never(job: Job, ctx: Ctx) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with home(tmp_path / "home") as app, Client(where(app), await key_of(app), never, handlers=HANDLERS):
        await app.push(FLOW)
        run = await app.start("f")
        await begun.wait()
    (tmp_path / "home" / "away").unlink()
    async with home(tmp_path / "home", lease_ms=200) as app:
        await until(app, run.id, "ticket_opened")
        assert not hub_of(app)._awaited
