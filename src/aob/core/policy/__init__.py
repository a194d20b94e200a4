"""Who may do what, and what needs a person: callers and rules in, verdicts out. Pure."""

from aob.core.policy.caller import LOCAL, ROLES, Caller, require
from aob.core.policy.link import Link, open_link, sign_link

__all__ = ["LOCAL", "ROLES", "Caller", "Link", "open_link", "require", "sign_link"]
