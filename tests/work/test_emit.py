"""Events of runs: what they carry, that a visit makes one whatever its attempts, and what becomes of a full log."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.backends.memory.log import MemoryLog
from aob.core.errors import AobError, Busy, CallerError, Unavailable
from aob.core.event import Position, partition_of
from aob.core.value import decode
from aob.ports.log import Appended, Logged, Record
from aob.ports.workers import Job
from aob.work import WorkError
from aob.work.kinds import emit
from tests.work.jobs import Asked, job_of, node_of, tools_of

CONFIG = {"topic": "orders", "type": "order.{verb}", "subject": "order-{id}", "data": {"order": "{id}", "by": "us"}}
INPUT = {"verb": "placed", "id": 7}


def emits(config: dict[str, Any] | None = None, value: Any = None, *, depth: int = 1, **more: Any) -> Job:
    job = {name: more.pop(name) for name in ("run", "visit", "attempt", "tenant") if name in more}
    made = job_of(node_of("emit", config or CONFIG, **more), INPUT if value is None else value, **job)
    made.depth = depth
    return made


async def performed(job: Job, log: Any) -> Any:
    return await emit.perform(job, Asked(job), tools_of(log=log))


async def found(log: MemoryLog, subject: str = "order-7") -> list[Logged]:
    return await log.read("acme", "orders", partition_of(subject, 64), 0)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(lambda: 1_700_000_000_000)


async def test_the_event_says_what_where_from_and_why(log: MemoryLog) -> None:
    output = await performed(emits(depth=3, visit="each[3]/tell"), log)
    (logged,) = await found(log)
    record = logged.record
    assert (record.type, record.subject, record.tenant) == ("order.placed", "order-7", "acme")
    assert decode(record.data) == {"order": 7, "by": "us"}
    assert (record.correlationid, record.causationid, record.depth) == ("run_1", "run_1/each[3]/tell", 3)
    assert (record.source, record.time) == ("/v1/runs/run_1", "2023-11-14T22:13:20.000Z")
    assert output == {"id": record.id, "topic": "orders", "position": output["position"]}
    assert Position.parse(output["position"]).rows == ((partition_of("order-7", 64), 0),)


async def test_without_data_the_input_is_the_data_and_without_a_subject_the_run_is(log: MemoryLog) -> None:
    await performed(emits({"topic": "orders", "type": "seen"}, [1, {"a": None}]), log)
    (logged,) = await found(log, "run_1")
    assert decode(logged.record.data) == [1, {"a": None}]
    assert logged.record.subject == "run_1"


async def test_a_second_attempt_is_recognised_and_answers_the_same(log: MemoryLog) -> None:
    first = await performed(emits(attempt=1), log)
    await performed(emits(visit="other"), log)
    assert await performed(emits(attempt=2), log) == first
    assert len(await found(log)) == 2


async def test_visits_and_tenants_have_events_of_their_own(log: MemoryLog) -> None:
    told = [await performed(emits(**who), log) for who in ({}, {"visit": "b"}, {"run": "run_2"}, {"tenant": "else"})]
    assert len({each["id"] for each in told[:3]}) == 3
    place = "orders", partition_of("order-7", 64), 0
    assert [len(await log.read(tenant, *place)) for tenant in ("acme", "else")] == [3, 1]


@pytest.mark.parametrize("verb", ["a\nb", "\x00"])
async def test_a_type_that_cannot_be_one_is_refused_for_good(log: MemoryLog, verb: str) -> None:
    with pytest.raises(WorkError) as refused:
        await performed(emits(value={"verb": verb, "id": 1}), log)
    assert (refused.value.fault.code, refused.value.fault.transient) == ("event_invalid", False)


class Broken(MemoryLog):
    """A log that refuses."""

    def __init__(self, error: AobError) -> None:
        super().__init__(lambda: 0)
        self._error = error

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        raise self._error


@pytest.mark.parametrize(("error", "transient"), [
    (Unavailable("full", code="disk_full"), True), (Busy("full"), True), (CallerError("no", code="bad_topic"), False),
])  # fmt: skip
async def test_what_may_pass_is_tried_again_and_the_rest_is_not(error: AobError, transient: bool) -> None:
    with pytest.raises(WorkError) as failed:
        await performed(emits(), Broken(error))
    fault = failed.value.fault
    assert (fault.code, fault.transient, fault.detail) == (error.code, transient, {"sent": False})


async def test_an_event_that_is_said_to_be_once_is_intended_first(log: MemoryLog) -> None:
    job = emits(effect="once")
    ctx = Asked(job)
    output = await emit.perform(job, ctx, tools_of(log=log))
    assert [name for name, _ in ctx.asked] == ["intend emit", "settle"]
    assert ctx.asked[-1][1] == output


async def test_a_run_of_a_home_leaves_its_event_in_the_shard_of_its_partition(tmp_path: Path) -> None:
    document = {
        "workflow": "tell",
        "nodes": {
            "say": {"kind": "emit", "config": {"topic": "orders", "type": "order.seen", "subject": "{id}"},
                    "input": {"id": "inputs.id"}},
        },
        "edges": {},
    }  # fmt: skip
    async with aob.open(tmp_path) as app:
        await app.push(document)
        told = await (await app.start("tell", {"id": "o1"})).done()
    assert told["status"] == "COMPLETED"
    with sqlite3.connect(tmp_path / "shard-0.db") as sql:
        rows = sql.execute("select topic, id, subject, tenant, correlationid, data from topic_records").fetchall()
    sql.close()
    output = told["nodes"]["say"]["output"]
    data = msgspec.json.encode({"id": "o1"}).decode()
    assert rows == [("orders", output["id"], "o1", "default", told["run_id"], data)]
