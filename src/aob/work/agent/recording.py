"""Decision records, as the commits of results append them. Pure."""

from typing import Protocol

from aob.core.answers import JsonObject
from aob.core.decision import TOPIC, Maker, decision_record, partition_in
from aob.core.value import Cell
from aob.ports.log import Record


class Settled(Protocol):
    """The result of an intent, as a command says it."""

    @property
    def usage(self) -> JsonObject | None:
        """What it has spent."""

    @property
    def result(self) -> Cell:
        """The result or error, or where it is."""

    @property
    def failed(self) -> bool:
        """Whether it is an error."""


def recorded(maker: Maker, settled: Settled, tenant: str, partitions: int) -> list[tuple[str, int, Record]]:
    """The topic, the partition of who has decided, and the record of a call of a model; none of another effect."""
    made = decision_record(maker, settled.usage, settled.result, settled.failed, partitions)
    if made is None:
        return []
    return [(TOPIC, partition_in(made.id) or 0, Record(*made.fields(tenant)))]
