"""Verbs that begin and stop a run: what is accepted, what is refused, what is started once."""

from typing import Any

import pytest

from aob.compose import App
from aob.core.errors import CallerError, Conflict, Invalid, NotFound, Refused, TooLarge
from aob.core.value import INLINE_MAX, ROW_MAX
from tests.runs.home import BOB, VIEWER, Deed, chain, finished, fn, kinds

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}


class TestInputs:
    async def test_that_fit_the_schema_are_the_input_of_the_first_nodes(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "echo", inputs=SCHEMA))
        run = await finished(app, (await app.start("one", {"id": "7"})).id)
        assert (run["inputs"], run["output"], deed.calls) == ({"id": "7"}, {"id": "7"}, [("echo", {"id": "7"})])

    async def test_that_do_not_fit_are_refused_with_every_place(self, app: App) -> None:
        await app.push(chain("one", "echo", inputs=SCHEMA))
        with pytest.raises(Invalid) as caught:
            await app.start("one", {"id": 7, "n": "x"})
        assert {p.path for p in caught.value.problems} == {"/inputs/id", "/inputs/n"}
        assert (await app.views.runs(app.who))["runs"] == []

    @pytest.mark.parametrize("value", [{"n": float("nan")}, {"n": float("inf")}, {"s": "\ud800"}, {"f": print}])
    async def test_that_json_cannot_hold_are_refused_and_not_changed(self, app: App, value: Any) -> None:
        await app.push(chain("one", "echo"))
        with pytest.raises(Invalid, match="not JSON"):
            await app.start("one", value)

    async def test_that_are_nested_too_deep_are_refused(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        deep: Any = 1
        for _ in range(300):
            deep = [deep]
        with pytest.raises(Invalid):
            await app.start("one", deep)

    async def test_over_a_million_bytes_are_too_large(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        with pytest.raises(TooLarge, match="object store"):
            await app.start("one", "x" * 1_000_001)


class TestAKey:
    async def test_with_the_same_inputs_is_the_same_run(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "echo"))
        first = await app.start("one", {"n": 1}, key="order-7")
        again = await app.start("one", {"n": 1}, key="order-7")
        await finished(app, first.id)
        after = await app.start("one", {"n": 1}, key="order-7")
        assert first.created
        assert (first.id, again.created, after.id, after.created) == (again.id, False, first.id, False)
        assert after.status == "COMPLETED"
        assert len(deed.calls) == 1

    async def test_with_other_inputs_is_a_conflict(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        await app.start("one", {"n": 1}, key="order-7")
        with pytest.raises(Conflict, match="other inputs") as caught:
            await app.start("one", {"n": 2}, key="order-7")
        assert caught.value.code == "start_exists"

    async def test_belongs_to_its_workflow_and_tenant(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        await app.push(chain("two", "echo"))
        await app.views.push(BOB, chain("one", "echo"))
        ids = {(await app.start(name, 1, key="k")).id for name in ("one", "two")}
        ids.add((await app.views.start(BOB, "one", 1, key="k"))["run_id"])
        assert len(ids) == 3

    async def test_a_new_version_changes_nothing_for_a_run_that_is_there(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        first = await app.start("one", 1, key="k")
        await app.push(chain("one", "echo", "echo"))
        assert (await app.start("one", 1, key="k")).id == first.id
        assert (await finished(app, first.id))["version"] == "v1.0"


class TestAnIdOfTheCaller:
    async def test_is_taken(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        assert (await app.start("one", 1, run_id="run_mine1")).id == "run_mine1"
        assert not (await app.start("one", 1, run_id="run_mine1")).created

    async def test_that_another_tenant_uses_tells_nothing_of_that_run(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        await app.views.push(BOB, chain("one", "echo"))
        await app.start("one", 1, run_id="run_mine1")
        with pytest.raises(Conflict):
            await app.views.start(BOB, "one", 1, run_id="run_mine1")

    @pytest.mark.parametrize(
        "given", ["x", "run_", "run_../x", "run_a b", "run_" + "x" * 64, "workflow/default/one", 7]
    )
    async def test_that_is_no_id_is_refused(self, app: App, given: Any) -> None:
        await app.push(chain("one", "echo"))
        with pytest.raises(CallerError):
            await app.start("one", 1, run_id=given)


WRONG: list[dict[str, Any]] = [
    {"mode": "slow"}, {"priority": 1}, {"labels": ["a"]}, {"labels": {"a": 1}},
    {"labels": {str(n): "x" for n in range(33)}}, {"labels": {"a": "x" * 300}}, {"key": {"a": 1}}, {"key": "x" * 300},
    {"tag": 5}, {"key": ""},
]  # fmt: skip


@pytest.mark.parametrize("options", WRONG, ids=lambda options: next(iter(options)))
async def test_options_out_of_bounds_are_refused(app: App, options: dict[str, Any]) -> None:
    await app.push(chain("one", "echo"))
    with pytest.raises(CallerError):
        await app.start("one", 1, **options)


@pytest.mark.parametrize("depth", [17, 0, -1, "2", True])
async def test_a_chain_of_runs_is_at_most_sixteen_deep(app: App, depth: Any) -> None:
    await app.push(chain("one", "echo"))
    verdicts = await app.views.start_many(app.who, [{"inputs": 1, "depth": depth}, {"inputs": 1, "depth": 16}])
    assert verdicts[0]["error"]["problems"][0].path == "/depth"
    assert verdicts[1]["created"]


async def test_many_get_a_verdict_each_in_order(app: App) -> None:
    await app.push(chain("one", "echo", inputs=SCHEMA))
    items: list[Any] = [
        {"workflow": "one", "inputs": {"id": "1"}}, {"workflow": "one", "inputs": {}}, {"workflow": "none"}, 7,
        {"inputs": {"id": "2"}, "key": "k"}, {"inputs": {"id": "2"}, "key": "k"}, {"inputs": {"id": "3"}, "key": "k"},
        {"workflow": ["one"]}, {"workflow": "one", "colour": 1},
    ]  # fmt: skip
    verdicts = await app.views.start_many(app.who, items)
    codes = [verdict.get("error", {}).get("code", verdict.get("created")) for verdict in verdicts]
    assert codes == [
        True,
        "invalid",
        "workflow_not_found",
        "invalid",
        True,
        False,
        "start_exists",
        "invalid",
        "invalid",
    ]
    assert verdicts[4]["run_id"] == verdicts[5]["run_id"]


async def test_a_start_without_a_name_works_when_there_is_one_workflow(app: App) -> None:
    with pytest.raises(CallerError, match="none yet"):
        await app.views.start(app.who, None, 1)
    await app.push(chain("one", "echo"))
    assert (await app.views.start(app.who, None, 1))["created"]
    await app.push(chain("two", "echo"))
    with pytest.raises(CallerError, match="one, two"):
        await app.views.start(app.who, None, 1)


async def test_unknown_names_are_told_what_there_is(app: App) -> None:
    await app.push(chain("one", "echo"))
    with pytest.raises(NotFound, match="workflows here: one"):
        await app.start("two", 1)
    with pytest.raises(NotFound, match="tags: main"):
        await app.start("one", 1, tag="next")


async def test_whoever_only_looks_may_not_start(app: App) -> None:
    await app.push(chain("one", "echo"))
    with pytest.raises(Refused, match="role `run`"):
        await app.views.start(VIEWER, "one", 1)


class TestCancel:
    async def test_stops_the_work_and_counts_no_later_result(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "gated", "echo"))
        run = await app.start("one", 1)
        await deed.begins("a").wait()
        told = await app.views.cancel(app.who, run.id, reason="enough")
        deed.gate("a").set()
        ended = await finished(app, run.id)
        assert (told["status"], told["reason"]) == ("CANCELLED", "enough")
        assert (ended["status"], ended["nodes"]["a"]["state"]) == ("CANCELLED", "cancelled")
        assert [call for call in deed.calls if call[0] == "echo"] == []

    async def test_again_changes_nothing(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "gated"))
        run = await app.start("one", 1)
        await app.views.cancel(app.who, run.id)
        await app.views.cancel(app.who, run.id)
        assert kinds(await app.views.timeline(app.who, run.id)).count("run_finished") == 1

    async def test_of_a_finished_run_is_a_conflict(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        run = await app.start("one", 1)
        await finished(app, run.id)
        with pytest.raises(Conflict) as caught:
            await app.views.cancel(app.who, run.id)
        assert caught.value.code == "run_finished"


class TestTheTimeOfARun:
    async def test_over_fails_it(self, app: App) -> None:
        await app.push(chain("one", "gated", timeout="20ms"))
        run = await finished(app, (await app.start("one", 1)).id)
        assert (run["status"], run["error"]["code"]) == ("FAILED", "run_timeout")

    async def test_kept_leaves_no_timer(self, app: App) -> None:
        await app.push(chain("one", "echo", timeout="1h"))
        run = await finished(app, (await app.start("one", 1)).id)
        assert (run["status"], run["timers"]) == ("COMPLETED", [])
        assert len(app.views.core.journal.timers) == 0


@pytest.mark.parametrize("size", [10, INLINE_MAX - 2, INLINE_MAX - 1, 60_000, ROW_MAX - 2, ROW_MAX - 1, 900_000])
class TestLargeValues:
    async def test_inputs_come_back_whole(self, app: App, size: int) -> None:
        await app.push(chain("one", "echo", "echo"))
        run = await finished(app, (await app.start("one", {"s": "x" * size})).id)
        assert (run["inputs"], run["output"]) == ({"s": "x" * size}, {"s": "x" * size})

    async def test_outputs_come_back_whole_and_decide_branches(self, app: App, size: int) -> None:
        document = {
            "workflow": "big",
            "nodes": {
                "a": fn("sized", input={"n": "inputs.n"}),
                "br": {"kind": "branch"},
                "small": fn(),
                "large": fn(),
            },
            "edges": {
                "e1": {"from": "a", "to": "br"},
                "e2": {"from": "br", "to": "large", "when": "size(nodes.a.output) > 1000"},
                "e3": {"from": "br", "to": "small", "else": True},
            },
        }
        await app.push(document)
        run = await finished(app, (await app.start("big", {"n": size})).id)
        app.views.core.values._kept.clear()  # nothing at hand: all is read back
        again = await app.start("big", {"n": size})
        assert (run["status"], run["output"]) == ("COMPLETED", "x" * size)
        assert run["nodes"]["large" if size > 1_000 else "small"]["state"] == "completed"
        assert (await finished(app, again.id))["output"] == "x" * size
        if size + len('""') <= INLINE_MAX:
            assert run["nodes"]["a"]["output"] == "x" * size
        else:
            assert run["nodes"]["a"]["output"]["$ref"] == f"sha256:{run['nodes']['a']['hash']}"
            blob = await app.views.blob(app.who, run["nodes"]["a"]["hash"])
            assert blob == b'"' + b"x" * size + b'"'


async def test_a_value_that_looks_like_a_reference_is_a_value(app: App) -> None:
    await app.push(chain("one", "echo"))
    secret = await app.start("one", {"s": "x" * 5_000})
    digest = (await finished(app, secret.id))["nodes"]["a"]["hash"]
    for value in ({"$ref": f"sha256:{digest}", "size": 1}, {"$a": 1, "$ref": f"sha256:{digest}"}):
        assert (await finished(app, (await app.start("one", value)).id))["output"] == value
