"""`notify`: notifies people: mail and other channels by apprise URLs, Slack and webhooks by the checked client."""

from collections.abc import Iterator, Sequence

import msgspec

from aob.core.errors import Problem
from aob.core.node.http import check_url, url_hosts
from aob.core.node.kind import Kind, filled


class NotifyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`to` is `mailto:ADDRESS` (by the home's SMTP server), `slack:NAME` or `webhook:NAME` (URLs by reference from the
    home's settings), an http(s) URL, or an apprise URL by reference. All three are filled by `{name}`."""

    to: str
    text: str
    subject: str = ""


def notify_hosts(config: NotifyConfig) -> Sequence[str]:
    """The host of an http(s) target; none for targets by reference."""
    return url_hosts(config.to) if config.to.startswith(("http:", "https:", "{")) else ()


def check_notify(config: NotifyConfig) -> Iterator[Problem]:
    """Checks beyond types: a valid target, one line of subject."""
    channel, _, rest = config.to.partition(":")
    if channel in {"http", "https"}:
        yield from check_url("/to", config.to)
    elif not config.to.startswith("{") and not (channel and rest):
        hint = "write mailto:ADDRESS, slack:NAME, webhook:NAME or https://HOST/PATH"
        yield Problem("/to", f"{config.to[:80]!r} does not say whom to tell, and how", "bad_target", hint=hint)
    if "\n" in config.subject or "\r" in config.subject:
        yield Problem("/subject", "a subject has one line", "bad_header")
    yield from filled("/text", config.text, "the text")


NOTIFY = Kind(
    "notify",
    NotifyConfig,
    effect=lambda config: "once",
    hosts=notify_hosts,
    check=check_notify,
    templates=("to", "text", "subject"),
)
