"""`notify`: tells people: mail and other channels by apprise URLs, Slack and webhooks by the checked client."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from aob.core.node.kind import Kind


class NotifyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`to` is `mailto:ADDRESS` (by the home's SMTP server), `slack:NAME` or `webhook:NAME` (URLs by reference from the
    home's settings), an http(s) URL, or an apprise URL by reference. `text`, `subject` and `to` are filled by `{name}`."""

    to: str
    text: str
    subject: str = ""


def notify_hosts(config: NotifyConfig) -> Sequence[str]:
    """The host of an http(s) target, `*` when it is filled in at run time, nothing for targets by reference."""
    if not config.to.startswith(("http:", "https:", "{")):
        return ()
    host = urlsplit(config.to).hostname or ""
    return ("*",) if "{" in host or not host else (host,)


NOTIFY = Kind("notify", NotifyConfig, effect=lambda config: "once", hosts=notify_hosts)
