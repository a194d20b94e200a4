"""Checks a subscription: its target and what it selects. Raises Invalid; pure."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aob.core.errors import Invalid
from aob.core.hint import meant
from aob.core.node.template import is_secret_name, references
from aob.core.verbs import webhook_verbs as verbs

ALL: Final = "*"
URL_CHARS_MAX: Final = 2_000
KEYS_MAX: Final = 200
STATES: Final = ("RUNNING", "COMPLETED", "FAILED", "CANCELLED")
"""The states of a run that are sent: its start and its end."""


def check_url(url: str) -> None:
    """Checks that a target is an http or https URL with a host that can be checked now."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"not a URL: {error}", code="bad_url") from None
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= URL_CHARS_MAX
    host = parts.hostname or "%"
    if not plain or parts.scheme not in ("http", "https") or "%" in host or port == 0:
        raise Invalid("a target is an http or https URL with a host", code="bad_url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        why = "a target's URL has no user name, password or fragment"
        raise Invalid(why, code="bad_url", hint="messages are signed: let the target check the signature")
    # Only after the host, or the host could not be checked.
    names = list(references(url))
    behind = list(references(url.removeprefix(f"{parts.scheme}://").partition("/")[2]))
    if names != behind or not all(map(is_secret_name, names)):
        why = "a target may name {secret:NAME} in its path and query only"
        raise Invalid(why, code="bad_url", hint="a name is letters, digits and `_`")


async def refuse_private(vet: Callable[[str], Awaitable[None]] | None, url: str) -> None:
    """Refuses a target to which nothing can be sent, now and not at the first message."""
    if vet is None:
        return
    try:
        await vet(url)
    except TimeoutError:
        return
    except Exception as error:
        if getattr(getattr(error, "fault", None), "code", "") != "egress_refused":
            raise
        raise Invalid(f"the target cannot be reached: {error}", code="bad_url") from None


def chosen_by(args: verbs.CreateWebhook) -> dict[str, tuple[str, ...]]:
    """What a subscription selects, by kind: something, and not too much."""
    runs = [state.upper() for state in args.runs]
    wants = {"event": args.events, "metric": args.metrics, "run": runs, "alert": args.alerts}
    chosen = {kind: tuple(dict.fromkeys(keys)) for kind, keys in wants.items() if keys}
    if not chosen:
        why = "a webhook wants something"
        raise Invalid(why, code="bad_webhook", hint="name events, metrics, runs or alerts; * is all")
    if sum(map(len, chosen.values())) > KEYS_MAX:
        raise Invalid(f"a webhook names at most {KEYS_MAX} things", code="bad_webhook", hint="* is all")
    for kind, keys in chosen.items():
        for key in keys:
            if not key or len(key) > 200 or not key.isprintable():
                raise Invalid(f"{key[:80]!r} is no name of a {kind}", code="bad_webhook")
            if kind == "run" and key not in (ALL, *STATES):
                raise Invalid(f"no webhook is told of runs that are {key[:80]!r}", code="bad_webhook",
                              hint=meant(key, STATES, "states"))  # fmt: skip
    return chosen
