"""`metric`: reads a live metric when the node runs."""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import Kind, filled

DIMENSIONS_MAX: Final = 16


class MetricConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`window` names a window of the metric (default: its first one) or is a sliding duration, such as `15m`. `by`
    groups by dimensions, `where` fixes dimensions to a value. `metric`, `window` and `where` are filled by `{name}`.
    The output is the answer of `GET /v1/metrics/NAME`: `{value, rows, window, complete, …}`."""

    metric: str
    window: str = ""
    by: Annotated[list[str], msgspec.Meta(max_length=DIMENSIONS_MAX)] = []
    where: dict[str, str] = {}


def check_metric(config: MetricConfig) -> Iterator[Problem]:
    """Checks beyond types: a name, and no duplicate dimension."""
    yield from filled("/metric", config.metric, "the name of the metric")
    for index, name in enumerate(config.by):
        if name in config.by[:index]:
            yield Problem(f"/by/{index}", f"{name} stands twice", "duplicate")
    if len(config.where) > DIMENSIONS_MAX:
        yield Problem("/where", f"at most {DIMENSIONS_MAX} dimensions are fixed", "out_of_range")


METRIC = Kind("metric", MetricConfig, check=check_metric, templates=("metric", "window", "where"))
