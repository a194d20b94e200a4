"""Ingest of one event, an array, or lines, passed to the gate as bytes: a verdict each, once durable and folded."""

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import unquote_to_bytes

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem
from aob.server.http.answer import Answer
from aob.server.http.call import Call
from aob.server.http.problem import decode_error
from aob.server.http.route import NDJSON_MEDIA, Takes
from aob.server.http.verb_routes import Fields, Odd

ONE_MEDIA: Final = ("application/json", "application/cloudevents+json")
MANY_MEDIA: Final = ("application/cloudevents-batch+json",)
TO_SPACES: Final = bytes.maketrans(b"\n\r", b"  ")


class EventIn(msgspec.Struct, omit_defaults=True):
    """An event as it is sent (CloudEvents 1.0 in JSON). `data` is what its contract says; `time` (RFC 3339, or epoch
    seconds) is when it happened, by default when it was received; (`source`, `id`) makes it count once, and so does a
    (`producer`, `sequence`), forever."""

    type: str
    id: str
    source: str
    data: JsonValue = None
    subject: str | None = None
    time: str | float | None = None
    version: int | None = None
    producer: str | None = None
    sequence: int | None = None
    specversion: str | None = None


class Said(msgspec.Struct):
    """The part of the gate's answer that decides the status of a single event."""

    rejected: int = 0
    verdicts: list[JsonObject] = []


_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])
_raw: Final = msgspec.json.Decoder(msgspec.Raw)
_said: Final = msgspec.json.Decoder(Said)


async def ingest(call: Call[object, bytes], fields: Fields) -> Answer:
    """Passes a body through the gate: lines, a batch, one event, or the data of one with attributes as headers."""
    body, media = call.body, call.media
    if media in LINES_KNOWN:
        return Answer(await call.act("ingest")(call.who, body))
    if call.headers.get(b"ce-type") is not None and media not in CLOUD_KNOWN:
        body = event_of(call.headers, body)
    elif media in MANY_KNOWN or body.lstrip()[:1] == b"[":
        return Answer(await call.act("ingest")(call.who, as_lines(body)))
    told = await call.act("ingest")(call.who, one_line(body))
    said = _said.decode(told)
    if said.rejected:
        raise refusal(said.verdicts[0] if said.verdicts else {})
    return Answer(told)


def as_lines(body: bytes) -> bytes:
    """An array of events as lines. Raises Malformed for invalid JSON, Invalid for anything but an array."""
    try:
        return b"\n".join(one_line(bytes(raw)) for raw in _raws.decode(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise decode_error(error, "the body", list[JsonObject]) from error


def one_line(event: bytes) -> bytes:
    """One event on one line. Line breaks between tokens become spaces; in invalid JSON they
    become characters that the gate refuses too, so that a broken event stays broken."""
    if b"\n" not in event and b"\r" not in event:
        return event
    try:
        _raw.decode(event)
    except (msgspec.MsgspecError, RecursionError):
        return event.replace(b"\n", b"\r")
    return event.translate(TO_SPACES)


def event_of(headers: Mapping[bytes, bytes], data: bytes) -> bytes:
    """The event whose attributes are headers (`ce-NAME`, percent-encoded UTF-8) and whose data is the body. Raises
    Malformed for data that is not JSON, Invalid for an attribute that is not text."""
    attributes: dict[str, JsonValue | msgspec.Raw] = {}
    for header, value in headers.items():
        if header.startswith(b"ce-") and header != b"ce-data":
            name = header[3:].decode("latin-1")
            text = unquote_to_bytes(value)
            try:
                attributes[name] = text.decode()
            except UnicodeDecodeError as error:
                problem = Problem(f"/{name}", "is not percent-encoded UTF-8", "decode")
                raise Invalid(f"the header ce-{name} cannot be read", [problem]) from error
            if name in _NUMBERS and text.isdigit():
                attributes[name] = int(text)
    if data.strip():
        try:
            attributes["data"] = _raw.decode(data)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise decode_error(error, "the data") from error
    return msgspec.json.encode(attributes)


def refusal(verdict: JsonObject) -> Invalid:
    """The error for a single event that the gate refused: its reasons with their places, its dead letter."""
    reasons = verdict.get("reasons") or []
    problems = [
        Problem(str(reason.get("pointer", "")), str(reason.get("message", "")), str(reason.get("stage", "")))
        for reason in reasons
    ]
    number = verdict.get("deadletter")
    why = "the event was refused" + (f": {problems[0].message}" if problems else "")
    hint = f"mend it with POST /v1/deadletter/{number}/replay, or send a right one"
    return Invalid(why, problems, code="event_rejected", hint=hint, deadletter=number, reasons=reasons)


LINES_KNOWN: Final = frozenset(name.encode() for name in NDJSON_MEDIA)
CLOUD_KNOWN: Final = frozenset((b"application/cloudevents+json", b"application/cloudevents-batch+json"))
_NUMBERS: Final = frozenset(("sequence", "depth", "version", "aobdepth", "aobversion"))
MANY_KNOWN: Final = frozenset(name.encode() for name in MANY_MEDIA)
EventBody = Annotated[EventIn | list[EventIn], msgspec.Meta(description="One event or an array of events.")]

ODD: Final = {
    "ingest_events": Odd(ingest, Takes[bytes](EventBody, bytes, media=(*ONE_MEDIA, *MANY_MEDIA, *NDJSON_MEDIA)))
}
