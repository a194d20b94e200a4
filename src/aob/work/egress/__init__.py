"""Sends HTTP requests of nodes and bounds their answers; never reaches addresses that the home does not allow."""

from aob.work.egress.client import Answer, CheckedClient
from aob.work.egress.rules import EgressError, EgressRules, Guard, matches

__all__ = ["Answer", "CheckedClient", "EgressError", "EgressRules", "Guard", "matches"]
