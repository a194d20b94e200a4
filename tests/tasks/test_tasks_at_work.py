"""Tasks and plans of an application: by call and by record, once each, with results in the form of seed 002."""

import asyncio
import copy
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec import Raw

import aob
from aob.compose import App
from aob.compose.metrics.families import staged
from aob.core.errors import Conflict, Invalid, NotFound
from aob.core.event import PARTITIONS, partition_of
from aob.core.policy import Caller
from aob.core.value import canonical, decode
from aob.ports.log import Record
from aob.work import WorkError
from aob.work.topic_tasks import PlanContext

Made = Callable[..., Awaitable[Any]]
WAIT = 20_000
REQUEST = {
    "task_id": "unique-task-id", "task_type": "example_task", "parameters": {"input_data": "example input"},
    "metadata": {"request_id": "client-request-id", "timestamp": "2024-01-01T00:00:00Z", "priority": "normal"},
}  # fmt: skip


class Input(msgspec.Struct):
    input_data: str
    times: int = 1


@aob.task("example_task", input=Input, attempts=2, backoff="1ms")
async def example(given: Input) -> dict[str, str]:
    """Repeats what it is given."""
    if given.input_data == "bad":
        raise ValueError("it is bad")
    if given.input_data == "never":
        raise WorkError("not this", code="unfit", transient=False)
    return {"output": given.input_data * given.times}


@asynccontextmanager
async def home(path: Path, *made: Made) -> AsyncIterator[App]:
    async with aob.open(path, app=SimpleNamespace(**{f"made_{n}": each for n, each in enumerate(made)})) as app:
        yield app


async def records(app: App, topic: str, count: int) -> list[Any]:
    """The data of the records of a topic, once there are so many."""
    log, journal = app.shared.topics, app.views.core.journal
    while True:
        bell = journal.bells.next("default", topic)
        found = [each for n in range(PARTITIONS) for each in await log.read("default", topic, n, 0)]
        if len(found) >= count:
            assert len(found) == count
            return [decode(each.record.data) for each in found]
        await bell


async def produce(app: App, topic: str, data: Any, subject: str = "", id: str = "") -> None:
    record = Record(id or f"r-{len(canonical(data))}", "client", "request", "default", subject, Raw(canonical(data)))
    partition = partition_of(subject or record.id, PARTITIONS)
    await app.shared.topics.append("default", topic, partition, [record])


async def test_a_task_by_call_is_done_once_and_told_as_seed_002_says(tmp_path: Path) -> None:
    async with home(tmp_path, example) as app:
        begun = await app.views.submit_task(app.who, {**REQUEST, "customer": "ann"})
        assert (begun["status"], begun["created"], begun["parameters"]) == ("running", True, REQUEST["parameters"])
        told = await app.views.task(app.who, "unique-task-id", WAIT)
        (result,) = await records(app, "task-results", 1)
        assert result["result"] == {
            "data": {"output": "example input"}, "mime_type": "application/json", "size_bytes": 26,
        }  # fmt: skip
        assert (result["task_id"], result["status"], result["customer"]) == ("unique-task-id", "completed", "ann")
        assert set(result["metadata"]) == {"request_id", "execution_time_ms", "timestamp"}
        assert result["metadata"]["timestamp"].endswith("Z")
        assert "error" not in result
        assert {name: told[name] for name in ("result", "status", "metadata", "customer")} == {
            name: result[name] for name in ("result", "status", "metadata", "customer")
        }
        again = await app.views.submit_task(app.who, {**REQUEST, "customer": "ann"})
        assert (again["created"], again["result"]) == (False, result["result"])
        with pytest.raises(Conflict, match="other content"):
            await app.views.submit_task(app.who, {**REQUEST, "customer": "bob"})
        updates = await records(app, "state-updates", 2)
        assert [(each["previous"], each["state"]) for each in updates] == [("", "running"), ("running", "completed")]
        assert [each["event"] for each in await records(app, "execution-events", 2)] == [
            "task.requested", "task.completed",
        ]  # fmt: skip
    async with home(tmp_path, example) as app:
        assert (await app.views.task(app.who, "unique-task-id"))["result"] == result["result"]
        with pytest.raises(NotFound):
            await app.views.task(Caller("other", "bob", frozenset({"view"})), "unique-task-id")


