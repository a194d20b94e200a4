"""Versions of an agent side by side: keys are where they are deployed, and change between records, by functions."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aob
from aob.core.errors import Invalid
from aob.core.policy import LOCAL
from aob.work.topic_agents import scan_agents
from tests.organisation.test_agents_at_work import home, records, send, values


def version(number: int, **more: Any) -> Any:
    @aob.agent(name="counts", consumes=["orders"], produces=["out"], version=number, **more)
    async def counts(record: Any, ctx: Any) -> None:
        state = ctx.state or {"v": number, "seen": 0}
        state["seen"] += 1
        ctx.set_state(state)
        ctx.emit("out", "counted", [number, state["v"], state["seen"]])

    return counts


def two(state: Any) -> Any:
    return {**state, "v": 2}


async def last(app: Any, count: int) -> Any:
    """The data of the last of so many records of `out`, by key."""
    found = await records(app, "out", count)
    return {each.record.subject: value for each, value in zip(found, values(found), strict=True)}


async def test_a_key_moves_to_the_version_that_it_is_deployed_to_and_back(tmp_path: Path) -> None:
    one, both = version(1, migrate={2: lambda state: {**state, "v": 1}}), version(2, migrate={1: two})
    async with home(tmp_path, one) as app:
        await send(app, "ann", 1)
        assert await last(app, 1) == {"ann": [1, 1, 1]}
    async with home(tmp_path, one, both) as app:
        rows = await app.metrics.agent(LOCAL, "counts")
        assert [each["version"] for each in rows["versions"]] == [1, 2]
        await send(app, "ann", 2)
        assert values(await records(app, "out", 2))[-1] == [1, 1, 2]  # nothing is deployed yet
        await app.metrics.deploy_agent(LOCAL, "counts", 2)
        await send(app, "ann", 3)
        assert values(await records(app, "out", 3))[-1] == [2, 2, 3]
        await app.metrics.rollback_agent(LOCAL, "counts")
        await send(app, "ann", 4)
        assert values(await records(app, "out", 4))[-1] == [1, 1, 4]


async def test_a_share_of_the_keys_is_at_the_newer_version_and_stays_there(tmp_path: Path) -> None:
    names = [f"key-{n}" for n in range(12)]
    async with home(tmp_path, version(1), version(2, migrate={1: two})) as app:
        await app.metrics.deploy_agent(LOCAL, "counts", 2, percent=50)
        for turn in (1, 2):
            for name in names:
                await send(app, name, turn)
            found = await records(app, "out", turn * len(names))
        at = {name: (await app.metrics.agent(LOCAL, "counts", key=name))["key_version"] for name in names}
        assert set(at.values()) == {1, 2}
        assert {(each.record.subject, value[0]) for each, value in zip(found, values(found), strict=True)} == set(
            at.items()
        )


async def test_a_key_that_waits_changes_only_once_its_record_has_ended(tmp_path: Path) -> None:
    free, begun = asyncio.Event(), asyncio.Event()

    def made(number: int) -> Any:
        @aob.agent(name="slow", consumes=["orders"], produces=["out"], version=number, migrate={1: two})
        async def slow(record: Any, ctx: Any) -> None:
            begun.set()
            if record.data == "slow":
                await free.wait()
            ctx.set_state({"at": number})
            ctx.emit("out", "done", [record.data, number])

        return slow

    async with home(tmp_path, made(1), made(2)) as app:
        await send(app, "ann", "slow", "next")
        await begun.wait()
        await app.metrics.deploy_agent(LOCAL, "slow", 2)
        free.set()
        assert values(await records(app, "out", 2)) == [["slow", 1], ["next", 2]]


async def test_a_function_that_fails_leaves_the_key_at_its_version_and_is_tried_again_by_the_next_start(
    tmp_path: Path,
) -> None:
    def breaks(state: Any) -> Any:
        raise ValueError("not this one")

    async with home(tmp_path, version(1), version(2, migrate={1: breaks})) as app:
        await send(app, "ann", 1)
        await records(app, "out", 1)
        await app.metrics.deploy_agent(LOCAL, "counts", 2)
        await send(app, "ann", 2)
        assert values(await records(app, "out", 2))[-1] == [1, 1, 2]
        stream = next(each for name, each in app.views.core.journal.streams.items() if name.endswith("/counts/ann"))
        assert stream.state.stuck_version == 2
        assert b"not this one" in bytes(stream.state.stuck)
    async with home(tmp_path, version(1), version(2, migrate={1: two})) as app:
        await send(app, "ann", 3)
        assert values(await records(app, "out", 3))[-1] == [2, 2, 3]


async def test_a_key_of_a_version_that_is_not_here_and_cannot_be_migrated_says_so(tmp_path: Path) -> None:
    async with home(tmp_path, version(1)) as app:
        await send(app, "ann", 1)
        await records(app, "out", 1)
    async with home(tmp_path, version(2)) as app:
        await send(app, "ann", 2)
        (letter,) = values(await records(app, "dead.counts", 1))
        assert letter["error"]["code"] == "version_absent"


def test_versions_are_of_one_agent_and_others_of_its_name_are_refused() -> None:
    found = scan_agents(SimpleNamespace(a=version(1), b=version(3)))
    assert (found["counts"].version, sorted(found["counts"].older)) == (3, [1])
    for other in (version(1), version(0)):
        with pytest.raises(Invalid, match="taken"):
            scan_agents(SimpleNamespace(a=version(1), b=other))
    with pytest.raises(Invalid, match="migrate"):
        scan_agents(SimpleNamespace(a=version(0, migrate={1: two})))


@given(st.dictionaries(st.integers(2, 9), st.sets(st.integers(1, 8), max_size=3), min_size=1, max_size=6))
def test_the_way_from_a_version_to_another_goes_by_functions_that_are_there(declared: dict[int, set[int]]) -> None:
    def step(frm: int, to: int) -> Any:
        return lambda at: [*at, (frm, to)]

    made = [version(1)]
    for number, before in declared.items():
        made.append(version(number, migrate={each: step(each, number) for each in before if each < number}))
    newest = scan_agents(SimpleNamespace(**{f"a{n}": each for n, each in enumerate(made)}))["counts"]
    way = newest.way(1, newest.version)
    if way is not None:
        steps: list[tuple[int, int]] = []
        for function in way:
            steps = function(steps)
        assert [frm for frm, _ in steps] == [1, *(to for _, to in steps[:-1])]
        assert steps[-1][1] == newest.version
        assert all(frm in declared[to] for frm, to in steps)
