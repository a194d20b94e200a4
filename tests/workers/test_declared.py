"""Handlers that workers have declared are known to the processes that come after, also while no worker is back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.backends.memory.records import MemoryRecords
from aob.compose.handlers import DeclaredHandlers
from aob.compose.handlers.declared import INPUT_MAX, PARTS
from aob.compose.loop import end_tasks
from aob.compose.settings import Settings
from aob.compose.storage import later
from aob.compose.workers.gateway import Gateway
from aob.core.errors import Invalid, Unavailable
from aob.core.graph import HandlerFacts
from aob.ports.cluster import DATA_MAX
from aob.work import Facts
from tests.runs.home import chain, flow
from tests.workers.client import Client, handler
from tests.workers.home import HANDLERS, echo, home, kept, key_of, where, worker

WAITS = flow("w", {"a": {"kind": "timer", "config": {"for": "1h"}}})

DECLARED = [each.name for each in HANDLERS]


def adds(name: str, node: str = "b") -> dict[str, object]:
    """A patch with one node of this handler."""
    return {"operations": [{"op": "add", "path": f"/nodes/{node}", "value": called(name)}]}


def called(name: str) -> dict[str, object]:
    return {"kind": "function", "config": {"handler": name}}


async def test_documents_and_patches_may_name_them_before_a_worker_is_back(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app, await worker(app):
        await app.push(WAITS)
        run = await app.start("w")
        await kept(app, *DECLARED)
    async with home(tmp_path / "home") as app:
        assert (await app.views.propose(app.who, run.id, adds("look")))["state"] == "applied"
        told = await app.views.propose(app.who, run.id, adds("pay", "c"))
        assert told["state"] == "proposed", "its worker has declared that it must not be repeated"
        await app.push(chain("c", "work", "look"))
        assert await app.views.validate(app.who, chain("c", "twice")) == []


async def test_what_nobody_has_declared_is_not_refused_until_workers_had_the_time_to_come_back(
    tmp_path: Path,
) -> None:  # fmt: skip
    async with home(tmp_path / "home") as app, await worker(app):
        await app.push(WAITS)
        run = await app.start("w")
        await kept(app, *DECLARED)
    async with home(tmp_path / "home") as app:
        for asked in (
            lambda: app.push(chain("c", "newer")), lambda: app.views.validate(app.who, chain("c", "newer")),
            lambda: app.views.propose(app.who, run.id, adds("newer")),
        ):  # fmt: skip
            with pytest.raises(Unavailable) as caught:
                await asked()
            assert (caught.value.code, caught.value.fields["retry_after_s"]) == ("workers_coming", 1)
        with pytest.raises(Invalid, match="no_such_kind"):
            await app.push({"workflow": "x", "nodes": {"a": {"kind": "no_such_kind"}, "b": called("newer")}})
        assert not await app.views.patches(app.who, run.id), "nothing is recorded of what was not judged"
        newer = [*HANDLERS, handler("newer", "none")]
        async with Client(where(app), await key_of(app), echo, handlers=newer):
            assert (await app.views.propose(app.who, run.id, adds("newer")))["state"] == "applied"
            with pytest.raises(Invalid, match="there is no handler"):
                await app.push(chain("c", "newest"))
    async with home(tmp_path / "home", lease_ms=-1) as app:  # it is over
        with pytest.raises(Invalid, match="there is no handler"):
            await app.push(chain("c", "newest"))


@given(st.lists(st.dictionaries(
    st.text(min_size=1, max_size=3), st.sampled_from(["none", "keyed", "once"]), max_size=6
), max_size=3))  # fmt: skip
async def test_a_process_that_begins_knows_what_was_declared_last(declared: list[dict[str, str]]) -> None:
    records = MemoryRecords(lambda: 0)
    for at, effects in enumerate(declared):
        facts = Facts({})
        process = DeclaredHandlers(records, facts)
        await process.refresh()
        facts.learn("t", "t/w", [HandlerFacts(name, str(at), effect) for name, effect in effects.items()])  # type: ignore[arg-type]
        await process.write("t")
    facts = Facts({})
    await DeclaredHandlers(records, facts).refresh()
    last = {name: effect for effects in declared for name, effect in effects.items()}
    assert dict(facts.of("t").effects) == last
    assert dict(facts.of("u").effects) == {}
    assert not any(each.version for each in facts.of("t").values()), "of which code it was is not kept"


async def test_what_is_kept_is_bounded_and_the_newest_stay() -> None:
    records, facts = MemoryRecords(lambda: 0), Facts({})
    process = DeclaredHandlers(records, facts)
    large = {"type": "object", "properties": {"a": {"description": "x" * (INPUT_MAX - 200)}}}
    for n in range(3):
        facts.learn("t", "t/w", [HandlerFacts(f"h{n}-{at}", "", input=large) for at in range(400)])
        await process.write("t")
    kept = await records.every("declared/")
    assert len(kept) <= PARTS
    assert all(len(each.data) <= DATA_MAX for each in kept)
    again = Facts({})
    await DeclaredHandlers(records, again).refresh()
    names = {name.partition("-")[0] for name in again.of("t")}
    assert names == {"h2"}
    facts.learn("t", "t/w", [HandlerFacts("wide", "", input={"type": "object", "x": "x" * INPUT_MAX})])
    await process.write("t")
    await DeclaredHandlers(records, again).refresh()
    assert again.of("t")["wide"].input is None
    other = Facts({})  # another process, which knows nothing of these
    other.learn("t", "t/v", [HandlerFacts(f"h3-{at}", "", input=large) for at in range(PARTS)])
    await DeclaredHandlers(records, other).write("t")
    last = Facts({})
    await DeclaredHandlers(records, last).refresh()
    assert sum(name.startswith("h3-") for name in last.of("t")) == PARTS, "its own are the newest"
    assert any(name.startswith("h2-") for name in last.of("t"))


def test_what_is_declared_here_counts_more_than_what_was_declared_before_or_elsewhere() -> None:
    facts = Facts({"own": HandlerFacts("own", "", "once")})
    facts.learn("t", "t/w", [HandlerFacts("a", "1", "once")])
    facts.recall("t", [HandlerFacts(name, "", "none") for name in ("a", "b", "own")])
    assert dict(facts.of("t").effects) == {"own": "once", "a": "once", "b": "none"}


class Away(MemoryRecords):
    """Records whose store is away at the first write."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.written, self.left = asyncio.Event(), 1

    async def write(self, *given: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise Unavailable("it is away", code="store_away")
        told = await super().write(*given, **named)
        self.written.set()
        return told


async def test_what_cannot_be_written_now_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "AGAIN_S", 0.0)
    records, facts = Away(), Facts({})
    process = DeclaredHandlers(records, facts)
    running = asyncio.create_task(process.later.run())
    facts.learn("t", "t/w", [HandlerFacts("a", "1", "once")])
    await asyncio.wait_for(records.written.wait(), 20)
    await end_tasks(running)
    again = Facts({})
    await DeclaredHandlers(records, again).refresh()
    assert dict(again.of("t").effects) == {"a": "once"}


def test_workers_may_be_on_their_way_before_they_can_come() -> None:
    assert Gateway(Settings(), None).awaits()  # type: ignore[arg-type]  # nothing is stored


async def test_records_of_another_release_do_not_keep_a_process_from_starting() -> None:
    records, facts = MemoryRecords(lambda: 0), Facts({})
    await records.write("declared/t/0", b'[{"name": 7}]', 0, "workers")
    await DeclaredHandlers(records, facts).refresh()
    assert dict(facts.of("t")) == {}
