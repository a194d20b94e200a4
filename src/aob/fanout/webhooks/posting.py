"""Sends one signed message to one target and returns its answer or the error. Never follows redirects."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Protocol

import msgspec

from aob.fanout.webhooks.rules import Rules
from aob.fanout.webhooks.secret import Ready

ANSWER_MAX: Final = 65_536
ERROR_CHARS: Final = 300
_BUSY: Final = frozenset({408, 425, 429})
GONE: Final = 410


class Reply(Protocol):
    """An answer: its status, and its headers with names in lower case."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, names in lower case."""


class Poster(Protocol):
    """The HTTP sender: checks addresses, bounds answers and raises every failure."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = 30.0,
        max_bytes: int = 1_000_000,
        redirects: int = 3,
    ) -> Reply:
        """One request; with no redirects allowed a 3xx is an answer like any other."""


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of one attempt. `alive`: the target works, even if it refused the message; `wait_ms`: the pause that
    it asked for."""

    at_ms: int
    status: int
    error: str
    took_ms: int
    alive: bool
    wait_ms: int = 0

    @property
    def delivered(self) -> bool:
        """Whether the target accepted the message."""
        return 200 <= self.status < 300


def headers_of(message_id: str, body: bytes, keys: Iterable[str], now_ms: int) -> dict[str, str]:
    """The headers of Standard Webhooks; a signature for each valid secret."""
    from standardwebhooks import Webhook

    at, text = datetime.fromtimestamp(now_ms // 1_000, UTC), body.decode()
    signatures = [Webhook(each).sign(message_id, at, text) for each in keys]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now_ms // 1_000),
        "webhook-signature": " ".join(signatures),
    }


async def post(
    poster: Poster, ready: Ready, message_id: str, body: bytes, rules: Rules, wall_ms: Callable[[], int]
) -> Outcome:
    """Sends a message once. Raises only when it is cancelled."""
    at_ms, began_s = wall_ms(), monotonic()
    try:
        async with asyncio.timeout(rules.timeout_s + 1):
            answer = await poster.request(
                "POST", ready.url, headers=headers_of(message_id, body, ready.keys, at_ms), content=body,
                timeout_s=rules.timeout_s, max_bytes=ANSWER_MAX, redirects=0,
            )  # fmt: skip
    except Exception as error:
        return Outcome(at_ms, 0, ready.mask.text(_said(error)), _ms_since(began_s), False)
    status, took_ms = answer.status, _ms_since(began_s)
    if 200 <= status < 300:
        return Outcome(at_ms, status, "", took_ms, True)
    said = f"redirected ({status}): give the target's own address" if 300 <= status < 400 else f"status {status}"
    alive = status < 500 and status not in _BUSY
    asked = answer.headers.get("retry-after", "")
    wait_ms = min(int(asked) * 1_000, rules.retry_after_ms_max) if asked.isdecimal() and len(asked) < 9 else 0
    return Outcome(at_ms, status, said, took_ms, alive, wait_ms)


def _ms_since(began_s: float) -> int:
    return round((monotonic() - began_s) * 1_000)


def _said(error: Exception) -> str:
    """The code and words of an error. The poster's errors carry a fault; their words hold no secret of a header."""
    code = getattr(getattr(error, "fault", error), "code", "")
    text = f"{code}: {error}" if isinstance(code, str) and code else f"{type(error).__name__}: {error}"
    return text[:ERROR_CHARS]
