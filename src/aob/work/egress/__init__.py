"""HTTP requests of nodes go out, bounded answers come in; addresses that the home does not allow are never reached."""

from aob.work.egress.client import Answer, CheckedClient
from aob.work.egress.rules import EgressError, EgressRules, Guard

__all__ = ["Answer", "CheckedClient", "EgressError", "EgressRules", "Guard"]
