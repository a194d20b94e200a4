"""Builds requests and interprets refusals: paths, parameters, media, limits. Pure, for both clients."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import AobError, Unavailable
from aob.core.problem import error_of, unproven
from aob.core.verb import AnyVerb, Http, places_of

TIMEOUT_S: Final = 60.0
SILENCE_S: Final = 60.0  # a stream without a heartbeat for this long is dead: the server sends one every 15 s
RECONNECTS_MAX: Final = 8  # successive attempts to resume a stream, over about a minute
AWAY: Final = frozenset(("shard_unowned", "shard_lost", "shard_down", "edge_no_api", "edge_api_broke", "edge_api_slow"))
"""Codes of errors that pass by themselves: a process behind the server is away. A stream resumes after them."""
RECONNECT_FIRST_S: Final = 0.1
RECONNECT_MAX_S: Final = 15.0
LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))
BATCH_ITEMS: Final = 2_000
RESENDS_MAX: Final = 2  # how often a start is retried when no answer arrives
WAIT_S: Final = 30.0  # how long one request waits for the end of a run; then the next one waits

_WHOLE: Final = (str, bytes, Mapping)

Query: TypeAlias = Mapping[str, str | int | Sequence[str] | None]
Instant: TypeAlias = int | str | datetime | None  # ms since 1970, RFC 3339, or a datetime with a zone
Pairs: TypeAlias = list[tuple[str, str | int | float | bool | None]]


def asked(verb: AnyVerb, http: Http, args: Any) -> JsonObject:
    """The request for a verb: `path`, `query`, `body` and `command` of a call. Defaults are not sent."""
    places = places_of(verb, http)
    path = http.path
    for field in places.path:
        path = path.replace("{" + field.encode_name + "}", part(str(getattr(args, field.name))))
    request: JsonObject = {"path": path, "query": _said(places.query, http, args)}
    if places.whole is not None:
        request["body"] = getattr(args, places.whole.name)
    elif http.takes:
        request["body"] = _said(places.body, http, args)
    if http.once in http.apart:
        request["command"] = getattr(args, http.once, None)
    return request


def _said(fields: Iterable[msgspec.structs.FieldInfo], http: Http, args: Any) -> JsonObject:
    found = ((field, getattr(args, field.name)) for field in fields)
    return {
        field.encode_name: list(value) if isinstance(value, Iterable) and not isinstance(value, _WHOLE) else value
        for field, value in found
        if value != http.defaults.get(field.name, field.default)
    }


def told(http: Http, answer: Any) -> Any:
    """A verb's answer, from the HTTP answer."""
    return answer[http.wraps] if http.wraps else answer


def part(name: str) -> str:
    """A name encoded as one part of a path."""
    return quote(name, safe="")


def run_path(run_id: str, verb: str = "") -> str:
    """The path of a run, or of a verb on it."""
    return f"/v1/runs/{part(run_id)}/{verb}" if verb else f"/v1/runs/{part(run_id)}"


def start_body(
    workflow: str | None,
    inputs: Mapping[str, JsonValue] | None,
    tag: str,
    key: str | None,
    mode: str | None,
    priority: str | None,
    labels: Mapping[str, str] | None,
) -> JsonObject:
    """The body of a start. It always has a key: see `keyed`."""
    body = {"workflow": workflow, "inputs": inputs or {}, "tag": tag, "key": key, "mode": mode}
    return keyed({**body, "priority": priority, "labels": labels})


def keyed(item: Mapping[str, JsonValue]) -> JsonObject:
    """A start with a key, made if it has none."""
    return {**item, "key": uuid4().hex} if item.get("key") is None else dict(item)


def deadline_of(timeout_s: float | None) -> float | None:
    """The monotonic time at which a wait of this many seconds ends; None: never."""
    return None if timeout_s is None else monotonic() + timeout_s


def wait_for(deadline: float | None, timeout_s: float) -> str:
    """How long the next request waits on the server: well within its own timeout, and not past the deadline."""
    longest = min(WAIT_S, timeout_s / 2)
    left = longest if deadline is None else min(longest, deadline - monotonic())
    return f"{max(1, int(left * 1_000))}ms"


def raise_if_late(run_id: str, deadline: float | None) -> None:
    """Raises TimeoutError when the deadline has passed."""
    if deadline is not None and monotonic() >= deadline:
        raise TimeoutError(f"{run_id} has not ended in time; it goes on")


def pause_s(failures: int, asked_ms: int | None = None) -> float:
    """How long to wait after this many successive failures; at least as long as the server asked for."""
    return min(max(RECONNECT_FIRST_S * 2.0**failures, (asked_ms or 0) / 1_000), RECONNECT_MAX_S)


def instant(at: Instant) -> str | int | None:
    """An instant in wire format."""
    return at.isoformat() if isinstance(at, datetime) else at


def names(given: Iterable[str]) -> list[str]:
    """Names in wire format; a single one may be given as it is."""
    return [given] if isinstance(given, str) else list(given)


def dimensions(where: Mapping[str, str] | None) -> list[str]:
    """Dimensions fixed to a value, in wire format."""
    return [f"{name}:{value}" for name, value in (where or {}).items()]


def params(query: Query | None) -> Pairs:
    """Query parameters: what is None is left out, a list is repeated, booleans are `true` and `false`."""
    pairs: Pairs = []
    for name, value in (query or {}).items():
        if isinstance(value, str | int):
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
        elif value is not None:
            pairs.extend((name, each) for each in value)
    return pairs


def error_in(status: int, content: bytes) -> AobError:
    """The error of an answer, also when its body is no problem."""
    try:
        body = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeError):
        body = None
    return error_of(body if isinstance(body, dict) else {}, status)


def unreachable(url: str, error: Exception | None) -> Unavailable:
    """The error for a server that does not answer."""
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        trust = "SSL_CERT_FILE=FILE names whom to trust: ca.pem, where its certificate is one of `aob certs`"
        hint = unproven(url, said, trust)[1]
    elif "WRONG_VERSION_NUMBER" in said:
        hint = f"it speaks no TLS: http://{urlsplit(url).netloc}"
    elif url.startswith("http:") and "disconnected without" in said:
        hint = f"if it speaks TLS: https://{urlsplit(url).netloc}"
    else:
        hint = "start it with `aob up`, or say where it is: AOB_SERVER=http://HOST:PORT"
    return Unavailable(f"{url} does not answer: {str(error) or type(error).__name__}", code="no_server", hint=hint)


def media_of(data: bytes) -> str:
    """Whether a document is JSON or YAML, by its first character."""
    return "application/json" if data.lstrip()[:1] in (b"{", b"[") else "application/yaml"


def name_in(document: JsonObject | bytes) -> str:
    """The name that a document gives itself, found without parsing YAML; the server checks it."""
    if isinstance(document, bytes) and media_of(document) == "application/yaml":
        lines = (line for line in document.decode("utf-8", "replace").splitlines() if line.startswith("workflow:"))
        return next(lines, "").removeprefix("workflow:").split(" #")[0].strip().strip("\"'")
    try:
        found = document if isinstance(document, dict) else msgspec.json.decode(document)
    except (msgspec.MsgspecError, UnicodeError):
        return ""
    return str(found.get("workflow") or "") if isinstance(found, dict) else ""
