"""`http`: one request by the checked client. GET and HEAD have no effect; other methods carry an idempotency key."""

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from aob.core.node.kind import Kind


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`, `headers` and string leaves of `body` are filled from the input by `{name}`. `expect` lists the status
    codes that count as success (default 200 to 299). The output is `{status, headers, body}`, or only the body
    when `output: body`. `timeout` is one of the request, `max_bytes` bounds the answer."""

    url: str
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    body: Any = None
    expect: tuple[int, ...] = ()
    output: Literal["body", "response"] = "body"
    key_header: str = "Idempotency-Key"
    max_bytes: int = 1_000_000
    redirects: int = 3


def http_effect(config: HttpConfig) -> str:
    """`none` for GET and HEAD, `keyed` for the others (the key goes into `key_header`)."""
    return "none" if config.method in {"GET", "HEAD"} else "keyed"


def http_hosts(config: HttpConfig) -> Sequence[str]:
    """The host that the URL names, `*` when it is filled in at run time."""
    host = urlsplit(config.url).hostname or ""
    return ("*",) if "{" in host or not host else (host,)


HTTP = Kind("http", HttpConfig, effect=http_effect, hosts=http_hosts)
