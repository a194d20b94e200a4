"""What is attached to several processes, put together: a worker that serves all of them is one worker."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aob.compose.workers import all_fronts, all_queues, all_workers
from aob.core.attached import AttachedWorker, FrontStatus, QueueStatus


def worker(name: str = "w1", **other: Any) -> AttachedWorker:
    found: Any = {"name": name, "tenant": "default", "build": "b1", "handlers": ["pay"], "labels": {}, "slots": 4,
                  "jobs": 1, "done": 2, "state": "attached", **other}  # fmt: skip
    return found


def queue(handler: str = "pay", **other: Any) -> QueueStatus:
    found: Any = {"handler": handler, "build": "", "labels": {}, "waiting": 3, "oldest_s": 1.5, **other}
    return found


def front(process: str, **other: Any) -> FrontStatus:
    found: Any = {"name": "a", "roles": ["api"], "process": process, "release": "1", "links": 1, **other}
    return found


def test_a_worker_of_several_processes_has_its_slots_once_and_the_jobs_of_each() -> None:
    told = [worker(), worker(handlers=["ship"], jobs=2, done=5, state="away"), worker("w2", state="draining")]
    assert all_workers(told) == [
        worker(handlers=["pay", "ship"], jobs=3, done=7), worker("w2", state="draining"),
    ]  # fmt: skip
    assert told[0]["jobs"] == 1, "what was given stays"


def test_jobs_of_one_lane_wait_together_as_long_as_the_oldest() -> None:
    told = [queue(), queue(waiting=4, oldest_s=9.0), queue(labels={"gpu": "yes"})]
    assert all_queues(told) == [queue(waiting=7, oldest_s=9.0), queue(labels={"gpu": "yes"})]


def test_an_api_with_links_to_several_is_one() -> None:
    told = [front("m 1"), front("m 2"), front("m 1"), front("m 1", roles=["fanout"])]
    assert [(each["process"], each["roles"], each["links"]) for each in all_fronts(told)] == [
        ("m 1", ["api"], 2), ("m 2", ["api"], 1), ("m 1", ["fanout"], 1),
    ]  # fmt: skip


@given(st.lists(st.builds(worker, st.sampled_from("abc"), jobs=st.integers(0, 9))), st.randoms())
def test_the_order_in_which_processes_answer_changes_no_sum(told: list[AttachedWorker], dice: Any) -> None:
    other = list(told)
    dice.shuffle(other)
    assert all_workers(told) == all_workers(other)
    assert sum(each["jobs"] for each in all_workers(told)) == sum(each["jobs"] for each in told)
