"""Who may do what, and what needs a person: callers and rules in, verdicts out. Pure."""

from aob.core.policy.caller import LOCAL, ROLES, Caller, require

__all__ = ["LOCAL", "ROLES", "Caller", "require"]
