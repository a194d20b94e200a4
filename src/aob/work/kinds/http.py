"""`http`: fills a request from the job's input and sends it by the checked client; outputs the answer's body."""

import base64
import re
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from aob.core.node import HttpConfig
from aob.core.node.template import fill, fill_text
from aob.core.value import canonical
from aob.ports.telemetry import TRACE, traceparent
from aob.ports.workers import Job
from aob.work.effect import acted
from aob.work.egress import Answer
from aob.work.job import Context, WorkError, permanent
from aob.work.secrets import NO_MASK, NOWHERE, Mask, Vault

if TYPE_CHECKING:
    from aob.work.tools import Tools

REQUEST_MS: Final = 30_000
BODY_MAX: Final = 16 * 1024 * 1024
SHOWN_BYTES: Final = 2_000  # how much of an unexpected answer the fault contains

TRACEPARENT: Final = "traceparent"
AGAIN: Final = frozenset({408, 425, 429})  # statuses besides 5xx after which a retry may help

_HEAD: Final = re.compile(r"\s*(\{[^{}]*\}|https?://[^/?#]*)(.*)", re.DOTALL | re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9._:\[\]-]*")


class Request(msgspec.Struct, frozen=True):
    """A filled request, ready to send. `secret_headers` follow no redirect to another origin; `mask` removes the
    secrets from all answers."""

    method: str
    url: str
    headers: dict[str, str]
    query: dict[str, str]
    content: bytes | None
    secret_headers: frozenset[str] = frozenset()
    mask: Mask = NO_MASK


async def perform(job: Job, ctx: Context, tools: "Tools") -> object:
    """The answer's body (parsed when it is JSON), or `{status, headers, body}` with `output: response`. Raises
    WorkError: what the client raises; `http_status` for a status that was not expected, transient for 5xx, 408, 425 and
    429, with `retry_after_ms` in its detail when the server says so; `http_bad_json`."""
    job.pulse()
    config: HttpConfig = job.task.config
    request = filled(config, job, tools.vault)
    what = {"method": request.method, "url": request.url.partition("?")[0], "node": job.task.id}

    async def act() -> object:
        if not request.mask:
            return await sent(request, job, tools)
        try:
            return request.mask.value(await sent(request, job, tools))
        except WorkError as error:
            raise request.mask.error(error) from None

    return await acted(job, ctx, "http", what, act)


async def sent(request: Request, job: Job, tools: "Tools") -> object:
    """The output for the answer of a request. Raises WorkError, as `perform`."""
    config: HttpConfig = job.task.config
    answer = await tools.http.request(
        request.method,
        request.url,
        headers=request.headers,
        query=request.query,
        content=request.content,
        timeout_s=(job.task.spec.timeout.run_ms or REQUEST_MS) / 1_000,
        max_bytes=config.max_bytes,
        redirects=config.redirects,
        secret_headers=request.secret_headers,
    )
    if request.mask:
        answer = msgspec.structs.replace(answer, body=request.mask.data(answer.body))
    check_status(config, answer)
    return output(config, answer)


def values(job: Job) -> dict[str, object]:
    """The values of `{name}`: the names of the input, and `input` for the whole of it."""
    given: object = job.input
    return {"input": given, **given} if isinstance(given, dict) else {"input": given}


def filled(config: HttpConfig, job: Job, vault: Vault = Vault(NOWHERE)) -> Request:  # noqa: B008  # holds nothing
    """The request filled with the input, each value escaped for its place, and with the secrets that its headers name.
    Raises WorkError `secret_missing`, `secret_refused`."""
    named = values(job)
    url = filled_url(config.url, named)
    host, used, secret_headers = _host_of(url), dict[str, str](), set[str]()

    def secret(name: str) -> str:
        used[name] = vault.value(name, host)
        if not job.pushed and not vault.get(name).hosts:
            why = f"the secret {name} is bound to no host, and a patch has changed this node"
            hint = f"say where it may go: aob secret set {name} --host {host}"
            raise permanent(why, code="secret_refused", sent=False, hint=hint)
        secret_headers.add(header.lower())
        return used[name]

    headers: dict[str, str] = {}
    for header, text in config.headers.items():
        headers[header] = fill_text(text, named, quote=_one_line, secret=secret)
    if config.method not in {"GET", "HEAD"}:
        headers.setdefault(config.key_header, job.key)
    if job.trace and not any(name.lower() == TRACEPARENT for name in headers):
        trace = TRACE.get()
        headers[TRACEPARENT] = job.trace if trace is None else traceparent(trace)
    query = {name: fill_text(text, named) for name, text in config.query.items()}
    content, kind = _content(fill(config.body, named))
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return Request(
        config.method, url, headers, query, content, frozenset(secret_headers), Mask(used.items()) if used else NO_MASK
    )


