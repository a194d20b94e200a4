"""Validates lines of events by schema, time and rules, and enriches them. Pure. One msgspec call decodes all lines;
those that fail or break a rule are judged one by one, where the JSON Schema decides."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Final, Union

import msgspec

from aob.core.accepted_event import LINE_BYTES_MAX, SKEW_MAX_MS, Event, Reason
from aob.core.contract_model import ContractSet
from aob.core.expression.library import Value
from aob.core.ingest import judge
from aob.core.ingest.envelope import OWN, SOURCE_CHARS_MAX, form_of
from aob.core.ingest.judge import Refused
from aob.core.ingest.kind import Kind, Known
from aob.core.ingest.notes import Notes, notes_of, read_notes
from aob.core.instant import EPOCH, cut_ms, cut_seconds

_OPEN: Final = ord("{")
_CLOSE: Final = ord("}")
_OWN: Final = OWN.encode()
_MS: Final = timedelta(milliseconds=1)
_NO_COLON: Final = re.compile(rb'[+-]\d{4}"')
_CARRIES: Final = re.compile(rb"\.\d{3}999[5-9]")


class Gated(msgspec.Struct):
    """The result for lines: accepted events in order, their `text` (one line each), and refused ones with their index
    among the `received` lines. `places` are the indexes of the events; None when every line was accepted."""

    received: int
    events: list[Event]
    text: bytes
    refused: list[tuple[int, Refused]]
    places: list[int] | None = None


class Gate:
    """The gate of one tenant. Raises ExpressionError for a contract with an invalid expression."""

    def __init__(self, contracts: ContractSet, known: Known | None = None) -> None:
        self.contracts = contracts
        self._kinds: dict[str, dict[int, Kind]] = {}
        self._default: dict[str, int] = {}
        for type, versions in contracts.events.items():
            self._default[type] = default = contracts.default_of(type)
            self._kinds[type] = {
                number: Kind(form_of(contract, newest=number == default), known)
                for number, contract in versions.items()
            }
        moved = Counter(
            on for versions in contracts.metrics.values() for on in {move.on for move in versions[max(versions)].moves}
        )
        self.width = max(moved.values(), default=1)  # the most metrics that one event changes: its cost of folding
        # One decoder for events with no version or the default; one for those with the newest where that differs.
        usual = [versions[self._default[type]] for type, versions in self._kinds.items()]
        newest = [versions[max(versions)] for versions in self._kinds.values()]
        self._decoders = [_decoder(kinds) for kinds in ((usual, newest) if newest != usual else (usual,)) if kinds]
        self._finish = {kind.form.event: kind.finish for kind in (*usual, *newest) if kind.finish is not None}
        self._enriches = {
            kind.form.event: kind.enriches
            for versions in self._kinds.values()
            for kind in versions.values()
            if kind.enriches is not None
        }

    # -- received lines ----------------------------------------------------------------------------------------------

    def read(self, lines: bytes, now_ms: int) -> Gated:
        """Validate and enrich lines, one JSON object each; blank lines are skipped. Never raises for their content."""
        gated = self.passed(lines, now_ms)
        self.enrich(gated.events)
        return gated

    def enrich(self, events: Sequence[Event]) -> int:
        """Enrich accepted events as their contracts ask; return how many."""
        if not self._enriches:
            return 0
        count = 0
        for event in events:
            enriches = self._enriches.get(event.__class__)
            if enriches is not None and event.enriched is None:
                enriches(event)
                count += 1
        return count

    def passed(self, lines: bytes, now_ms: int) -> Gated:
        """`read` without enrichment."""
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n")
        if lines[-1:] == b"\n":
            lines = lines.rstrip(b"\n")
        events = self._at_once(lines)
        if events is None:
            return self._one_by_one(lines, now_ms)
        odd = self._pass(events, lines, now_ms)
        if not odd:
            return Gated(len(events), events, lines, [])
        return self._without(events, lines.split(b"\n"), odd, now_ms)

    def _at_once(self, lines: bytes) -> list[Value] | None:
        """Decode all lines in one call; None when one of them must be judged individually."""
        if not _plain(lines):
            return None
        for decoder in self._decoders:
            try:
                events: list[Value] = decoder.decode_lines(lines)
                break
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
        else:
            return None
        ends = len(events) - 1
        # Every line break must separate two objects, or lines and events do not match: within an object no text ending
        # in } is followed by a line that starts with {.
        parts = lines.split(b"\n")
        if ends < 0 or len(parts) != ends + 1 or b"" in parts:
            return None
        if [part for part in parts if part[0] != _OPEN or part[-1] != _CLOSE]:
            return None
        return events

    def _pass(self, events: list[Value], lines: bytes, now_ms: int) -> list[int]:
        """Set time and subject of events; return the indexes of those to judge individually."""
        odd: list[int] = []
        zoned: list[int] = []
        dated = False
        limit, limit_s, finishers = now_ms + SKEW_MAX_MS, (now_ms + SKEW_MAX_MS) / 1000.0, self._finish
        for place, event in enumerate(events):
            time = event.time
            if time.__class__ is float:
                if not 0.0 <= time <= limit_s:
                    odd.append(place)
                    continue
                event.at_ms = int(time * 1000.0 + 0.0005) if time else now_ms
            else:
                dated = True
                event.at_ms = at_ms = (time - EPOCH) // _MS
                if time.tzinfo is not UTC:
                    zoned.append(place)
                if not 0 <= at_ms <= limit:
                    odd.append(place)
                    continue
            finish = finishers.get(event.__class__)
            if finish is not None and not finish(event):
                odd.append(place)
        doubtful = [*_carrying(lines), *_loosely(lines, zoned)] if dated else ()
        return sorted({*odd, *doubtful}) if doubtful else odd

    def _without(self, events: list[Value], lines: list[bytes], odd: list[int], now_ms: int) -> Gated:
        """All lines except the refused ones among `odd`."""
        refused: list[tuple[int, Refused]] = []
        for place in odd:
            found = self.judge(lines[place], now_ms)
            if isinstance(found, Refused):
                refused.append((place, found))
            else:
                events[place] = found
        if not refused:
            return Gated(len(lines), events, b"\n".join(lines), [])
        gone = {place for place, _ in refused}
        places = [place for place in range(len(lines)) if place not in gone]
        text = b"\n".join([lines[place] for place in places])
        return Gated(len(lines), [events[place] for place in places], text, refused, places)

    def _one_by_one(self, text: bytes, now_ms: int) -> Gated:
        lines = [line for line in text.split(b"\n") if line.strip()]
        events: list[Value] = []
        refused: list[tuple[int, Refused]] = []
        places: list[int] = []
        for place, line in enumerate(lines):
            found = self._looked(line, now_ms)
            if isinstance(found, Refused):
                refused.append((place, found))
            else:
                events.append(found)
                places.append(place)
        if refused:
            lines = [lines[place] for place in places]
        return Gated(len(events) + len(refused), events, b"\n".join(lines), refused, places if refused else None)

    def look(self, line: bytes, now_ms: int) -> Event | Refused:
        """Read one line: the fast path, else `judge`."""
        found = self._looked(line, now_ms)
        if not isinstance(found, Refused):
            self.enrich([found])
        return found

    def _looked(self, line: bytes, now_ms: int) -> Event | Refused:
        for decoder in self._decoders if _plain(line) else ():
            try:
                event: Value = decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if not self._pass([event], line, now_ms):
                found: Event = event
                return found
            break
        return self.judge(line, now_ms)

    # -- what is not plain ------------------------------------------------------------------------------------------

    def judge(self, line: bytes, now_ms: int) -> Event | Refused:
        """Judge one line and collect every reason; returns an event when there is none."""
        sent = judge.read_object(line)
        if isinstance(sent, Reason):
            return Refused(line, (sent,))
        names = [sent[name] if isinstance(sent.get(name), str) else "" for name in ("type", "source", "id")]
        reasons, kind = self._kind_of(sent)
        reasons += judge.envelope_reasons(sent, now_ms)
        event: Event | None = None
        if kind is not None:
            reasons += judge.schema_reasons(kind.form.contract, sent.get("data"))
            if not reasons:
                event, reasons = self._built(kind, sent, now_ms)
        if event is None or reasons:
            return Refused(line, tuple(reasons), *(name[:SOURCE_CHARS_MAX] for name in names))
        return event

    def _kind_of(self, sent: Mapping[str, Value]) -> tuple[list[Reason], Kind | None]:
        type, version = sent.get("type"), sent.get("version")
        if not isinstance(type, str) or not type:
            return [Reason("decode", "/type", "`type` is a text", "envelope", judge.shown(type))], None
        versions = self._kinds.get(type)
        if versions is None:
            return [Reason("contract", "/type", f"no contract declares events of type {type[:100]!r}", "unknown_type",
                           type[:judge.VALUE_CHARS_MAX])], None  # fmt: skip
        if version is None and "version" not in sent:
            return [], versions[self._default[type]]
        if isinstance(version, bool) or not isinstance(version, int | float) or version not in versions:
            known = ", ".join(map(str, sorted(versions)))
            return [Reason("contract", "/version", f"{type} has no such version, it has {known}", "unknown_version",
                           judge.shown(version))], None  # fmt: skip
        return [], versions[int(version)]

    def _built(self, kind: Kind, sent: Mapping[str, Value], now_ms: int) -> tuple[Event | None, list[Reason]]:
        try:
            event = judge.build(kind.form, sent)
        except (msgspec.ValidationError, OverflowError) as error:
            return None, [judge.unheld(error, sent.get("data"))]
        told = judge.moment(sent.get("time", 0.0))
        event.at_ms = now_ms if told == 0 or isinstance(told, str) else told
        if kind.form.shape.open and judge.big_integer(msgspec.to_builtins(event.data)) is not None:
            return None, [judge.unheld(ValueError(), sent.get("data"))]
        reasons = judge.rule_reasons(kind.form.contract, event)
        if not reasons:
            kind.add(event)
        return event, reasons

    # -- lines of the log -------------------------------------------------------------------------------------------

    def notes(self, events: Sequence[Event]) -> bytes:
        """The notes to store with the lines of events, so that they can be read back unchanged."""
        return notes_of(events, self._default)

    def reread(self, lines: bytes, notes: bytes, first: int) -> list[Event]:
        """Read the events of a log row as they were accepted, without judging or enriching them again. `lines` may be
        of several groups whose notes were joined. Raises ValueError for a row that no gate has written."""
        events: list[Value] = []
        rest = lines
        for note in read_notes(notes):
            part, rest = _head(rest, note.count, len(lines))
            found = self._again(part, note)
            for place, at_ms in note.times.items():
                found[place].at_ms = at_ms
            for place in note.unknown:
                found[place].known = False
            events += found
        for offset, event in enumerate(events, first):
            event.offset = offset
        return events

    def _again(self, text: bytes, note: Notes) -> list[Value]:
        now = all(self._default.get(type) == version for type, version in note.newest.items())
        found = self._at_once(text) if now and note.count else None
        if found is None:
            found = [self._known(line, note) for line in text.split(b"\n")] if note.count else []
        rows = {key: iter(column) for key, column in note.enriched.items()}
        told = _at_ms_of if note.cut else _rounded_ms
        for place in _carrying(text) if note.cut and note.count else ():
            found[place] = self._known(text.split(b"\n")[place], note)
        for event in found:
            event.at_ms = told(event.time)
            kind = self._kinds[event.type][event.version]
            if kind.subject is not None:
                kind.name(event)
            if kind.form.enriched is not None:
                event.enriched = kind.form.enriched(*next(rows[f"{event.type}@{event.version}"]))
        return found

    def _known(self, line: bytes, note: Notes) -> Value:
        """Decode one accepted line by the version under which it was accepted."""
        sent = judge.read_object(line)
        if isinstance(sent, Reason):
            raise ValueError(f"a line of the log is no event: {sent.message}")
        type = sent["type"]
        version = int(sent["version"]) if "version" in sent else note.newest[type]
        kind = self._kinds.get(type, {}).get(version)
        if kind is None:
            raise ValueError(f"the log holds an event of {type} version {version}, and there is no such contract")
        return judge.rebuild(kind.form, sent)


def _decoder(kinds: Sequence[Kind]) -> msgspec.json.Decoder[Value]:
    classes = tuple(kind.form.event for kind in kinds)
    return msgspec.json.Decoder(Union[classes])  # noqa: UP007  # a value, not an annotation


def _plain(lines: bytes) -> bool:
    """Whether bytes may take the fast path: short lines, UTF-8, no NUL, no wire name of the gate."""
    if not lines.isascii():
        try:
            lines.decode()
        except UnicodeDecodeError:
            return False
    if _OWN in lines or (b"\\" in lines and (b"\\u000" in lines or b"\\u007" in lines)):
        return False
    return len(lines) <= LINE_BYTES_MAX or max(map(len, lines.split(b"\n"))) <= LINE_BYTES_MAX


def _head(text: bytes, count: int, size: int) -> tuple[bytes, bytes]:
    """The first lines of a text, and the rest."""
    if not count:
        return b"", text
    if text.count(b"\n") + 1 == count:
        return text, b""
    parts = text.split(b"\n", count)
    return b"\n".join(parts[:count]), parts[count] if len(parts) > count else b""


def _at_ms_of(time: Value) -> int:
    """The ms of a decoded time, truncated: seconds since 1970, or a datetime with a zone."""
    return cut_seconds(time) if time.__class__ is float else cut_ms(time)


def _rounded_ms(time: Value) -> int:
    """The ms of a time as in the first release: rounded to the nearest."""
    seconds = time if time.__class__ is float else time.timestamp()
    return int(seconds * 1000.0 + 0.5)


def _carrying(lines: bytes) -> list[int]:
    """The indexes of lines that may contain a time that the decoder, which rounds to microseconds, carries to the next
    ms."""
    if _CARRIES.search(lines) is None:
        return []
    return [place for place, line in enumerate(lines.split(b"\n")) if _CARRIES.search(line)]


def _loosely(lines: bytes, places: list[int]) -> list[int]:
    """Those indexes whose line may contain a UTC offset that RFC 3339 does not allow: `+0200`."""
    parts = lines.split(b"\n") if places else []
    return [place for place in places if _NO_COLON.search(parts[place])]
