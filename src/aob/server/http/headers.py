"""Headers of a request, each once: a list that is repeated is joined, as its sender may split it; of what has one value
there is one. Which of two a proxy before us has looked at nobody knows: the one that would count here may be the other.
And the media type that a caller prefers."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aob.core.errors import CallerError
from aob.server.http.answer import Header

BASIC_NAME: Final = b":basic"  # no name of a header: the user of basic auth
ONE: Final = frozenset((
    b"host", b"x-api-key", b"authorization", b"idempotency-key", b"content-type", b"last-event-id", b"traceparent",
))  # fmt: skip
"""With one value; so has each attribute of an event (`ce-NAME`)."""


def joined(headers: Iterable[Header]) -> dict[bytes, bytes]:
    """Each header once. Raises CallerError `header_twice`."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        before = found.setdefault(name, value)
        if name not in ONE and not name.startswith(b"ce-"):
            found[name] = value if before is value else b"%b, %b" % (before, value)
        elif before != value:
            why = f"the header {name[:64].decode('latin-1')} is sent twice, and says two things"
            raise CallerError(why, code="header_twice", hint="send it once")
    return found


def with_basic(headers: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Headers in which the password of basic auth is the secret of a key, and its user the name that it goes by."""
    scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic" or b"x-api-key" in headers:
        return headers
    try:
        user, _, secret = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except ValueError:
        return headers
    return {**headers, b"x-api-key": secret, BASIC_NAME: user}


def secret_of(headers: Mapping[bytes, bytes]) -> str | None:
    """The secret of the key that was sent: `X-API-Key: SECRET`, or `Authorization: Bearer SECRET`."""
    secret = headers.get(b"x-api-key")
    if secret is None:
        scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
        secret = rest.strip() if scheme.lower() == b"bearer" else None
    return None if secret is None else secret.decode("latin-1")


def accepted(accept: str | None, offered: Sequence[str]) -> str:
    """The offered media type that `Accept` ranks highest; earlier ones win ties; the first is used when the
    header is not understood."""
    best, best_rank = offered[0], 0.0
    for media in offered:
        rank = _rank(accept or "*/*", media)
        if rank > best_rank:
            best, best_rank = media, rank
    return best


def _rank(accept: str, media: str) -> float:
    """The weight of the most specific range that contains a media type (RFC 9110, 12.5.1); 0 when none does."""
    kind = media.partition("/")[0]
    found, found_depth = 0.0, 0
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        depth = {"*/*": 1, f"{kind}/*": 2, media: 3}.get(name, 0)
        if depth > found_depth:
            found, found_depth = _weight(parameters), depth
    return found


def _weight(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
