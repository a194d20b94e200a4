"""Judges lines that the fast path rejects, one at a time, with every reason; the JSON Schema decides. Returns an event
(the fast path was too strict) or a refusal; never raises for any bytes."""

from collections.abc import Mapping
from itertools import islice
from typing import Final

import msgspec

from aob.core.accepted_event import LINE_BYTES_MAX, SKEW_MAX_MS, Event, Reason
from aob.core.contract_model import EventContract
from aob.core.expression import EvalError, ExpressionError
from aob.core.expression.library import Value
from aob.core.ingest.envelope import DEPTH_MAX, ID_CHARS_MAX, OWN, SOURCE_CHARS_MAX, Form
from aob.core.ingest.reading import reader, view_of
from aob.core.ingest.shape import INT_MAX, INT_MIN
from aob.core.instant import cut_seconds, moment_of, ms_of
from aob.core.json_schema import Checker, Unusable, checker_of, step
from aob.core.value import canonical, decode

REASONS_MAX: Final = 20
VALUE_CHARS_MAX: Final = 200
NEST_MAX: Final = 100
OURS: Final = {"depth": "aobdepth", "version": "aobversion"}  # our attributes, with the names that no sender uses
_TYPES: Final = {"subject": str, "producer": str, "correlationid": str, "causationid": str}


class Refused(msgspec.Struct, frozen=True):
    """A refused event: its identification as far as readable, the reasons, and the line as received."""

    line: bytes
    reasons: tuple[Reason, ...]
    type: str = ""
    source: str = ""
    id: str = ""


def checker(schema: Value) -> Checker:
    """The checker of a contract's schema, cached."""
    found = checker_of(canonical(schema))
    if isinstance(found, Unusable):
        raise ValueError(found.words)
    return found


def shown(value: Value) -> Value:
    """A value for a reason: in full when short, else the beginning of its JSON."""
    try:
        text = canonical(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)[:VALUE_CHARS_MAX]
    if len(text) <= VALUE_CHARS_MAX:
        return value
    return text[:VALUE_CHARS_MAX].decode(errors="replace") + "…"


def read_object(line: bytes) -> dict[str, Value] | Reason:
    """The JSON object of a line, or the reason why there is none."""
    if len(line) > LINE_BYTES_MAX:
        return Reason("size", "", f"an event has at most {LINE_BYTES_MAX:,} bytes, and this has {len(line):,}",
                      "max_bytes")  # fmt: skip
    try:
        line.decode()
        found = decode(line)
    except UnicodeDecodeError as error:
        return Reason("decode", "", f"this is not UTF-8 (byte {error.start})", "utf8")
    except RecursionError:
        return Reason("decode", "", "this is nested too deeply", "nesting")
    except (msgspec.DecodeError, ValueError) as error:
        return Reason("decode", "", str(error), "json")
    if not isinstance(found, dict):
        return Reason("decode", "", "an event is a JSON object", "type", shown(found))
    if b"\\u0000" in line and (where := _nul(found, "", 0)) is not None:
        return Reason("decode", where, "text holds a NUL character", "nul")
    for name in found:
        if name.startswith(OWN):
            return Reason("decode", "", f"{name!r} is not the name of an attribute", "name")
    return _attributes(found)


def _attributes(found: dict[str, Value]) -> dict[str, Value]:
    """The attributes of an event: null counts as absent. Ours have their own names; under the short names they count if
    they hold an integer, else they are an extension of the sender."""
    sent = {name: value for name, value in found.items() if value is not None or name == "data"}
    for short, own in OURS.items():
        if short in sent and not _is_whole(sent[short]):
            del sent[short]
        if own in sent:
            sent[short] = sent.pop(own)
    return sent


def _is_whole(value: Value) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _nul(value: Value, pointer: str, depth: int) -> str | None:
    if isinstance(value, str):
        return pointer if "\0" in value else None
    pairs: Value = ()
    if isinstance(value, dict):
        pairs = value.items()
        if any("\0" in key for key in value):
            return pointer
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, item in pairs:
        if depth < NEST_MAX and (found := _nul(item, step(pointer, key), depth + 1)) is not None:
            return found
    return None


