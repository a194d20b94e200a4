"""Where a worker attaches: a gRPC address, or one that the HTTP server of a home tells."""

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from aob.client import find_key, find_place
from aob.core.errors import AobError, Invalid, Unavailable
from aob.core.problem import unproven
from aob.worker import Target

if TYPE_CHECKING:
    import httpx

API_KEY: Final = "AOB_API_KEY"
URL: Final = "AOB_URL"
ASK_S: Final = 5.0
NO_HOME: Final = "no_workers_here"
LATER: Final = frozenset({429, 500, 502, 503, 504})
_HINT: Final = "--url grpc://HOST:PORT, or the HTTP address of the home: --url http://127.0.0.1:8080"

_HINT_OFF: Final = "start the home with a port for workers: AOB_GRPC_PORT=7700 aob up"
_HINT_ROLE: Final = "a key with the role work: aob key create NAME --role work"
_HINT_KEY: Final = (
    "AOB_API_KEY=SECRET, a key of it with the role work; away from this machine over https:// or grpcs://"
)


async def find_target(url: str | None, home: Path, env: Mapping[str, str], ca: str = "") -> Target:
    """The gateway of `url`, of AOB_URL, else of the home; `ca` names the authority of its certificate (empty: those of
    this machine). Raises Unavailable `no_server` where none answers, Unavailable `no_workers_here` where something ends
    each connection, Invalid for what is no address or no home."""
    text = url or env.get(URL) or ""
    key = env.get(API_KEY) or env.get("AOB_KEY") or ""
    if not text:
        place = find_place(home)
        return await _told_by(place.url, key or place.key, ca)
    parts = _parts(text)
    if not key and _is_loopback(parts.hostname or "") and (home / "key").exists():
        key = find_key(home)  # the home's own key is for this machine: it is not sent to any other
    if parts.scheme in ("http", "https"):
        return await _told_by(text.rstrip("/"), key, ca)
    if parts.scheme == "grpc" and not _is_loopback(parts.hostname or ""):
        raise Invalid(f"{text!r} is plain text and not on this machine", code="tls_required",
                      hint="a key travels in TLS only: --url grpcs://HOST:PORT")  # fmt: skip
    return Target(f"{_host(parts)}:{parts.port}", parts.scheme == "grpcs", "", key)


async def _told_by(url: str, key: str, ca: str) -> Target:
    """What an HTTP server says of its gateway. In plain text the key goes with the question on this machine only."""
    import httpx  # here: most of what a worker's keeper imports is this

    safe = url.startswith("https:") or _is_loopback(urlsplit(url).hostname or "")
    headers = {"X-API-Key": key} if key and safe else {}
    try:
        tls = url.startswith("https:")  # else no certificates are read: that takes 20 ms
        trusted = ssl.create_default_context(cafile=ca) if ca and tls else tls
        async with httpx.AsyncClient(timeout=ASK_S, headers=headers, verify=trusted) as client:
            answer = await client.get(f"{url}/v1/health")
    except httpx.TransportError as error:
        raise _no_answer(url, error) from error
    try:
        said = answer.json()
    except ValueError:
        said = None
    told = said.get("workers") if isinstance(said, dict) else None
    if not isinstance(told, str) or not told:
        if answer.status_code in LATER:
            raise Unavailable(f"the server on {url} answers {answer.status_code}", code="no_server")
        if isinstance(said, dict) and said.get("status") and "position" not in said:
            raise Invalid(f"{url} tells where workers come to only who has a key", code=NO_HOME, hint=_HINT_KEY)
        if isinstance(said, dict) and said.get("status") and "epoch" not in said:  # an admin is told that
            detail = f"{url} tells this key no place where workers come to"  # its role is another, or there is none
            raise Invalid(detail, code=NO_HOME, hint=f"{_HINT_ROLE}; if it has that, {_HINT_OFF}")
        raise Invalid(f"what listens on {url} takes no workers", code=NO_HOME, hint=_HINT_OFF)
    parts = _parts(told if "://" in told else f"grpc://{told}")
    host = _host(parts, urlsplit(url).hostname or "")
    tls = parts.scheme == "grpcs" or not _is_loopback(host.strip("[]"))  # plain text is for this machine only
    return Target(f"{host}:{parts.port}", tls, url, key)


def _no_answer(url: str, error: "httpx.TransportError") -> AobError:
    """What it means that a server gave no answer of HTTP."""
    import httpx

    why = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in why:
        refused, hint = unproven(url, why, "--ca FILE names its authority: ca.pem of aob certs init")
        return Invalid(refused, code=NO_HOME, hint=hint)
    if "[SSL" in why:
        return Invalid(f"what listens on {url} speaks no TLS: {why}", code=NO_HOME, hint=_HINT)
    ends = "(EOF)" in why or why.startswith(("Server disconnected", "ConnectError"))
    if ends or isinstance(error, httpx.ReadError):
        return Unavailable(f"what listens on {url} ends each connection", code=NO_HOME, hint=_HINT)
    if isinstance(error, httpx.RemoteProtocolError):
        return Invalid(f"what listens on {url} speaks no HTTP/1: {why}", code=NO_HOME, hint=_HINT)
    return Unavailable(f"no server answers on {url}: {why}", code="no_server", hint="is it started?")


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"{text!r} is no address: {error}", code="bad_address", hint=_HINT) from None
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
        raise Invalid(f"{text!r} is not the address of a home", code="bad_address", hint=_HINT)
    if parts.scheme.startswith("grpc") and port is None:
        raise Invalid(f"{text!r} names no port", code="bad_address", hint=_HINT)
    return parts


def _host(parts: SplitResult, seen_as: str = "") -> str:
    """The host; where a server listens everywhere, as what it was reached."""
    host = parts.hostname or ""
    if host in ("0.0.0.0", "::") and seen_as:  # noqa: S104  # what a server says, not where we listen
        host = seen_as
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