async def test_a_record_gives_the_same_as_a_call_and_what_is_refused_is_a_dead_letter(tmp_path: Path) -> None:
    async with home(tmp_path, example) as app:
        await produce(app, "task-requests", REQUEST, "unique-task-id", "r-1")
        (first,) = await records(app, "task-results", 1)
        await produce(app, "task-requests", REQUEST, "", "r-2")  # its key is another: it goes to where its id belongs
        assert await records(app, "task-results", 2) == [first, first]
        other = {**copy.deepcopy(REQUEST), "parameters": {"input_data": "other"}}
        await produce(app, "task-requests", other, "unique-task-id", "r-3")
        await produce(app, "task-requests", {"task_id": "x"}, "x", "r-4")
        await produce(app, "task-requests", {**REQUEST, "task_id": "y", "task_type": "exampel_task"}, "y", "r-5")
        await produce(app, "task-requests", {**REQUEST, "task_id": "z", "parameters": {"times": 2}}, "z", "r-6")
        letters = await records(app, "dead.task-requests", 4)
        assert {each["record"]: each["code"] for each in letters} == {
            "r-3": "task_exists", "r-4": "bad_request", "r-5": "task_type_unknown", "r-6": "bad_parameters",
        }  # fmt: skip


@pytest.mark.parametrize(("data", "code", "retryable"), [("bad", "exception", True), ("never", "unfit", False)])
async def test_a_failed_task_has_no_data_and_says_whether_another_try_may_help(
    tmp_path: Path, data: str, code: str, retryable: bool
) -> None:
    async with home(tmp_path, example) as app:
        await app.views.submit_task(app.who, {**REQUEST, "parameters": {"input_data": data}})
        told = await app.views.task(app.who, "unique-task-id", WAIT)
        (result,) = await records(app, "task-results", 1)
        assert (result["status"], result["result"]["data"], result["result"]["size_bytes"]) == ("failed", None, 4)
        assert (result["error"]["code"], result["error"]["retryable"]) == (code, retryable)
        assert told["error"] == result["error"]


async def test_a_wrong_request_says_what_is_wrong(tmp_path: Path) -> None:
    async with home(tmp_path, example) as app:
        with pytest.raises(Invalid) as wrong:
            await app.views.submit_task(app.who, {
                "task_id": "", "task_type": "example_task", "parameters": [], "metadata": {"priority": "soon"},
            })  # fmt: skip
        assert [each.path for each in wrong.value.problems] == ["/task_id", "/parameters", "/metadata/priority"]
        with pytest.raises(Invalid) as wrong:
            await app.views.submit_task(app.who, {**REQUEST, "task_type": "exampel_task"})
        assert "example_task" in wrong.value.hint
        with pytest.raises(Invalid) as wrong:
            await app.views.submit_task(app.who, {**REQUEST, "parameters": {"input_data": 7}})
        assert wrong.value.problems[0].path == "/parameters/input_data"


