"""`http`: one request by the checked client. GET and HEAD have no effect; other methods carry an idempotency key."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import Kind, within
from aob.core.node.template.filling import TemplateError, parse_template

URL_MAX: Final = 8_192
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
REDIRECTS_MAX: Final = 10
_SECRET_HEADER: Final = re.compile(r"^(proxy-)?authorization$|^cookie$|(^|[-_])(token|key)$|apikey$", re.IGNORECASE)
"""Names of headers with a secret value."""
HIDDEN: Final = "(a value that is not shown)"  # shown to a model instead of the value of a header
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`, `headers`, `query` and string leaves of `body` are filled from the input by `{name}`. `expect` lists the
    status codes that count as success (default 200 to 299). The output is the body, or `{status, headers, body}` when
    `output: response`. `key_header` carries the idempotency key, `max_bytes` bounds the answer. A header
    may hold `{secret:NAME}`, a secret of the home."""

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


def url_hosts(url: str) -> Sequence[str]:
    """The host of a URL, `*` if it is filled in at run time."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return ("*",) if "{" in host or not host else (host,)


def check_url(path: str, url: str) -> Iterator[Problem]:
    """Checks for an http or https URL with a host and without a password; parts filled in at run time are checked
    then."""
    if len(url) > URL_MAX:
        yield Problem(path, f"a URL of {len(url):,} characters is over the limit of {URL_MAX:,}", "too_large")
    if url.startswith("{"):
        return
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, parts.password or parts.username
    except ValueError as error:
        yield Problem(path, f"{url[:80]!r} is not a URL: {error}", "bad_url")
        return
    if parts.scheme not in {"http", "https"} or not host:
        hint = "write https://HOST/PATH, or {name} for a URL of the input"
        yield Problem(path, f"{url[:80]!r} is not a URL of http or https", "bad_url", hint=hint)
    if secret:
        hint = "name a secret by reference in `headers` instead"
        yield Problem(path, "a URL must not carry a user or a password", "secret_in_document", hint=hint)


def check_http(config: HttpConfig) -> Iterator[Problem]:
    """Checks beyond types: a URL, header names, status codes, limits."""
    yield from check_url("/url", config.url)
    for name, value in config.headers.items():
        if not _HEADER.fullmatch(name) or "\r" in value or "\n" in value:
            yield Problem(f"/headers/{name}", f"{name!r} is not a header of one line", "bad_header")
    if not _HEADER.fullmatch(config.key_header):
        yield Problem("/key_header", f"{config.key_header!r} is not the name of a header", "bad_header")
    for index, status in enumerate(config.expect):
        yield from within(f"/expect/{index}", status, 100, 599, "the status code")
    yield from within("/max_bytes", config.max_bytes, 1, ANSWER_BYTES_MAX, "the limit of the answer in bytes")
    yield from within("/redirects", config.redirects, 0, REDIRECTS_MAX, "the number of redirects")
    if config.body is not None and config.method in {"GET", "HEAD"}:
        yield Problem("/body", f"a {config.method} has no body", "bad_body", hint="use method: POST, or `query`")


def literal_secrets(config: HttpConfig) -> Iterator[Problem]:
    """Finds secrets written out in headers: they would be stored in the document, the graph and the database."""
    for name, value in config.headers.items():
        if value == HIDDEN:
            message, hint = f"{name} has the value that stands for one not shown", "leave it out, or write its value"
            yield Problem(f"/headers/{name}", message, "bad_header", hint=hint)
        if not _SECRET_HEADER.search(name) or name.lower() == "idempotency-key" or not value.strip():
            continue
        try:
            written = all(isinstance(part, str) for part in parse_template(value, True))
        except TemplateError:
            continue  # reported by the check of templates
        if written:
            known = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()
            message = f"the value of {name} is a secret and stands in the document"
            hint = f"aob secret set {known} --host HOST, and write {{secret:{known}}} in its place"
            yield Problem(f"/headers/{name}", message, "secret_in_document", hint=hint)


HTTP = Kind(
    "http",
    HttpConfig,
    effect=lambda config: "none" if config.method in {"GET", "HEAD"} else "keyed",
    hosts=lambda config: url_hosts(config.url),
    check=check_http,
    templates=("url", "headers", "query", "body"),
    secrets=("headers",),
    refused=literal_secrets,
)
