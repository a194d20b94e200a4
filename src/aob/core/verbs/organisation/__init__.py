"""Verbs of an organisation, one file per noun: declared topics, their records, registered agents, all of it, and
decisions of models."""

from typing import Final

from aob.core.verb import AnyVerb
from aob.core.verbs.organisation import agent_keys as agent_key_verbs
from aob.core.verbs.organisation import agents as agent_verbs
from aob.core.verbs.organisation import decisions as decision_verbs
from aob.core.verbs.organisation import records as record_verbs
from aob.core.verbs.organisation import topics as topic_verbs
from aob.core.verbs.organisation import whole as org_verbs
from aob.core.verbs.organisation.agents import RegisterAgent

VERBS: Final[tuple[AnyVerb, ...]] = (
    *topic_verbs.VERBS, *record_verbs.VERBS, *agent_verbs.VERBS, *agent_key_verbs.VERBS, *org_verbs.VERBS,
    *decision_verbs.VERBS,
)  # fmt: skip

__all__ = [
    "VERBS", "RegisterAgent", "agent_key_verbs", "agent_verbs", "decision_verbs", "org_verbs", "record_verbs",
    "topic_verbs",
]  # fmt: skip
