"""The rows of the view `metrics`: every metric of a tenant over its first window, in total and by its dimensions."""

from collections.abc import Callable, Mapping
from typing import Final

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError
from aob.core.metric_query import MetricQuery
from aob.ports.serving import MetricReader

ROWS_EACH_MAX: Final = 1_000  # rows of one metric
ROWS_MAX: Final = 20_000


class MetricRows:
    """The loader of the view: call it with a tenant. Omits metrics that cannot be read now."""

    def __init__(self, reader: MetricReader, contracts_of: Callable[[str], ContractSet]) -> None:
        self._reader, self._contracts_of = reader, contracts_of

    async def __call__(self, tenant: str) -> list[Mapping[str, JsonValue]]:
        """Rows by the names of the columns of `METRICS`."""
        rows: list[Mapping[str, JsonValue]] = []
        for contract in self._contracts_of(tenant).newest_metrics():
            by = tuple(contract.dimensions)
            try:
                whole = await self._reader.read_metric(tenant, MetricQuery(contract.name))
                rows.append(_row(whole, {}, whole["value"]))
                if by:
                    parts = await self._reader.read_metric(
                        tenant, MetricQuery(contract.name, by=by, limit=ROWS_EACH_MAX)
                    )
                    rows += [_row(parts, part.get("by", {}), part["value"]) for part in parts.get("rows", ())]
            except AobError:
                continue
            if len(rows) >= ROWS_MAX:
                break
        return rows[:ROWS_MAX]


def _row(answer: JsonObject, by: Mapping[str, str], value: JsonValue) -> Mapping[str, JsonValue]:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return {
        "name": answer["metric"],
        "version": answer["version"],
        "unit": answer["unit"],
        "span": answer["window"]["name"],
        "dimensions": dict(by),
        "value": number,
        "detail": None if number is not None else value,
        "until": answer["window"]["until"],
    }
