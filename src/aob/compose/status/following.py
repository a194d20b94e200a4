"""Who reads the event log and the journals, and how far behind each is."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from aob.compose.metrics import Wiring
from aob.core.errors import AobError
from aob.core.metric_query import MetricQuery
from aob.core.status import FollowerStatus, LogStatus, StageStatus

COUNTS = {"starts": "runs_started", "steps": "nodes_finished"}
"""Sums of all tenants, by the metric of the platform that has them."""


class Following:
    """What the process that has the numbers knows of them."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    async def log(self) -> LogStatus:
        """The event log and its readers. The log does not answer: then its rows are those that were folded."""
        live, figures = self._wiring.live, self._wiring.figures()
        folded = sum(live.at)
        told: LogStatus = {
            "status": str(figures["status"]), "partitions": len(live.at), "rows": folded,
            "waiting_bytes": int(figures["gate"]["waiting_bytes"]), "followers": [],
        }  # fmt: skip
        if figures.get("detail"):
            told["detail"] = str(figures["detail"])
        try:
            told["rows"] = max(folded, sum(await self._wiring.log.last_rows()))
        except AobError as error:
            told["status"], told["detail"] = error.code, error.detail
        told["followers"] = [
            {"name": "metrics", "behind": told["rows"] - folded, "of": "rows"},
            {"name": "snapshot of metrics", "behind": folded - live.keeping.saved_row, "of": "rows"},
            self._webhooks(),
        ]
        return told

    def _webhooks(self) -> FollowerStatus:
        views = self._wiring.webhooks.every()
        told: FollowerStatus = {"name": "webhooks", "behind": sum(each["waiting"] for each in views), "of": "messages"}
        codes = Counter(each["waits_for"].partition(":")[0] for each in views if each.get("waits_for"))
        if codes:
            told["waits_for"] = dict(codes)
        return told

    def uncounted(self, shard: int, row: int) -> int:
        """The journal rows of a shard that the numbers of runs do not have yet."""
        return max(0, row - self._wiring.platform.place(shard)[0])

    def counts(self) -> dict[str, int]:
        """Starts, steps and events, over all tenants."""
        tenants = self._wiring.live.tenants
        found = dict.fromkeys((*COUNTS, "events"), 0)
        for tenant, numbers in list(tenants.items()):
            found["events"] += numbers.accepted
            for name, metric in COUNTS.items():
                with suppress(AobError):  # it is being filled
                    value = self._wiring.answers.read_now(tenant, MetricQuery(metric, window="all")).get("value")
                    found[name] += int(value or 0)
        return found

    def stages(self) -> Mapping[str, StageStatus]:
        """How long each stage took since the start."""
        return {
            name: {"count": each.count, "units": each.units, "errors": each.errors,
                   "seconds": round(each.seconds, 6), "buckets": list(each.buckets)}
            for name, each in self._wiring.telemetry.stages.items() if each.count
        }  # fmt: skip
