"""Numbers that workflows read: what is asked, in whose tenant, and what becomes of what cannot be answered."""

from typing import Any

import pytest

from aob.core.errors import AobError, Busy, NotFound, TooLarge, Unavailable
from aob.core.metric_query import MetricQuery
from aob.work import WorkError
from aob.work.kinds import metric
from tests.work.jobs import Asked, job_of, node_of, tools_of


class Numbers:
    """A reader that answers, or raises."""

    def __init__(self, error: AobError | None = None) -> None:
        self.error, self.asked = error, list[tuple[str, MetricQuery]]()

    async def read_metric(self, tenant: str, query: MetricQuery) -> dict[str, Any]:
        self.asked.append((tenant, query))
        if self.error is not None:
            raise self.error
        return {"metric": query.metric, "value": 0.25}


async def performed(config: dict[str, Any], value: Any, numbers: Numbers | None) -> Any:
    job = job_of(node_of("metric", config), value)
    return await metric.perform(job, Asked(job), tools_of(metrics=numbers))


async def test_the_question_is_filled_from_the_input_and_the_answer_is_the_output() -> None:
    numbers = Numbers()
    config = {"metric": "{what}_rate", "window": "{span}", "by": ["region"], "where": {"shop": "{shop}", "kind": "a"}}
    output = await performed(config, {"what": "refund", "span": "15m", "shop": 7}, numbers)
    assert output == {"metric": "refund_rate", "value": 0.25}
    query = MetricQuery("refund_rate", "15m", by=("region",), where={"shop": "7", "kind": "a"})
    assert numbers.asked == [("acme", query)]


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (NotFound("no", code="metric_not_found"), False),
        (TooLarge("much", code="scan_too_large"), False),
        (Busy("full"), True),
        (Unavailable("away"), True),
    ],
)
async def test_what_cannot_be_answered_says_whether_it_may_be_later(error: AobError, transient: bool) -> None:
    with pytest.raises(WorkError) as failed:
        await performed({"metric": "orders"}, {}, Numbers(error))
    assert (failed.value.fault.code, failed.value.fault.transient) == (error.code, transient)


async def test_a_process_without_numbers_says_so() -> None:
    with pytest.raises(WorkError) as failed:
        await performed({"metric": "orders"}, {}, None)
    assert (failed.value.fault.code, failed.value.fault.transient) == ("metrics_absent", False)
