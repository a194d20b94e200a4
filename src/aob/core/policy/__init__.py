"""Who may do what, and what needs a person: callers and rules in, verdicts out. Pure."""

from aob.core.policy.caller import LOCAL, ROLES, Caller, require
from aob.core.policy.link import TOKEN_MAX, Link, open_link, sign_link
from aob.core.policy.patch import PatchRules, Verdict, budget_left, review_patch

__all__ = [
    "LOCAL",
    "ROLES",
    "TOKEN_MAX",
    "Caller",
    "Link",
    "PatchRules",
    "Verdict",
    "budget_left",
    "open_link",
    "require",
    "review_patch",
    "sign_link",
]
