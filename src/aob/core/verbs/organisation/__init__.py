"""Verbs of an organisation, one file per noun: declared topics."""

from aob.core.verbs.organisation import topics as topic_verbs

VERBS = topic_verbs.VERBS

__all__ = ["VERBS", "topic_verbs"]
