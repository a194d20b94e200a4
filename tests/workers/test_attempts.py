"""What a worker says counts for the attempt that it has, and for no other of the same visit: requests, results, jobs
that it gives back, what it presents when it comes back. Without a connection."""

import asyncio
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from aob.core.policy import Caller
from aob.core.value import Ref
from aob.ports.workers import Job, Lane, Result
from aob.rpc import worker_pb2 as pb
from aob.testing.conformance.workers import job
from aob.work import Facts
from aob.work.job import Intended
from aob.work.remote import Guard, Hub, Requests, Sending, job_of
from aob.work.remote.worker import Worker
from tests.workers.client import handler, hello

HANDLERS = [handler("work", "none")]
RUN, VISIT = "run_1", "a"
ASKS: dict[str, Callable[..., pb.WorkerItem]] = {
    "beat": lambda **of: pb.WorkerItem(beat=pb.Beat(**of, checkpoint=b"7")),
    "intend": lambda **of: pb.WorkerItem(intend=pb.Intend(**of, kind="pay", what=b"{}", count=1)),
    "settle": lambda **of: pb.WorkerItem(settle=pb.Settle(**of, number=1, result=b"1")),
    "propose": lambda **of: pb.WorkerItem(propose=pb.Propose(**of, number=1, operations=b"[]")),
    "graph": lambda **of: pb.WorkerItem(graph=pb.Graph(**of)),
}


class Line:
    """A stream of a worker: what was sent on it."""

    behind = False

    def __init__(self) -> None:
        self.sent = list[pb.ServerItem]()

    def put(self, item: pb.ServerItem) -> None:
        self.sent.append(item)

    def end(self, error: Exception) -> None:
        """The tests look at what was said before."""

    def said(self, *what: str) -> list[tuple[str, int]]:
        """The items of these kinds and their attempts, in order; said once."""
        told = [(name, item) for item in self.sent if (name := item.WhichOneof("item")) in what]
        self.sent = []
        return [(name, getattr(item, name).attempt) for name, item in told]


class Desk:
    """A hub with one owner of runs, which commits nothing by itself."""

    def __init__(self) -> None:
        self.reported, self.did = list[tuple[int, Result]](), list[str]()
        self.guard = Guard(self.context, lambda job: None)
        self.hub = Hub(Sending(self.put, lambda work: None), Facts({}))
        self.hub.owners.append(self)
        self.requests = Requests(self.hub, self.fetch, self.put)

    async def put(self, tenant: str, data: bytes) -> Ref:
        raise AssertionError("nothing is large")

    async def fetch(self, tenant: str, digest: bytes) -> bytes:
        raise AssertionError("nothing is large")

    def context(self, job: Job) -> Any:
        async def did(*given: Any, **named: Any) -> Any:
            self.did.append(f"{job.visit} {job.attempt}")
            return Intended(True, None, 1)

        return SimpleNamespace(
            heartbeat=did, intend=did, settle=did, propose=did, graph=did,
            log=lambda message, **fields: self.did.append(message),
        )  # fmt: skip

    def report(self, job: Job, result: Result) -> None:
        self.reported.append((job.attempt, result))

    def stands(self, run: str, visit: str, attempt: int, tenant: str) -> bool:
        return False

    def lane_of(self, job: Job) -> Lane:
        return Lane(job.task.config.handler)

    async def pin(self, job: Job, build: str) -> None:
        raise AssertionError("nothing is pinned")

    def look(self) -> None:
        """Nothing waits here."""

    def parked(self) -> Iterable[Any]:
        return []

    def worker(
        self, name: str = "w", jobs: int = 1, slots: int = 8, held: Iterable[pb.Held] = ()
    ) -> tuple[Worker, Line]:
        """A worker that wants jobs."""
        line = Line()
        who = Caller("acme", name, frozenset({"work"}), "key_1")
        worker = self.hub.attach(hello(name, handlers=HANDLERS, slots=slots, held=list(held)).hello, who, line)
        if jobs:
            self.says(worker, pb.WorkerItem(want=pb.Want(jobs=jobs)))
        return worker, line

    def says(self, worker: Worker, *items: pb.WorkerItem) -> None:
        """A frame of a worker."""
        self.requests.take(worker, pb.WorkerFrame(items=items))


