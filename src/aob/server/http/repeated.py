"""Headers that a request repeats: a list is joined, as its sender may split it; of what has one value there is one.
Which of two a proxy before us has looked at nobody knows: the one that would count here may be the other."""

from collections.abc import Iterable
from typing import Final

from aob.core.errors import CallerError
from aob.server.http.answer import Header

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
