"""Verbs of the registry of schemas, and the requests of its own protocol."""

from aob.core.verbs.registry import schemas as schema_verbs

VERBS = schema_verbs.VERBS

__all__ = ["VERBS", "schema_verbs"]