def envelope_reasons(sent: Mapping[str, Value], now_ms: int) -> list[Reason]:
    """The faults of the attributes around `data`."""
    found = [
        Reason("decode", f"/{name}", f"`{name}` is a text of 1 to {most} characters", "envelope", shown(sent.get(name)))
        for name, most in (("id", ID_CHARS_MAX), ("source", SOURCE_CHARS_MAX))
        if not isinstance(sent.get(name), str) or not 0 < len(sent[name]) <= most
    ]
    for name, kind in _TYPES.items():
        value = sent.get(name, "")
        if not isinstance(value, kind) or len(value) > SOURCE_CHARS_MAX:
            found.append(Reason("decode", f"/{name}", f"`{name}` is a text of at most {SOURCE_CHARS_MAX} characters",
                                "envelope", shown(value)))  # fmt: skip
    if isinstance(sent.get("producer"), str) and not 0 < len(sent["producer"]) <= ID_CHARS_MAX:
        found.append(Reason("decode", "/producer", f"`producer` has 1 to {ID_CHARS_MAX} characters", "envelope"))
    sequence = sent.get("sequence", 0)
    if type(sequence) is not int or sequence < 0:
        found.append(Reason("decode", "/sequence", "`sequence` is a whole number from 0", "envelope", shown(sequence)))
    if sent.get("specversion", "1.0") != "1.0":
        found.append(Reason("decode", "/specversion", "only version 1.0 is known", "envelope", sent["specversion"]))
    kind = sent.get("datacontenttype", "application/json")
    plain = kind.partition(";")[0].strip().lower() if isinstance(kind, str) else ""
    if plain != "application/json" and not plain.endswith("+json"):
        found.append(Reason("decode", "/datacontenttype", "`data` must be JSON", "envelope", shown(kind)))
    if "data_base64" in sent:
        words = (
            "an event has `data` or `data_base64`, not both" if "data" in sent else "`data` must be JSON, not binary"
        )
        found.append(Reason("decode", "/data_base64", words, "envelope"))
    return [*found, *_depth_reasons(sent), *time_reasons(sent.get("time", 0.0), now_ms)]


def _depth_reasons(sent: Mapping[str, Value]) -> list[Reason]:
    depth = sent.get("depth", 0)
    if type(depth) is not int or depth < 0:
        return [Reason("decode", "/depth", "`depth` is a whole number from 0", "envelope", shown(depth))]
    if depth < DEPTH_MAX:
        return []
    chain = " <- ".join(str(sent[name]) for name in ("id", "causationid", "correlationid") if sent.get(name))
    return [Reason("contract", "/depth", f"{depth} events have caused one another, at most {DEPTH_MAX - 1} may: "
                   f"{chain}", "depth", depth)]  # fmt: skip


def moment(time: Value) -> int | str:
    """The milliseconds of a sent time (0: none), or its fault."""
    if type(time) in (int, float):
        return cut_seconds(time) if -1e15 < time < 1e15 else "`time` is out of range"
    if not isinstance(time, str):
        return "`time` is RFC 3339 text or seconds since 1970"
    try:
        return ms_of(time)
    except ValueError as error:
        return f"`time`: {error}"


def time_reasons(time: Value, now_ms: int) -> list[Reason]:
    """The faults of a time, also one too far in the future."""
    at_ms = moment(time)
    if isinstance(at_ms, str):
        return [Reason("decode", "/time", at_ms, "time", shown(time))]
    if at_ms > now_ms + SKEW_MAX_MS:
        hint = "; seconds are expected, not milliseconds" if type(time) in (int, float) and time > 1e11 else ""
        return [Reason("time", "/time", f"the time lies {(at_ms - now_ms) / 1000:,.0f} s in the future, at most "
                       f"{SKEW_MAX_MS // 1000} s are taken{hint}", "future", shown(time))]  # fmt: skip
    if at_ms < 0:
        return [Reason("time", "/time", "the time lies before 1970", "past", shown(time))]
    return []