def of(attempt: int, visit: str = VISIT) -> dict[str, Any]:
    return {"run": RUN, "visit": visit, "attempt": attempt}


def done(attempt: int, visit: str = VISIT) -> pb.WorkerItem:
    return pb.WorkerItem(done=pb.Done(**of(attempt, visit), output=b"1"))


async def turns(desk: Desk) -> None:
    """Until what was said has been heeded."""
    for _ in range(5):
        await asyncio.sleep(0)
    await asyncio.gather(*desk.requests._tasks)


@pytest.fixture
def desk() -> Any:
    made = Desk()
    yield made
    made.hub.stop()


async def given(desk: Desk, attempt: int = 2, name: str = "w") -> tuple[Worker, Line]:
    """A worker that was given an attempt."""
    worker, line = desk.worker(name)
    desk.hub.submit(job(attempt=attempt), desk)
    await turns(desk)
    assert line.said("job") == [("job", attempt)]
    return worker, line


@pytest.mark.parametrize("what", ASKS)
@pytest.mark.parametrize("attempt", [1, 3])
async def test_a_request_of_another_attempt_than_its_worker_has_is_refused_and_does_nothing(
    desk: Desk, what: str, attempt: int
) -> None:
    worker, line = await given(desk)
    desk.says(worker, ASKS[what](**of(attempt), ask=1))
    await turns(desk)
    assert [item.refused.code for item in line.sent] == ["token_gone"]
    assert (line.said("refused"), desk.did) == ([("refused", attempt)], [])
    desk.says(worker, ASKS[what](**of(2), ask=2))
    await turns(desk)
    assert desk.did == ["a 2"]
    (answer,) = line.sent
    assert getattr(answer, str(answer.WhichOneof("item"))).attempt == 2


async def test_what_it_presents_of_one_attempt_lets_it_ask_for_that_one_only(desk: Desk) -> None:
    worker, _ = await given(desk)
    desk.hub.detached(worker, worker.line, in_order=False)  # type: ignore[arg-type]
    again, line = desk.worker(held=[pb.Held(**of(2)), pb.Held(**of(1))])
    assert sorted(line.said("keep", "drop")) == [("drop", 1), ("keep", 2)]
    desk.says(again, ASKS["intend"](**of(1), ask=1), ASKS["intend"](**of(2), ask=2))
    await turns(desk)
    assert sorted(line.said("refused", "granted")) == [("granted", 2), ("refused", 1)]
    assert desk.did == ["a 2"]


async def test_lines_and_beats_of_another_attempt_are_not_heard(desk: Desk) -> None:
    worker, line = await given(desk)
    for attempt in (1, 3, 2):
        desk.says(worker, pb.WorkerItem(log=pb.Log(**of(attempt), message=f"line of {attempt}")))
        desk.says(worker, pb.WorkerItem(beat=pb.Beat(**of(attempt))))
    await turns(desk)
    assert (desk.did, line.sent) == (["line of 2"], [])


@pytest.mark.parametrize("says", [done, lambda attempt: pb.WorkerItem(fail=pb.Fail(**of(attempt), code="no"))])
@pytest.mark.parametrize("attempt", [1, 3])
async def test_a_result_of_another_attempt_need_not_be_kept_and_ends_nothing(
    desk: Desk, says: Callable[[int], pb.WorkerItem], attempt: int
) -> None:
    worker, line = await given(desk)
    desk.says(worker, says(attempt))
    assert (line.said("ack"), desk.reported) == ([("ack", attempt)], [])
    desk.says(worker, done(2))
    assert [attempt for attempt, _ in desk.reported] == [2]


