"""A request that asks for another protocol and gets none: its body, which the parser of HTTP takes for that protocol.
In: who hears of a request, and the headers of its head. Out: a parser that stands behind this head."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import httptools

FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))


class _Heard:
    """Callbacks of a parser, not passed on while `silent`."""

    def __init__(self, hearer: object) -> None:
        self._hearer, self.silent = hearer, True

    def __getattr__(self, name: str) -> Callable[..., None]:
        hear: Callable[..., Any] = getattr(self._hearer, name)

        def passed_on(*said: bytes) -> None:
            if not self.silent:
                hear(*said)

        return passed_on


def body_parser(hearer: object, headers: Iterable[tuple[bytes, bytes]]) -> httptools.HttpRequestParser | None:
    """A parser for a body framed by these headers and all that follows it; None where there is no body."""
    framing = [b"%b: %b\r\n" % header for header in headers if header[0] in FRAMING and header[1].strip(b" 0")]
    if not framing:
        return None
    heard = _Heard(hearer)
    parser = httptools.HttpRequestParser(heard)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
    parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
    heard.silent = False
    return parser
