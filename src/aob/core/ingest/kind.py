"""Compiles one version of an event type into functions over its events: rules, subject and enrichments. Pure."""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import UNSET

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract
from aob.core.expression.library import Value
from aob.core.ingest import judge
from aob.core.ingest.enrich import BUILTIN, Enrichment
from aob.core.ingest.envelope import Form, form_of
from aob.core.ingest.lookup import Known, looking, subject_of
from aob.core.ingest.reading import passes, reader

Finish = Callable[[Value], bool]


class Kind:
    """The compiled form of one version of an event type."""

    def __init__(self, form: Form, enrichments: Mapping[str, Enrichment], known: Known | None = None) -> None:
        contract, shape = form.contract, form.shape
        self.form = form
        self.decode: Callable[[bytes], Value] = msgspec.json.Decoder(form.event).decode
        self.subject = subject_of(reader(contract.subject, contract, enrichments)) if contract.subject else None
        self.enrich = tuple(enrichments[name].run for name in contract.enrich)
        self.looks = tuple(looking(each, contract, enrichments, known) for each in contract.lookup.values())
        self.finish = self._finish(shape.rest, shape.whole, passes(contract, enrichments))
        self.enriches = self._enriches() if form.enriched is not None else None

    def _finish(
        self, rest: Sequence[tuple[str, Value]], whole: bool, keeps: Callable[[Event], bool] | None
    ) -> Finish | None:
        checks = [(name, judge.checker(schema).is_valid) for name, schema in rest]
        valid = judge.checker(self.form.contract.schema).is_valid if whole else None
        subject, open_ = self.subject, self.form.shape.open
        if subject is None and valid is None and not checks and not open_:
            return keeps

        def finish(event: Value) -> bool:
            if valid is not None and not valid(event.data):
                return False
            if open_ and judge.big_integer(msgspec.to_builtins(event.data)) is not None:
                return False
            for attribute, check in checks:
                value = getattr(event.data, attribute)
                if value is not UNSET and not check(value):
                    return False
            if keeps is not None and not keeps(event):
                return False
            if subject is not None and not event.subject:
                event.subject = subject(event)
            return True

        return finish

    def _enriches(self) -> Callable[[Value], None]:
        enrich, enriched, looks = self.enrich, self.form.enriched, self.looks

        def enriches(event: Value) -> None:
            data = event.data
            event.enriched = enriched(*[run(data) for run in enrich], *[look(event) for look in looks])

        return enriches

    def add(self, event: Value) -> None:
        """Set the subject and the enrichments of an event."""
        self.name(event)
        if self.enriches is not None:
            self.enriches(event)

    def name(self, event: Value) -> None:
        """Set the subject by the contract, unless the event has one."""
        if self.subject is not None and not event.subject:
            event.subject = self.subject(event)


def maker_of(contract: EventContract) -> Callable[[Mapping[str, Value], int], Event]:
    """A factory of events that bypass the gate, from data (ValidationError if it does not fit) and a time."""
    kind = Kind(form_of(contract, newest=True), BUILTIN)
    whole, data_type = kind.form.event, kind.form.shape.type
    plain = kind.subject is None and kind.form.enriched is None

    def make(data: Mapping[str, Value], at_ms: int) -> Event:
        made: Value = whole(id="-", source="-", data=msgspec.convert(data, data_type), at_ms=at_ms)
        if not plain:
            kind.add(made)
        event: Event = made
        return event

    return make
