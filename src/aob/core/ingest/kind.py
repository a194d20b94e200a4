"""Compiles one version of an event type into functions over its events: rules, subject, enrichments, lookups. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, Lookup
from aob.core.expression import EvalError, string_of
from aob.core.expression.library import Value
from aob.core.ingest import judge
from aob.core.ingest.enrich import BUILTIN
from aob.core.ingest.envelope import Form, form_of
from aob.core.ingest.reading import passes, reader
from aob.core.value import canonical

Finish = Callable[[Value], bool]
Known = Callable[[str, str], Mapping[str, Value]]
"""The current state of an entity by its type and id; empty for an unknown one."""
LOOKUP_CHARS_MAX: Final = 256  # characters of a value joined to an event


class Kind:
    """The compiled form of one version of an event type."""

    def __init__(self, form: Form, known: Known | None = None) -> None:
        contract, shape = form.contract, form.shape
        self.form = form
        self.decode: Callable[[bytes], Value] = msgspec.json.Decoder(form.event).decode
        self.subject = _subject(reader(contract.subject, contract)) if contract.subject else None
        self.enrich = tuple(BUILTIN[name].run for name in contract.enrich)
        self.looks = tuple(_looking(each, reader(each.key, contract), known) for each in contract.lookup.values())
        self.finish = self._finish(shape.rest, shape.whole, passes(contract))
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


def _looking(lookup: Lookup, read: Callable[[Event], Value], known: Known | None) -> Callable[[Event], str]:
    """The current value of an entity's field, as text, to join to an event. Keys are texts as of CEL's `string()`; a
    key without text finds nothing."""

    def look(event: Event) -> str:
        try:
            key = string_of(read(event))
        except EvalError:
            return lookup.default
        value = known(lookup.entity, key).get(lookup.field) if known is not None else None
        if value is None:
            return lookup.default
        return (value if isinstance(value, str) else canonical(value).decode())[:LOOKUP_CHARS_MAX]

    return look


def _subject(read: Callable[[Event], Value]) -> Callable[[Event], str]:
    """The text of a subject; empty when there is none."""

    def subject(event: Event) -> str:
        try:
            value = read(event)
            return value if value.__class__ is str else string_of(value)
        except EvalError:
            return ""

    return subject


def maker_of(contract: EventContract) -> Callable[[Mapping[str, Value], int], Event]:
    """A factory of events that bypass the gate, from data (ValidationError if it does not fit) and a time."""
    kind = Kind(form_of(contract, newest=True))
    whole, data_type = kind.form.event, kind.form.shape.type
    plain = kind.subject is None and kind.form.enriched is None

    def make(data: Mapping[str, Value], at_ms: int) -> Event:
        made: Value = whole(id="-", source="-", data=msgspec.convert(data, data_type), at_ms=at_ms)
        if not plain:
            kind.add(made)
        event: Event = made
        return event

    return make
