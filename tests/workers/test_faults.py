"""Streams that die, workers that are started again, homes that are: nothing is lost, and nothing succeeds twice."""

import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aob.compose import App
from aob.compose.handlers.paused import Change
from aob.ports.workers import Job
from aob.work.job import WorkError
from tests.runs.home import chain, finished, flow, fn, kinds, until
from tests.workers.client import Client, Ctx, EndedError, Raw, hello, pb
from tests.workers.home import HANDLERS, comes, echo, home, key_of, where, worker

QUICK = {"attempts": 3, "first": "5ms", "jitter": 0}
OF_WORKERS = ("hello", "want", "done", "fail", "beat", "intend", "settle", "propose", "graph", "log")
OF_SERVERS = ("welcome", "job", "keep", "granted", "recorded", "answer", "ack")


class Ledger:
    """What was done outside: each effect under its key."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    async def __call__(self, job: Job, ctx: Ctx) -> Any:
        if job.visit == "flaky" and job.attempt == 1:
            raise WorkError("again")
        if job.visit == "acts":
            ctx.log("begins")
            await ctx.beat({"at": 1})
            what, item = await ctx.intend("charge", {"n": 1})
            if what == "granted":
                self.done[job.key] += 1
                await ctx.settle(item.number, "ok")
            await ctx.graph()
            await ctx.propose([{"op": "test", "path": "/nope", "value": 1}], "why")
        return job.visit


FLOW = flow("f", {"a": fn("work"), "flaky": fn("work", retry=QUICK), "acts": fn("work"), "z": fn("pay")},
            "a>flaky", "flaky>acts", "acts>z")  # fmt: skip


@pytest.mark.parametrize("what", [*OF_WORKERS, *OF_SERVERS])
async def test_a_stream_that_dies_at_any_message_loses_and_doubles_nothing(tmp_path: Path, what: str) -> None:
    ledger = Ledger()
    async with home(tmp_path / "home") as app:
        dies = [what] if what != "keep" else ["done", "keep"]
        async with await worker(app, ledger, dies_at=dies) as client:
            await client.attached.wait()
            await app.push(FLOW)
            run = await finished(app, (await app.start("f")).id)
            assert (run["status"], client.died) == ("COMPLETED", dies)
            told = kinds(await app.views.timeline(app.who, run["run_id"]))
            assert told.count("node_completed") == 4
            assert told.count("token_ready") == 1, "only the retry: no attempt was lost"
            assert ledger.done == {f"{run['run_id']}/acts": 1}
            await comes(lambda: not client.results)
            assert app.shared.gateway is not None
            assert not app.shared.gateway.hub.unacked


RARE = {  # items that only some lives have, and which others a stream must die at before them
    "cancel": ["cancel"], "drop": ["cancel", "drop"], "pause": ["pause"], "refused": ["refused"],
    "decline": ["decline"], "draining": ["draining"], "settings": ["settings"],
}  # fmt: skip


OF_AGENTS = {"call"}
"""What only records of agents ask for (tests/organisation/test_agents_at_workers.py); no life here has any."""


def test_the_stream_dies_at_every_message_of_the_protocol() -> None:
    both = (item.DESCRIPTOR.oneofs_by_name["item"].fields for item in (pb.WorkerItem, pb.ServerItem))
    items = {field.name for fields in both for field in fields}
    assert {*OF_WORKERS, *OF_SERVERS, *RARE} == items - OF_AGENTS


@pytest.mark.parametrize("what", list(RARE))
async def test_nor_at_one_that_few_lives_have(tmp_path: Path, what: str) -> None:
    """One run ends as ever, one is cancelled, one is given back, while a handler is paused and resumed."""
    begun, go = set[str](), asyncio.Event()

    async def perform(job: Job, ctx: Ctx) -> Any:
        begun.add(job.run)
        if job.input == "hangs":
            await asyncio.Event().wait()
        await go.wait()
        return job.input

    async with home(tmp_path / "home") as app, Client(
        where(app), await key_of(app, "work", "execute"), perform, handlers=HANDLERS, offers=("http",),
        dies_at=RARE[what],
    ) as client:  # fmt: skip
        await app.push(chain("c", "work", "look"))
        hangs, plain = await app.start("c", "hangs"), await app.start("c", 1)
        await comes(lambda: {hangs.id, plain.id} <= begun)
        key = next(each for each in client.jobs if each[0] == plain.id)
        paused = Change("look", True, "t")
        await app.shared.paused.change(app.who, paused, 1)
        client.put(pb.WorkerItem(graph=pb.Graph(run="run_none", visit="a", attempt=1, ask=1_000_000)))
        if what == "decline":
            client.put(pb.WorkerItem(decline=pb.Decline(run=key[0], visit=key[1], attempt=key[2], reason="full")))
        if what == "draining":
            client.put(pb.WorkerItem(draining=pb.Draining()))
        await app.views.cancel(app.who, hangs.id)
        await comes(lambda: client.died == RARE[what])
        go.set()
        await app.shared.paused.change(app.who, Change("look", False, "t"), 2)
        run = await finished(app, plain.id)
        told = kinds(await app.views.timeline(app.who, plain.id))
        assert (run["status"], told.count("node_completed"), told.count("token_ready")) == ("COMPLETED", 2, 0)
        assert (await finished(app, hangs.id))["status"] == "CANCELLED"
        assert app.shared.gateway is not None
        hub = app.shared.gateway.hub
        await comes(lambda: not hub.unacked and not hub._index)
        await comes(lambda: not client.results and hangs.id not in {each[0] for each in client.jobs})


async def test_a_worker_that_does_not_come_back_loses_its_attempts(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def never(job: Job, ctx: Ctx) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with home(tmp_path / "home", lease_ms=200) as app:
        async with await worker(app, never, name="a"):
            await app.push(chain("c", "work"))
            run = await app.start("c", 1)
            await begun.wait()
        async with await worker(app, name="b"):
            assert (await run.done())["output"] == 1
        ready = [e for e in await app.views.timeline(app.who, run.id) if e["type"] == "token_ready"]
        assert [(e["cause"], e["attempt"]) for e in ready] == [("lost", 2)]


async def test_a_new_incarnation_loses_what_the_one_before_had_at_once_and_fences_it(tmp_path: Path) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def late(job: Job, ctx: Ctx) -> Any:
        begun.set()
        await go.wait()
        return "late"

    async with home(tmp_path / "home") as app:
        async with await worker(app, late) as old:
            await app.push(chain("c", "work"))
            run = await app.start("c", 1)
            await begun.wait()
            async with await worker(app, incarnation="2") as new:
                assert (await run.done())["output"] == 1
                go.set()
                await comes(lambda: old.refused)
                assert old.refused is not None
                assert (old.refused.code, len(new.begun)) == ("ABORTED", 1)
        told = kinds(await app.views.timeline(app.who, run.id))
        assert told.count("node_completed") == 1


async def test_an_effect_that_was_lost_with_its_worker_is_asked_about(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def never(job: Job, ctx: Ctx) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with home(tmp_path / "home", lease_ms=200) as app:
        async with await worker(app, never):
            await app.push(chain("c", "pay"))
            run = await app.start("c", 1)
            await begun.wait()
        async with await worker(app, incarnation="2") as again:
            await until(app, run.id, "ticket_opened")
            assert not again.begun


async def test_a_worker_that_drains_in_order_leaves_what_it_cannot_end(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app:
        key = await key_of(app)
        raw = Raw(where(app), key)
        await raw.send(hello(handlers=HANDLERS), pb.WorkerItem(want=pb.Want(jobs=1)))
        await raw.items("welcome")
        await app.push(chain("c", "work"))
        run = await app.start("c", 1)
        await raw.items("job")
        await raw.send(pb.WorkerItem(draining=pb.Draining()))
        await raw.finish()
        assert (await raw.ended()).code == "OK"
        await raw.die()
        async with await worker(app, name="b"):
            assert (await run.done())["output"] == 1


async def test_a_job_that_is_declined_goes_to_another_as_the_same_attempt(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app:
        raw = Raw(where(app), await key_of(app))
        await raw.send(hello("a", handlers=HANDLERS), pb.WorkerItem(want=pb.Want(jobs=5)))
        await raw.items("welcome")
        await app.push(chain("c", "work"))
        run = await app.start("c", 1)
        (job,) = await raw.items("job")
        async with await worker(app, name="b") as other:
            decline = pb.Decline(run=job.run, visit=job.visit, attempt=job.attempt, reason="no")
            await raw.send(pb.WorkerItem(decline=decline))
            assert (await run.done())["output"] == 1
            assert [attempt for _, _, attempt in other.begun] == [1]
        await raw.die()


class TestAHomeThatIsStartedAgain:
    async def test_takes_what_its_workers_have_as_the_same_attempt(self, tmp_path: Path) -> None:
        begun, go = asyncio.Event(), asyncio.Event()
        performed: list[str] = []

        async def perform(job: Job, ctx: Ctx) -> Any:
            performed.append(job.visit)
            if job.visit in ("now", "paid"):
                begun.set()
                await go.wait()
                what, item = await ctx.intend("own", {"n": 1})
                if what == "granted":
                    await ctx.settle(item.number, 1)
            return job.visit

        async with home(tmp_path / "home") as app:
            key = await key_of(app)
            client = Client(where(app), key, perform, handlers=HANDLERS)
            await client.__aenter__()
            await app.push(flow("f", {"now": fn("work"), "paid": fn("pay"), "b": fn("work")}, "now>b", "paid>b"))
            run = await app.start("f")
            await begun.wait()
            await comes(lambda: len(performed) == 2)
        go.set()
        try:
            async with home(tmp_path / "home") as app:
                client._address = where(app)
                told = await finished(app, run.id)
                assert told["status"] == "COMPLETED", told
                timeline = await app.views.timeline(app.who, run.id)
                assert kinds(timeline).count("token_ready") == 0
                assert sorted(performed) == ["b", "now", "paid"]
        finally:
            await client.__aexit__()

    async def test_says_lost_when_they_do_not_come_back(self, tmp_path: Path) -> None:
        begun = asyncio.Event()

        async def never(job: Job, ctx: Ctx) -> Any:
            begun.set()
            await asyncio.Event().wait()

        async with home(tmp_path / "home") as app, await worker(app, never):
            await app.push(chain("c", "work"))
            run = await app.start("c", 1)
            await begun.wait()
        async with home(tmp_path / "home", lease_ms=300) as app, await worker(app, name="b") as other:
            assert (await finished(app, run.id))["output"] == 1
            assert [attempt for _, _, attempt in other.begun] == [2]

    async def test_says_lost_when_they_were_started_again_too(self, tmp_path: Path) -> None:
        """What was begun in a process that is no more is not begun again as the same attempt."""
        begun = asyncio.Event()

        async def never(job: Job, ctx: Ctx) -> Any:
            begun.set()
            await asyncio.Event().wait()

        async with home(tmp_path / "home") as app, await worker(app, never):
            await app.push(flow("f", {"a": fn("pay"), "b": fn("work")}))
            run = await app.start("f")
            await begun.wait()
            await comes(lambda: all(app.views.core.workers.runs(run.id, visit) for visit in "ab"))
        async with home(tmp_path / "home") as app, await worker(app, incarnation="2") as other:
            await until(app, run.id, "ticket_opened")
            await comes(lambda: len(other.begun) == 1)
            assert [(visit, attempt) for _, visit, attempt in other.begun] == [("b", 2)], "nobody pays again"


async def refused(raw: Raw) -> None:
    """Says Hello, and reads: the refusal may come at either."""
    await raw.send(hello())
    await raw.read()


class TestAHostileWorker:
    @pytest.fixture(autouse=True)
    async def home(self, tmp_path: Path) -> Any:
        async with home(tmp_path / "home") as self.app:
            yield

    async def _works(self, app: App) -> None:
        """The home still serves others."""
        async with await worker(app, name="good"):
            await app.push(chain("good", "work"))
            assert (await finished(app, (await app.start("good", 1)).id))["output"] == 1

    @pytest.mark.parametrize("key", ["", "wrong"])
    async def test_without_a_key_is_not_let_in(self, key: str) -> None:
        raw = Raw(where(self.app), key)
        with pytest.raises(Exception, match="UNAUTHENTICATED"):
            await refused(raw)
        await raw.die()
        await self._works(self.app)

    async def test_with_a_key_of_another_role_is_refused(self) -> None:
        raw = Raw(where(self.app), await key_of(self.app, "view", "run", "deploy"))
        with pytest.raises(Exception, match="PERMISSION_DENIED"):
            await refused(raw)
        await raw.die()

    @pytest.mark.parametrize("data", [
        b"", b"\xff\xff\xff", b"\x0a\x02\x12\x00", pb.WorkerFrame(items=[hello(name="")]).SerializeToString(),
        pb.WorkerFrame(items=[hello(slots=1_000_000)]).SerializeToString(),
        pb.WorkerFrame(items=[pb.WorkerItem(hello=pb.Hello(protocol=9, worker="w"))]).SerializeToString(),
    ])  # fmt: skip
    async def test_that_says_no_hello_is_sent_away(self, data: bytes) -> None:
        raw = Raw(where(self.app), await key_of(self.app))
        await raw.bytes(data)
        with pytest.raises(Exception, match=r"INVALID_ARGUMENT|FAILED_PRECONDITION"):
            await raw.read()
        await raw.die()

    async def test_that_sends_garbage_or_too_much_ends_its_own_stream_only(self) -> None:
        for data in (b"\xff\x00\xff", pb.WorkerFrame(items=[pb.WorkerItem()]).SerializeToString(), b"x" * 5_000_000):
            raw = Raw(where(self.app), await key_of(self.app))
            await raw.send(hello())
            await raw.items("welcome")
            with contextlib.suppress(EndedError):
                await raw.bytes(data)
            assert (await raw.ended()).code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")
            await raw.die()
        await self._works(self.app)

    async def test_that_claims_and_reports_what_others_have_changes_nothing(self) -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def waits(job: Job, ctx: Ctx) -> Any:
            begun.set()
            await go.wait()
            return "mine"

        async with await worker(self.app, waits, name="good"):
            await self.app.push(chain("c", "work"))
            run = await self.app.start("c", 1)
            await begun.wait()
            visit = next(iter((await run.show())["nodes"]))
            named = {"run": run.id, "visit": visit, "attempt": 1}
            for tenant in (None, "other"):
                raw = Raw(where(self.app), await key_of(self.app, tenant=tenant))
                await raw.send(
                    hello("bad", handlers=HANDLERS, held=[pb.Held(**named), pb.Held(**named | {"run": "run_x"})]),
                    pb.WorkerItem(done=pb.Done(**named, output=b'"stolen"')),
                    pb.WorkerItem(intend=pb.Intend(**named, ask=1, kind="x", what=b"{}", count=1)),
                    pb.WorkerItem(log=pb.Log(**named, message="stolen")),
                    pb.WorkerItem(beat=pb.Beat(**named, ask=2, checkpoint=b"1")),
                )
                assert len(await raw.items("drop", 2)) == 2
                assert [each.code for each in await raw.items("refused", 2)] == ["token_gone"] * 2
                await raw.die()
            go.set()
            assert (await run.done())["output"] == "mine"

    async def test_of_another_tenant_is_given_nothing(self) -> None:
        raw = Raw(where(self.app), await key_of(self.app, tenant="other"))
        await raw.send(hello(handlers=HANDLERS), pb.WorkerItem(want=pb.Want(jobs=10)))
        await raw.items("welcome")
        async with await worker(self.app, name="known"):
            await self.app.push(chain("c", "work"))
        await comes(lambda: len(self.app.shared.gateway.hub.workers) == 1)
        run = await self.app.start("c", 1)
        async with await worker(self.app, name="good") as good:
            assert (await run.done())["output"] == 1
            assert len(good.begun) == 1
        await raw.die()

    async def test_whose_output_is_no_json_fails_its_attempt_only(self) -> None:
        for output in (b"{", b"NaN", b"\xff", b"[" * 100_000):
            raw = Raw(where(self.app), await key_of(self.app))
            await raw.send(hello(handlers=HANDLERS), pb.WorkerItem(want=pb.Want(jobs=1)))
            await raw.items("welcome")
            await self.app.push(chain("c", "work"))
            run = await self.app.start("c", 1)
            (job,) = await raw.items("job")
            done = pb.Done(run=job.run, visit=job.visit, attempt=job.attempt, output=output)
            await raw.send(pb.WorkerItem(done=done))
            assert (await run.done())["error"]["code"] == "output_not_json"
            await raw.die()

    async def test_whose_key_is_revoked_is_sent_away(self) -> None:
        assert self.app.shared.gateway is not None
        self.app.shared.gateway.hub.lease_ms = 300
        made = await self.app.views.create_key(self.app.who, "w", ("work",))
        async with Client(where(self.app), made["secret"], echo) as client:
            await self.app.views.revoke_key(self.app.who, made["id"])
            await comes(lambda: client.refused)
        assert client.refused is not None
        assert client.refused.code == "UNAUTHENTICATED"
