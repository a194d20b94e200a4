"""The metrics layer of a home and its organisation as one object: each verb is its room's own function."""

from collections.abc import Callable
from typing import Any

from aob.core.answers import JsonObject
from aob.core.verb import having
from aob.core.verbs import TABLE
from aob.gate import Ingest
from aob.metrics.live import Answers, Live, Streams


class Metrics:
    """Verbs of events, numbers and the organisation, by their names in the verb table."""

    def __init__(
        self, live: Live, gate: Ingest, answers: Answers, streams: Streams, health: Callable[[], JsonObject],
        *rooms: object,
    ) -> None:  # fmt: skip
        self.live, self.gate, self.answers, self.streams, self._health = live, gate, answers, streams, health
        for name, room in having((verb.name for verb in TABLE), gate, answers, streams, *rooms).items():
            setattr(self, name, getattr(room, name))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the metrics layer has no {name}")

    async def metrics_health(self) -> JsonObject:
        """Counts of the gate, rows, lag, watermarks, dedup horizon, serving; summed over all tenants."""
        return self._health()
