"""What a process leaves undone for a shard whose lease it has not renewed in time, in which order it gives one up."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.backends.memory.leases import MemoryLeases
from aob.compose.cluster import Guard, Held, Right, StoreClock
from aob.compose.coordinator import coordinator as module
from aob.compose.coordinator.coordinator import Coordinator
from aob.compose.coordinator.directory import LeaseDirectory
from aob.compose.coordinator.part import Part
from aob.compose.shards.local import LocalShard
from aob.compose.shared import Shared
from aob.core.cluster import Lease, Tenure
from aob.core.errors import Unavailable
from aob.core.policy import LOCAL
from tests.runs.home import chain
from tests.workers.home import comes

NOW_MS = 1_000


def member(**parts: Any) -> Coordinator:
    """The shards of a process that has none yet."""
    shared: Any = SimpleNamespace(
        home=Path(), settings=None, log=SimpleNamespace(provide=lambda log: None),
        reader=SimpleNamespace(provide=lambda reader: None), gateway=None,
        topics=SimpleNamespace(serve=lambda placed, layout: None),
    )  # fmt: skip
    vars(shared).update(parts)
    nothing: Any = None
    layout: Any = SimpleNamespace(files=2, shard_of=int)
    return Coordinator(shared, layout, LeaseDirectory(MemoryLeases(2, 1_000, lambda: NOW_MS), "us:1"), nothing, nothing)


async def test_an_item_that_is_ready_after_the_lease_is_over_does_not_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, got = [0.0], list[int]()
    tenure = Tenure(9.0, lambda: now[0])
    tenure.renewed(0.0)

    async def feed(self: LocalShard, verb: str, who: Any) -> AsyncIterator[int]:
        for number in range(5):
            now[0] = number * 3.0
            yield number

    monkeypatch.setattr(LocalShard, "stream", feed)

    async def read(part: Part) -> None:
        async for item in part.stream("follow", LOCAL):
            got.append(item)

    async with aob.open(tmp_path / "home") as app:
        with pytest.raises(Unavailable) as gone:
            await read(Part(1, app, Guard(1, tenure)))
    assert (got, gone.value.code) == ([0, 1], "not_owner")


@pytest.mark.parametrize("effect", ["none", "keyed", "once"])
async def test_no_job_begins_while_the_lease_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effect: Any
) -> None:
    now = [0.0]
    tenure = Tenure(9.0, lambda: now[0])
    tenure.renewed(0.0)

    async def permit() -> None:
        """The store would take its commits: nobody has raised the epoch."""

    right = Right(tenure, permit, StoreClock(lambda: now[0], lambda: NOW_MS))
    monkeypatch.setattr(Shared, "right", property(lambda shared: right))

    @aob.node(effect=effect)
    async def acts(value: object = None) -> bool:
        return tenure.acts

    async with aob.open(tmp_path / "home", app=[SimpleNamespace(acts=acts)]) as app:
        await app.push(chain("c", "acts"))
        now[0] = 7.0
        run = await app.start("c", 1)
        await comes(lambda: app.views.core.pool.held() or app.views.core.journal.streams[run.id].ended)
        for name in "def":  # commits behind all that has to be written before a job begins
            await app.push(chain(name, "acts"))
        tenure.renewed(7.0)
        assert (await run.done())["output"] is True


def test_workers_get_no_job_of_a_process_that_may_not_act() -> None:
    hub: Any = SimpleNamespace(acts=lambda: True, here=None)
    coordinator = member(gateway=SimpleNamespace(hub=hub))
    assert not hub.acts(), "it has no shard"
    part: Any = SimpleNamespace(acts=False)
    coordinator.parts[1] = part
    assert (hub.acts(), hub.here("0"), hub.here("1")) == (False, False, True)
    part.acts = True
    assert hub.acts()


@pytest.mark.parametrize("lost", [False, True])
async def test_a_shard_that_is_given_up_refuses_then_ends_its_work_then_stores_what_was_logged(
    lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    did = list[str]()

    async def stop(drain_s: float) -> None:
        assert coordinator.parts == {}
        assert core.journal.refusing.code == "not_owner"
        did.append(f"stop {drain_s}")

    async def flush() -> None:
        did.append("flush")

    async def assembled(*given: Any, **named: Any) -> Any:
        return SimpleNamespace(views=SimpleNamespace(core=core), working=nullcontext)

    core: Any = SimpleNamespace(
        pool=SimpleNamespace(contain=lambda: None, stop=stop), journal=SimpleNamespace(refusing=None, durable_row=0),
        followed=[], values=SimpleNamespace(), run_law=SimpleNamespace(),
        dispatch=SimpleNamespace(left_behind=SimpleNamespace(most=0)),
    )  # fmt: skip
    coordinator = member(gave_up=lambda core: None, logs=SimpleNamespace(flush=flush))
    monkeypatch.setattr(module, "assemble", assembled)
    opened: Any = lambda number, running, guard: SimpleNamespace(number=number, close=lambda: did.append("close"))  # noqa: E731
    monkeypatch.setattr(module, "Part", opened)
    held = Held[Part](Lease(1, "us"), Tenure(9.0, lambda: 1.0))
    async with coordinator.opens(held) as part:
        assert coordinator.parts == {1: part}
        if lost:
            held.lose()
    ended = [each for each in did if each != "close"]
    assert did[0] == "close", "it answers nothing more"
    assert ended == (["stop 0.0"] if lost else ["stop 2.0", "flush"])