def schema_reasons(contract: EventContract, data: Value) -> list[Reason]:
    """Violations of the contract's schema by data."""
    return [
        Reason("schema", step("/data", *fault.path), fault.message[:300], fault.place[-1] if fault.place else "schema",
               shown(fault.instance))
        for fault in islice(checker(contract.schema).faults(data), REASONS_MAX)
    ]  # fmt: skip


def whole(value: Value, depth: int = 0) -> Value:
    """A value with integral doubles as ints: JSON Schema does not distinguish them."""
    if type(value) is float and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: whole(item, depth + 1) for key, item in value.items()}
    return value


def big_integer(value: Value, pointer: str = "/data") -> str | None:
    """The location of an integer beyond 64 bits in a value; None when there is none."""
    if type(value) is int:
        return None if INT_MIN <= value <= INT_MAX else pointer
    pairs: Value = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        if (found := big_integer(item, step(pointer, key))) is not None:
            return found
    return None


def unheld(error: Exception, data: Value) -> Reason:
    """Why the struct of an event cannot hold what its schema accepts."""
    where = big_integer(whole(data))
    if where is not None:
        return Reason("decode", where, "an integer has 64 bits, from -2^63 to 2^63 - 1", "int64")
    return Reason("decode", "/data", f"this cannot be held: {error}", "type")


def held(value: Value) -> Value:
    """A value with integers beyond 64 bits replaced by the nearest that fits: earlier releases accepted them."""
    if type(value) is int:
        return min(max(value, INT_MIN), INT_MAX)
    if isinstance(value, list):
        return [held(item) for item in value]
    return {key: held(item) for key, item in value.items()} if isinstance(value, dict) else value


def rebuild(form: Form, sent: Mapping[str, Value]) -> Event:
    """The event of an object that this or an earlier release accepted."""
    try:
        return build(form, sent)
    except msgspec.ValidationError:
        return build(form, {**sent, "data": held(whole(sent.get("data")))})


def build(form: Form, sent: Mapping[str, Value]) -> Event:
    """The event of an object that its contract accepts. Raises ValidationError when its struct cannot hold it."""
    given = {name: value for name, value in sent.items() if name not in ("time", "datacontenttype", "depth")}
    given["data"] = sent.get("data")
    given["version"] = form.contract.version
    try:
        event: Event = msgspec.convert(given, form.event)
    except msgspec.ValidationError:
        given["data"] = whole(sent.get("data"))
        event = msgspec.convert(given, form.event)
    time = sent.get("time", 0.0)
    timed: Value = event
    timed.time = float(time) if type(time) in (int, float) else moment_of(time)
    timed.depth = sent.get("depth", 0)
    return event


def rule_reasons(contract: EventContract, event: Event) -> list[Reason]:
    """The rules that an event breaks."""
    found: list[Reason] = []
    for at, rule in enumerate(contract.rules):
        message = rule.message or rule.rule
        try:
            kept = reader(rule.rule, contract)(event)
        except (EvalError, ExpressionError) as error:
            found.append(Reason("rule", "/data", f"{message} ({error})", rule.name or f"rule {at}"))
            continue
        if kept is not True:
            value = shown(_named(rule.rule, view_of(event)))
            pointer = step("/data", *_words(rule.rule))
            found.append(Reason("rule", pointer, message, rule.name or f"rule {at}", value))
    return found


def _words(rule: str) -> list[str]:
    """The first path of data in a rule, as steps."""
    start = rule.find("data.")
    if start < 0:
        return []
    path = rule[start + 5 :]
    end = next((at for at, char in enumerate(path) if not (char.isalnum() or char in "._")), len(path))
    return [name for name in path[:end].split(".") if name]


def _named(rule: str, view: Mapping[str, Value]) -> Value:
    value: Value = view.get("data")
    for name in _words(rule):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value if _words(rule) else None
