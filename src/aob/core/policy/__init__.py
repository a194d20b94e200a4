"""Decides what callers and patches may do, and what a person must approve. Pure."""

from aob.core.policy.caller import LOCAL, Caller
from aob.core.policy.effect import Free
from aob.core.policy.link import TOKEN_MAX, Link, open_link, sign_link
from aob.core.policy.patch import CALLER_KINDS, PatchRules, Verdict, budget_left, review_patch

__all__ = [
    "CALLER_KINDS", "LOCAL", "TOKEN_MAX", "Caller", "Free", "Link", "PatchRules", "Verdict", "budget_left",
    "open_link", "review_patch", "sign_link",
]  # fmt: skip
