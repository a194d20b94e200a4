"""Verbs of workflows: push, versions, tags, patches of a tag, diff, validate."""

import asyncio
import threading
from typing import Any

import pytest

from aob.compose import App
from aob.core.errors import Conflict, Invalid, NotFound, Refused
from aob.core.rules import RULES
from aob.runs import workflows
from tests.runs.home import PATCHER, VIEWER, Deed, chain, finished, flow, fn

pytestmark = pytest.mark.every_store

ADD_C = [{"op": "add_node", "id": "c", "node": fn()}, {"op": "connect", "from": "b", "to": "c"}]


class TestPush:
    async def test_the_same_document_is_the_same_version(self, app: App) -> None:
        first = await app.push(chain("one", "echo", "echo"))
        again = await app.push(chain("one", "echo", "echo"))
        assert (first["version"], first["created"]) == ("v1.0", True)
        assert (again["version"], again["created"], again["artifact"]) == ("v1.0", False, first["artifact"])

    async def test_another_document_is_the_next_version_and_the_tag_moves(self, app: App) -> None:
        first = await app.push(chain("one", "echo"))
        second = await app.push(chain("one", "echo", "echo"))
        shown = await app.views.workflow(app.who, "one")
        assert (second["version"], shown["version"]) == ("v2.0", "v2.0")
        assert (await app.views.workflow(app.who, "one", first["artifact"]))["version"] == "v1.0"
        assert (await app.views.workflow(app.who, "one", "v1.0"))["artifact"] == first["artifact"]

    async def test_a_tag_may_go_back(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        await app.push(chain("one", "echo", "echo"))
        await app.push(chain("one", "echo"))
        assert (await app.views.workflow(app.who, "one"))["version"] == "v1.0"

    async def test_tags_stand_side_by_side(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        await app.push(chain("one", "echo", "echo"), tag="next")
        listed = await app.views.workflows(app.who)
        assert {tag: at["version"] for tag, at in listed[0]["tags"].items()} == {"main": "v1.0", "next": "v2.0"}
        run = await finished(app, (await app.start("one", 1, tag="next")).id)
        assert (run["version"], set(run["nodes"])) == ("v2.0", {"a", "b"})

    @pytest.mark.parametrize("tag", ["", "v1.0", "a b", "x" * 65, "../x", "sha256:00"])
    async def test_a_tag_is_a_name(self, app: App, tag: str) -> None:
        with pytest.raises(Invalid):
            await app.push(chain("one", "echo"), tag=tag)

    async def test_every_problem_comes_at_once(self, app: App) -> None:
        document = flow("bad", {"a": fn("nobody"), "b": {"kind": "timer", "config": {}}}, "a>zzz")
        with pytest.raises(Invalid) as caught:
            await app.push(document)
        assert {p.code for p in caught.value.problems} >= {"unknown_handler", "bad_timer"}
        assert [p.code for p in await app.views.validate(app.who, document)] == [p.code for p in caught.value.problems]
        with pytest.raises(NotFound):
            await app.views.workflow(app.who, "bad")

    async def test_yaml_says_where(self, app: App) -> None:
        problems = await app.views.validate(
            app.who, b"workflow: w\nnodes:\n  a: {kind: function, config: {handler: nobody}}\n"
        )
        assert [(p.code, p.line) for p in problems] == [("unknown_handler", 3)]

    async def test_a_name_given_beside_the_document_counts(self, app: App) -> None:
        pushed = await app.views.push(app.who, chain("one", "echo"), name="two")
        assert pushed["workflow"] == "two"

    async def test_whoever_only_looks_may_not_push(self, app: App) -> None:
        with pytest.raises(Refused):
            await app.views.push(VIEWER, chain("one", "echo"))


async def test_a_diff_shows_what_changed(app: App) -> None:
    await app.push(chain("one", "echo"))
    await app.push(chain("one", "echo", "plain"))
    told = await app.views.diff(app.who, "one", "v1.0", "main")
    assert set(told["diff"]["nodes"]["added"]) == {"b"}
    assert any("b" in line for line in told["lines"])


async def test_an_unknown_workflow_or_tag_is_told_what_there_is(app: App) -> None:
    await app.push(chain("one", "echo"))
    with pytest.raises(NotFound, match="workflows here: one"):
        await app.views.workflow(app.who, "two")
    with pytest.raises(NotFound, match=r"versions: v1\.0"):
        await app.views.workflow(app.who, "one", "v9.0")


class TestAPatchOfATag:
    async def test_acts_on_later_runs_only(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "echo", "gated"))
        before = await app.start("one", 1)
        told = await app.views.patch_tag(app.who, "one", "main", ADD_C)
        deed.gate("b").set()
        after = await finished(app, (await app.start("one", 1)).id)
        earlier = await finished(app, before.id)
        assert told["version"] == "v1.1"
        assert (after["version"], set(after["nodes"])) == ("v1.1", {"a", "b", "c"})
        assert (earlier["version"], set(earlier["nodes"])) == ("v1.0", {"a", "b"})

    async def test_stands_on_the_one_before(self, app: App) -> None:
        await app.push(chain("one", "echo", "echo"))
        await app.views.patch_tag(app.who, "one", "main", ADD_C)
        more = [{"op": "add_node", "id": "d", "node": fn()}, {"op": "connect", "from": "c", "to": "d"}]
        assert (await app.views.patch_tag(app.who, "one", "main", more))["version"] == "v1.2"
        assert set((await app.views.workflow(app.who, "one"))["document"]["nodes"]) == {"a", "b", "c", "d"}

    async def test_two_at_a_time_do_not_swallow_each_other(self, app: App) -> None:
        await app.push(chain("one", "echo", "echo"))
        other = [{"op": "add_node", "id": "d", "node": fn()}, {"op": "connect", "from": "b", "to": "d"}]
        patch = app.views.patch_tag
        first, second = await asyncio.gather(
            patch(app.who, "one", "main", ADD_C), patch(app.who, "one", "main", other), return_exceptions=True
        )
        assert isinstance(second, Conflict)
        assert second.code == "tag_moved"
        assert isinstance(first, dict)

    async def test_never_changes_a_version(self, app: App) -> None:
        await app.push(chain("one", "echo", "echo"))
        with pytest.raises(NotFound, match="a version never changes"):
            await app.views.patch_tag(app.who, "one", "v1.0", ADD_C)

    async def test_that_is_wrong_says_where(self, app: App) -> None:
        await app.push(chain("one", "echo", "echo"))
        for operations in ([{"op": "zzz"}], [{"op": "add", "path": "/nodes/x", "value": {"kind": "nothing"}}]):
            with pytest.raises(Invalid) as caught:
                await app.views.patch_tag(app.who, "one", "main", operations)
            assert caught.value.problems

    async def test_needs_somebody_who_may_approve_where_a_run_would_ask_a_person(self, app: App) -> None:
        await app.push(chain("one", "echo", "echo"))
        once = [{"op": "add_node", "id": "c", "node": fn("once")}, {"op": "connect", "from": "b", "to": "c"}]
        told = await app.views.patch_tag(PATCHER, "one", "main", once)
        assert told["state"] == "proposed"
        assert (await app.views.workflow(app.who, "one"))["version"] == "v1.0"
        await app.views.answer(app.who, told["ticket"], "approve")
        assert (await app.views.workflow(app.who, "one"))["version"] == "v1.1"


class TestRules:
    async def test_what_was_accepted_before_goes_on_by_its_rules_and_a_push_accepts_it_anew(
        self, app: App, deed: Deed
    ) -> None:
        document = flow("old", {"a": fn("gated"), "b": fn()}, "a>b")
        old = await app.views.push(app.who, document, rules=1)
        before = await app.start("old", 1)
        await deed.begins("a").wait()
        again = await app.push(document)
        assert (old["version"], again["version"], again["created"]) == ("v1.0", "v2.0", True)
        assert again["artifact"] == old["artifact"]
        assert not (await app.push(document))["created"]
        shown = await app.views.workflow(app.who, "old")
        assert [(each["version"], each["rules"]) for each in shown["artifacts"]] == [("v1.0", 1), ("v2.0", RULES)]
        assert (await app.views.workflow(app.who, "old", old["artifact"]))["version"] == "v2.0"
        after = await app.start("old", 1)
        kept = await app.start("old", 1, tag="v1.0")
        runs = app.views.core.journal.streams
        assert [runs[run.id].state.rules for run in (before, after, kept)] == [1, RULES, 1]
        assert [runs[run.id].derived.graphs.ir(0).rules for run in (before, after, kept)] == [1, RULES, 1]
        deed.release()
        for run in (before, after, kept):
            await finished(app, run.id)
        forked = await app.views.fork(app.who, before.id, from_node="b")
        assert (await app.views.core.stream(app.who, forked["run_id"])).state.rules == 1
        assert (await app.views.replay(app.who, before.id, from_node="a"))["same"]

    async def test_patches_keep_the_rules_of_tag_and_run(self, app: App, deed: Deed) -> None:
        document = flow("old", {"a": fn("gated"), "b": fn()}, "a>b")
        await app.views.push(app.who, document, rules=1)
        run = await app.start("old", 1)
        await deed.begins("a").wait()
        await app.views.propose(app.who, run.id, {"operations": ADD_C})
        await app.views.patch_tag(app.who, "old", "main", ADD_C)
        later = await app.start("old", 1)
        graphs = [app.views.core.journal.streams[each.id].derived.graphs for each in (run, later)]
        assert [each.ir(1).rules for each in graphs] == [1, 1]
        deed.release()


async def test_a_document_is_checked_beside_the_loop(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a document is read and checked the loop goes on: the check is in another thread."""
    threads: set[int] = set()

    def judged(*given: Any) -> Any:
        threads.add(threading.get_ident())
        return judge(*given)

    judge = workflows._judged
    monkeypatch.setattr(workflows, "_judged", judged)
    await app.push(chain("one", "echo"))
    await app.views.validate(app.who, chain("one", "echo"))
    assert threads
    assert threading.get_ident() not in threads