async def test_a_cancelled_task_ends_at_once_and_its_handler_goes_no_further(tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @aob.task("slow")
    async def slow(given: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with home(tmp_path, slow) as app:
        await app.views.submit_task(app.who, {"task_id": "t", "task_type": "slow"})
        await begun.wait()
        told = await app.views.cancel_task(app.who, "t", "not needed")
        assert (told["status"], told["error"]["code"], told["error"]["message"]) == (
            "cancelled", "cancelled", "not needed",
        )  # fmt: skip
        await ended.wait()
        assert (await app.views.cancel_task(app.who, "t"))["status"] == "cancelled"
        (result,) = await records(app, "task-results", 1)
        assert result["status"] == "cancelled"


def plan_of(*rounds: Any) -> Made:
    """A planner whose n-th answer is the n-th of these; what it is shown goes to `shown`."""
    shown: list[PlanContext] = []

    @aob.planner("example_plan", fan_out=3, tasks=5)
    async def plans(context: PlanContext) -> Any:
        shown.append(context)
        return rounds[len(shown) - 1]

    plans.shown = shown  # type: ignore[attr-defined]
    return plans


async def test_a_plan_goes_round_by_round_and_gathers_the_results_of_its_tasks(tmp_path: Path) -> None:
    @aob.task("plain")
    async def plain(given: Any) -> Any:
        return given

    first = {
        "next_task_ids": ["task-1", "plain", "plain#b"],
        "tasks": {"task-1": {"task_type": "example_task", "parameters": {"input_data": "one"}}},
        "metadata": {"confidence": 0.9, "state": "half-way"},
    }
    second = {"next_task_ids": ["task-2"], "tasks": {"task-2": {"task_type": "example_task", "parameters": {
        "input_data": "bad"}}}}  # fmt: skip
    planner: Any = plan_of(first, second, {"next_task_ids": []})
    async with home(tmp_path, example, plain, planner) as app:
        await produce(app, "plan-requests", {
            "plan_id": "unique-plan-id", "plan_type": "example_plan",
            "context": {"previous_results": [], "current_state": "initial"},
            "metadata": {"request_id": "client-request-id", "timestamp": "2024-01-01T00:00:00Z"},
        }, "unique-plan-id")  # fmt: skip
        one, two, last = await records(app, "plan-results", 3)
        assert one["result"]["next_task_ids"] == ["task-1", "plain", "plain#b"]
        assert one["result"]["metadata"] == {"plan_type": "example_plan", "confidence": 0.9, "state": "half-way"}
        assert (one["status"], two["result"]["next_task_ids"], last["result"]["next_task_ids"]) == (
            "completed", ["task-2"], [],
        )  # fmt: skip
        results = last["result"]["task_results"]
        assert [each["status"] for each in results] == ["completed", "completed", "completed", "failed"]
        assert [each["result"]["data"] for each in results] == [{"output": "one"}, {}, {"key": "b"}, None]
        assert (last["status"], last["plan_id"]) == ("completed", "unique-plan-id")
        shown = planner.shown
        assert [each.current_state for each in shown] == ["initial", "half-way", "running"]
        assert [len(each.previous_results) for each in shown] == [0, 3, 1]
        assert shown[1].previous_results == results[:3]
        told = await app.views.plan(app.who, "unique-plan-id")
        assert (told["status"], [each["ended"] for each in told["rounds"]]) == ("completed", [3, 1])
        assert told["result"] == last["result"]
        page = await app.views.tasks(app.who, plan_id="unique-plan-id", status="completed")
        assert {each["task_id"] for each in page["tasks"]} == {"task-1", *one["result"]["task_ids"][1:]}


async def test_an_answer_that_is_no_plan_is_shown_to_the_planner(tmp_path: Path) -> None:
    wrong = {"next_task_ids": ["nothing", "a"], "tasks": {"a": {"task_type": "example_task", "parameters": {}}}}
    many = {"next_task_ids": [f"example_task#{n}" for n in range(4)]}
    planner: Any = plan_of(wrong, many, "nonsense")
    async with home(tmp_path, example, planner) as app:
        await app.views.submit_plan(app.who, {"plan_id": "p", "plan_type": "example_plan"})
        told = await app.views.plan(app.who, "p", WAIT)
        assert (told["status"], told["error"]["code"]) == ("failed", "invalid_plan")
        first, second, third = planner.shown
        assert first.failure is None
        assert [(each["entry"], each["code"]) for each in second.failure["entries"]] == [
            ("nothing", "unknown_entry"), ("a", "bad_parameters"),
        ]  # fmt: skip
        assert (third.failure["code"], third.attempt) == ("fan_out", 3)


async def test_a_task_whose_type_says_so_fails_its_plan_and_the_others_are_cancelled(tmp_path: Path) -> None:
    @aob.task("vital", fail_plan=True, attempts=1)
    async def vital(given: Any) -> None:
        raise ValueError("gone")

    @aob.task("endless")
    async def endless(given: Any) -> None:
        await asyncio.Event().wait()

    planner = plan_of({"next_task_ids": ["endless", "vital"]})
    async with home(tmp_path, vital, endless, planner) as app:
        await app.views.submit_plan(app.who, {"plan_id": "p", "plan_type": "example_plan"})
        told = await app.views.plan(app.who, "p", WAIT)
        assert (told["status"], told["error"]["code"]) == ("failed", "task_failed")
        assert "gone" in told["error"]["message"]
        assert (await app.views.task(app.who, "p.1.0", WAIT))["status"] == "cancelled"


async def test_a_cancelled_plan_takes_its_tasks_along_but_not_those_that_others_asked_for(tmp_path: Path) -> None:
    @aob.task("endless")
    async def endless(given: Any) -> None:
        await asyncio.Event().wait()

    task = {"task_type": "endless", "parameters": {}}
    planner = plan_of({"next_task_ids": ["mine", "theirs"], "tasks": {"mine": task, "theirs": task}})
    async with home(tmp_path, endless, planner) as app:
        await app.views.submit_task(app.who, {"task_id": "theirs", "metadata": {"priority": "normal"}, **task})
        await app.views.submit_plan(app.who, {"plan_id": "p", "plan_type": "example_plan"})
        await records(app, "plan-results", 1)
        assert (await app.views.cancel_plan(app.who, "p", "over"))["status"] == "cancelled"
        assert (await app.views.task(app.who, "mine", WAIT))["status"] == "cancelled"
        assert (await app.views.task(app.who, "theirs"))["status"] == "running"


async def test_a_task_is_over_when_its_deadline_is(tmp_path: Path) -> None:
    @aob.task("late", deadline="20ms")
    async def late(given: Any) -> None:
        await asyncio.Event().wait()

    async with home(tmp_path, late) as app:
        await app.views.submit_task(app.who, {"task_id": "t", "task_type": "late"})
        told = await app.views.task(app.who, "t", WAIT)
        assert (told["status"], told["error"]["code"], told["error"]["retryable"]) == ("failed", "deadline", True)


async def test_what_is_tried_again_is_said_by_a_condition(tmp_path: Path) -> None:
    tried: list[str] = []

    @aob.task("picky", attempts=5, backoff="1ms", retry_on='error.code == "busy" && attempt < 3')
    async def picky(given: Any) -> None:
        tried.append(given["code"])
        raise WorkError("no", code=given["code"])

    async with home(tmp_path, picky) as app:
        for code in ("busy", "broken"):
            await app.views.submit_task(app.who, {"task_id": code, "task_type": "picky", "parameters": {"code": code}})
            await app.views.task(app.who, code, WAIT)
        assert tried == ["busy"] * 3 + ["broken"]


async def test_lists_are_pages_of_a_tenant_newest_first(tmp_path: Path) -> None:
    async with home(tmp_path, example) as app:
        for number in range(5):
            await app.views.submit_task(app.who, {**REQUEST, "task_id": f"t-{number}"})
            await app.views.task(app.who, f"t-{number}", WAIT)
        page = await app.views.tasks(app.who, limit=3)
        rest = await app.views.tasks(app.who, limit=3, cursor=page["next"])
        assert [each["task_id"] for each in (*page["tasks"], *rest["tasks"])] == [f"t-{n}" for n in (4, 3, 2, 1, 0)]
        assert rest["next"] is None
        assert (await app.views.tasks(app.who, type="other"))["tasks"] == []
        assert len((await app.views.tasks(app.who, request_id="client-request-id", limit=2))["tasks"]) == 2
        assert (await app.views.tasks(Caller("other", "bob", frozenset({"view"}))))["tasks"] == []


async def test_the_times_of_tasks_and_plans_are_told_apart(tmp_path: Path) -> None:
    async with home(tmp_path, example, plan_of([])) as app:
        await app.submit(REQUEST)
        await app.submit({**REQUEST, "task_id": "bad", "parameters": {"input_data": "never"}})
        await app.submit({"plan_id": "p", "plan_type": "example_plan"})
        for ends in ({"task_id": "unique-task-id"}, {"task_id": "bad"}, {"plan_id": "p"}):
            await app.finished(**ends)
        told = {each.name: each for each in staged(app.shared.telemetry.stages)}
        counts = {
            name: next(each.value for each in told[name].samples if each.name.endswith("_count"))
            for name in ("aob_task_seconds", "aob_plan_seconds")
        }
        assert counts == {"aob_task_seconds": 2, "aob_plan_seconds": 1}
        assert told["aob_task_not_completed"].samples[0].value == 1


async def test_another_tenant_has_tasks_of_its_own(tmp_path: Path) -> None:
    bob = Caller("other", "bob", frozenset({"run", "view"}))
    async with home(tmp_path, example) as app:
        await app.submit(REQUEST)
        other = {**REQUEST, "parameters": {"input_data": "his"}}
        assert (await app.views.submit_task(bob, other))["created"]
        told = await app.views.task(bob, "unique-task-id", WAIT)
        assert told["result"]["data"] == {"output": "his"}
        assert (await app.finished(task_id="unique-task-id"))["result"]["data"] == {"output": "example input"}


@pytest.mark.every_store
async def test_in_a_home_of_several_shards_each_task_is_where_its_id_is(tmp_path: Path) -> None:
    @aob.task("plain")
    async def plain(given: Any) -> Any:
        return given

    several = plan_of({"next_task_ids": [f"plain#{n}" for n in range(3)]}, [])
    settings: dict[str, Any] = {} if os.environ.get("AOB_STORE") else {"shards": 3, "processes": "one"}
    async with aob.open(tmp_path, app=[example, plain, several], **settings) as app:
        for number in range(6):
            await app.submit({**REQUEST, "task_id": f"t-{number}"})
        await app.submit({"plan_id": "p", "plan_type": "example_plan"})
        for number in range(6):
            assert (await app.finished(task_id=f"t-{number}"))["status"] == "completed"
        plan = await app.finished(plan_id="p")
        assert [each["result"]["data"] for each in plan["result"]["task_results"]] == [
            {"key": str(n)} for n in range(3)
        ]
        first = await app.views.tasks(app.who, type="example_task", limit=4)
        rest = await app.views.tasks(app.who, type="example_task", limit=4, cursor=first["next"])
        assert sorted(each["task_id"] for each in (*first["tasks"], *rest["tasks"])) == [f"t-{n}" for n in range(6)]
        with pytest.raises(Conflict):
            await app.views.cancel_task(app.who, "t-0")
    async with aob.open(tmp_path, app=[example, plain, several], **settings) as app:
        for number in range(6):  # whoever has its partition now knows it
            assert not (await app.views.submit_task(app.who, {**REQUEST, "task_id": f"t-{number}"}))["created"]
            with pytest.raises(Conflict, match="has ended"):
                await app.views.cancel_task(app.who, f"t-{number}")
        assert (await app.views.plan(app.who, "p"))["result"] == plan["result"]
