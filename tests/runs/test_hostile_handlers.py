"""Whatever a handler raises, returns or logs: its run ends with a reason, and every other run goes on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose import App
from aob.runs import reports as reports_room
from tests.runs.home import Deed, finished, flow, fn, ticket_of, until
from tests.work import hostile

QUICK = {"attempts": 1}
SAYS = frozenset(("raise", what) for what in ("bare", "detail", "loop", "nan", "when", "text"))
"""A WorkError is the handler's word that it has failed."""


@pytest.fixture
async def odd(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path / "home", app=[hostile, Deed().handlers()]) as opened:
        yield opened


@pytest.mark.parametrize("place", ["on_loop", "later", "in_thread", "in_process", "only_once"])
async def test_what_a_handler_raises_or_returns_ends_its_run_and_no_other(odd: App, place: str) -> None:
    node = fn(place, input={"how": "inputs.how", "what": "inputs.what"}, retry=QUICK)
    await odd.push(flow("odd", {"a": node}))
    await odd.push(flow("fine", {"a": fn()}))
    cases = [("raise", what) for what in hostile.RAISED] + [("return", what) for what in hostile.RETURNED]
    runs = [(case, await odd.start("odd", {"how": case[0], "what": case[1]})) for case in cases]
    for case, run in runs:
        if place == "only_once" and case not in SAYS:
            await ticket_of(odd, run.id, "uncertain")  # it may have happened, and nothing came of it: a person is asked
            continue
        async with asyncio.timeout(20):
            told = await finished(odd, run.id)
        assert told["status"] == "FAILED", case
        assert isinstance(told["error"]["message"], str), case
        assert told["error"]["message"], case
    assert (await finished(odd, (await odd.start("fine", 1)).id))["output"] == 1


async def test_any_name_may_be_logged(odd: App) -> None:
    nodes = {"a": fn("talks", retry=QUICK), "b": fn("talks_in_a_thread", retry=QUICK)}
    await odd.push(flow("talk", nodes))
    run = await finished(odd, (await odd.start("talk")).id)
    assert run["status"] == "COMPLETED", run["error"]
    lines = [line async for line in odd.views.logs(odd.who, run["run_id"], node="a")]
    first: dict[str, Any] = msgspec.json.decode(lines[0])
    assert (first["message"], first["attempt"], first["attempt_"], first["self"]) == ("x", 1, 1, 2)
    assert (first["message_"], first["message__"]) == ("taken", "mine")
    assert len(lines) == 4


class TestAValueOutOfReach:
    """A library's own exception says nothing of the value: it is tried again, logged once, and `why` names it."""

    async def test_of_a_job_is_waited_for_and_named(self, odd: App, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reports_room, "STORE_AGAIN_S", 0.001)
        core = odd.views.core
        await odd.push(flow("big", {"a": fn(), "b": {"kind": "wait", "config": {"message": "go"}}, "c": fn(
            input={"value": "nodes.a.output"})}, "a>b", "b>c"))  # fmt: skip
        run = await odd.start("big", "x" * 100_000)
        await until(odd, run.id, "wait_opened")
        seen: list[str] = []
        get = core.blobs.get

        async def fails(tenant: str, digest: bytes) -> bytes:
            if len(seen) < 20:
                seen.append((await odd.views.why(odd.who, run.id))["sentence"])
                raise OSError("the wire is cut")
            return await get(tenant, digest)

        monkeypatch.setattr(core.blobs, "get", fails)
        core.values._kept.clear()
        await odd.views.message(odd.who, run.id, "go")
        assert (await finished(odd, run.id))["status"] == "COMPLETED"
        assert "c waits for a value that is out of reach" in seen[-1]
        assert "the store of the value does not answer" in seen[-1], "its own words are in the log"
        assert not core.dispatch._stuck

    async def test_of_a_decision_holds_up_nobody_who_asks_and_no_other_run(
        self, odd: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = odd.views.core
        nodes = {"w": {"kind": "wait", "config": {"message": "go"}},
                 "b": {"kind": "branch"}, "x": fn(), "y": fn()}  # fmt: skip
        document = flow("big", nodes, "w>b", "b>x", "b>y")
        document["edges"]["b-x"]["when"] = "size(inputs) > 3"
        document["edges"]["b-y"]["else"] = True
        await odd.push(document)
        await odd.push(flow("fine", {"a": fn()}))
        run = await odd.start("big", "x" * 100_000)
        get, broken = core.blobs.get, [True]

        async def fails(tenant: str, digest: bytes) -> bytes:
            if broken:
                raise RuntimeError("a library of somebody")
            return await get(tenant, digest)

        monkeypatch.setattr(core.blobs, "get", fails)
        core.values._kept.clear()
        with pytest.raises(aob.AobError, match="a library of somebody"):
            await odd.views.message(odd.who, run.id, "go", id="m1")
        assert (await finished(odd, (await odd.start("fine", 1)).id))["status"] == "COMPLETED"
        broken.clear()
        await odd.views.message(odd.who, run.id, "go", id="m1")
        assert (await finished(odd, run.id))["nodes"]["x"]["state"] == "completed"