def filled_url(template: str, named: dict[str, object]) -> str:
    """Fill a URL so that no value can change its host or leave its path. Raises WorkError `request_invalid` (permanent)
    for a value that tries."""
    found = _HEAD.fullmatch(template)
    if found is None:
        raise _invalid(f"{template[:80]!r} is not a URL of http or https")
    head, rest = found.groups()
    start = fill_text(head, named, quote=str if head.startswith("{") else _authority)
    url = start + fill_text(rest, named, quote=partial(quote, safe=""))
    path = re.split(r"[?#]", url.split("://", 1)[-1])[0].split("/")[1:]
    if any(unquote(segment) in {".", ".."} for segment in path):
        raise _invalid("a segment of the path is `.` or `..`")
    return url


def check_status(config: HttpConfig, answer: Answer) -> None:
    """Raises WorkError `http_status` for an unexpected status."""
    expected = config.expect
    if answer.status in expected or (not expected and 200 <= answer.status < 300):
        return
    again = answer.status >= 500 or answer.status in AGAIN
    detail: dict[str, object] = {
        "status": answer.status,
        "url": answer.url,
        "body": answer.body[:SHOWN_BYTES].decode("utf-8", "replace"),
        # A server that fails may have acted before; one that refuses has not.
        "sent": answer.status >= 500 or answer.status == 408,
    }
    wait_ms = retry_after_ms(answer)
    if wait_ms is not None:
        detail["retry_after_ms"] = wait_ms
    raise WorkError(f"{answer.url} answered {answer.status}", code="http_status", transient=again, detail=detail)


def retry_after_ms(answer: Answer) -> int | None:
    """The wait that the server asks for; a date is measured against the server's own, so clocks are not compared."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return int(text[:9]) * 1_000
    try:
        seconds = (parsedate_to_datetime(text) - parsedate_to_datetime(answer.headers["date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None
    return max(0, round(seconds * 1_000))


def output(config: HttpConfig, answer: Answer) -> object:
    """The output of the node for an answer."""
    body = None if config.method == "HEAD" or answer.status == 204 else _body(answer)
    if config.output == "body":
        return body
    return {"status": answer.status, "headers": answer.headers, "body": body}


def _body(answer: Answer) -> object:
    kind, _, parameters = answer.headers.get("content-type", "").lower().partition(";")
    kind = kind.strip()
    if not answer.body:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkError(
                f"{answer.url} answered {kind} that is not JSON: {error}",
                code="http_bad_json",
                detail={"url": answer.url, "sent": True, "body": answer.body[:SHOWN_BYTES].decode("utf-8", "replace")},
            ) from error
    charset = re.search(r"charset=\"?([\w.-]+)", parameters)
    try:
        return answer.body.decode(charset.group(1) if charset else "utf-8")
    except (UnicodeDecodeError, LookupError):
        return {"base64": base64.b64encode(answer.body).decode(), "content_type": kind}


def _content(body: object) -> tuple[bytes | None, str]:
    if body is None:
        return None, ""
    data, kind = (body.encode(), "text/plain; charset=utf-8") if isinstance(body, str) else (canonical(body), "")
    if len(data) > BODY_MAX:
        raise _invalid(f"a body of {len(data)} bytes is over the limit of {BODY_MAX}")
    return data, kind or "application/json"


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _one_line(text: str) -> str:
    if any(c in text for c in "\r\n\0"):
        raise _invalid("a header has one line")
    return text


def _authority(text: str) -> str:
    if not _AUTHORITY.fullmatch(text):
        raise _invalid(f"{text[:80]!r} is not a part of a host's name")
    return text


def _invalid(message: str) -> WorkError:
    return permanent(message, code="request_invalid", sent=False)
