"""Whether a topic takes a record: as it is declared, and as the registry says of its data. Asked before each append."""

from collections.abc import Callable, Sequence
from typing import Final

from aob.core.errors import Invalid, Problem
from aob.core.organisation import untaken
from aob.organisation.organisations import Organisations
from aob.ports.log import Record

PROBLEMS_MAX: Final = 100  # of the records of one request

Check = Callable[[str, str, str, bytes], tuple[str, Sequence[str]]]
"""Which subject of the registry speaks of a record's data (tenant, topic, type, JSON), and why the data is not as it
says."""


class Taking:
    """The law of appends to the topics of every tenant."""

    def __init__(self, organisations: Organisations, check: Check) -> None:
        self._tenants, self._check = organisations, check

    def problems(
        self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str, *, declared: bool
    ) -> list[Problem]:  # fmt: skip
        """Why a record may not be appended; `at` is its path. A topic that is not `declared` takes what its schemas
        say."""
        known = self._tenants.of(tenant).topics.get(topic)
        if known is None and declared:
            return [Problem(f"{at}/topic", f"there is no topic {topic[:80]!r}", "topic_not_found",
                            hint="declare it: aob topic create NAME")]  # fmt: skip
        found = list(untaken(known, type, depth, at)) if known is not None else []
        subject, reasons = self._check(tenant, topic, type, data)
        hint = f"aob schema show {subject}"
        return [*found, *(Problem(f"{at}/data", reason, "schema_unmet", hint=hint) for reason in reasons)]

    def refuse(self, tenant: str, topic: str, records: Sequence[Record], *, declared: bool) -> None:
        """Raises Invalid `record_refused` with every reason."""
        problems = [
            each for place, record in enumerate(records)
            for each in self.problems(
                tenant, topic, record.type, bytes(record.data), record.depth, f"/records/{place}", declared=declared
            )
        ]  # fmt: skip
        if problems:
            raise Invalid(f"topic {topic} does not take these records", problems[:PROBLEMS_MAX], code="record_refused")
