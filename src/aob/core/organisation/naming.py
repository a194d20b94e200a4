"""Names of topics and agents: `name`, or `org.ns.name` with the namespace `org.ns`. Pure."""

import re
from typing import Final

from aob.core.errors import Invalid, Problem
from aob.core.organisation.limit import NAME_CHARS_MAX

DEFAULT_NAMESPACE: Final = "default"
FEEDS: Final = frozenset({"alerts", "org", "runs", "tickets"})
"""What the platform itself tells; an agent may consume it, and nothing else has these names."""
RESERVED: Final = ("aob.", "dead.", "in.")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\.[A-Za-z0-9_-]{1,100}")


def namespace_of(name: str) -> str:
    """The namespace of a name: its first two parts when it has three or more, else `default`."""
    parts = name.split(".", 2)
    return f"{parts[0]}.{parts[1]}" if len(parts) > 2 else DEFAULT_NAMESPACE


def is_namespace(name: str) -> bool:
    """Whether a namespace may have this name: `default`, or two parts."""
    return name == DEFAULT_NAMESPACE or _NAMESPACE.fullmatch(name) is not None


def check_name(name: str, what: str) -> None:
    """Raises Invalid `bad_name` unless a topic or an agent may have this name."""
    if not _NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX:
        why = f"{name[:80]!r} is not the name of {what}"
        hint = f"letters, digits, _ and -, single dots between parts, {NAME_CHARS_MAX} at most: acme.support.tickets"
    elif name in FEEDS or name.startswith(RESERVED):
        why, hint = f"{name[:80]} is a name of the platform's own", "choose another name"
    else:
        return
    raise Invalid(why, [Problem("/name", why, "bad_name", hint=hint)], code="bad_name", hint=hint)