async def test_a_result_is_acknowledged_once_it_is_committed_and_not_before(desk: Desk) -> None:
    worker, line = await given(desk)
    desk.says(worker, done(2))
    desk.says(worker, done(2))
    await turns(desk)
    assert (line.said("ack"), len(desk.reported)) == ([], 1)
    desk.says(worker, done(1))
    assert line.said("ack") == [("ack", 1)], "another attempt is nobody's"
    desk.hub.committed(RUN, [VISIT])
    assert line.said("ack") == [("ack", 2)]


async def test_a_worker_that_presents_a_result_which_is_not_committed_keeps_that_one_and_no_other(desk: Desk) -> None:
    worker, _ = await given(desk)
    desk.says(worker, done(2))
    for attempt, ended, told in ((1, True, "drop"), (3, True, "drop"), (2, False, "drop"), (2, True, "keep")):
        _, line = desk.worker(held=[pb.Held(**of(attempt), done=ended)], jobs=0)
        assert line.said("keep", "drop") == [(told, attempt)]
    _, other = desk.worker("other", held=[pb.Held(**of(2), done=True)], jobs=0)
    assert other.said("keep", "drop") == [("drop", 2)], "it is not its result"


async def test_a_job_that_is_given_back_goes_to_another_as_the_same_attempt_and_not_to_the_same_worker(
    desk: Desk,
) -> None:
    worker, line = await given(desk)
    desk.says(worker, pb.WorkerItem(decline=pb.Decline(**of(1))))
    assert (line.said("ack"), len(worker.leases)) == ([("ack", 1)], 1), "that one it does not have"
    desk.says(worker, pb.WorkerItem(want=pb.Want(jobs=1)), pb.WorkerItem(decline=pb.Decline(**of(2))))
    await turns(desk)
    assert line.said("ack", "job") == [("ack", 2)]
    _, other = desk.worker("other")
    await turns(desk)
    assert (other.said("job"), desk.reported) == ([("job", 2)], [])


@pytest.mark.parametrize(
    ("slots", "wants", "jobs"), [(3, (2, 2, 2), 3), (8, (1, 1), 2), (8, (), 0), (3, (2**32 - 1,), 3)]
)
async def test_a_worker_gets_as_many_jobs_as_it_wants_and_never_more_than_it_has_slots(
    desk: Desk, slots: int, wants: tuple[int, ...], jobs: int
) -> None:
    worker, line = desk.worker(jobs=0, slots=slots)
    for number in range(10):
        desk.hub.submit(job(visit=f"v{number}"), desk)
    desk.says(worker, *(pb.WorkerItem(want=pb.Want(jobs=each)) for each in wants))
    await turns(desk)
    assert len(line.said("job")) == jobs
    await turns(desk)
    assert line.said("job") == [], "what it had wanted is given"


async def test_a_worker_that_drains_gets_no_job_whatever_it_wants(desk: Desk) -> None:
    worker, line = desk.worker()
    desk.says(worker, pb.WorkerItem(draining=pb.Draining()), pb.WorkerItem(want=pb.Want(jobs=4)))
    desk.hub.submit(job(), desk)
    await turns(desk)
    assert (line.said("job"), worker.credit) == ([], 0)


@pytest.mark.parametrize("trace", ["", f"00-{'1' * 32}-{'2' * 16}-01"])
async def test_a_job_takes_its_trace_along_and_the_rest_of_what_it_needs(desk: Desk, trace: str) -> None:
    _, line = desk.worker()
    given = job(attempt=3, value={"n": 1})
    given.trace = trace
    desk.hub.submit(given, desk)
    await turns(desk)
    (sent,) = (item.job for item in line.sent if item.WhichOneof("item") == "job")
    assert sent.traceparent == trace
    made = job_of(sent, sent.input, sent.resume)
    told = ("run", "visit", "attempt", "input", "key", "tenant", "mode", "priority", "depth", "resume", "trace")
    assert [getattr(made, name) for name in told] == [getattr(given, name) for name in told]
