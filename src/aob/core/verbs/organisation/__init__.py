"""Verbs of an organisation, one file per noun: declared topics, registered agents, the whole."""

from typing import Final

from aob.core.verb import AnyVerb
from aob.core.verbs.organisation import agents as agent_verbs
from aob.core.verbs.organisation import topics as topic_verbs
from aob.core.verbs.organisation import whole as org_verbs
from aob.core.verbs.organisation.agents import RegisterAgent

VERBS: Final[tuple[AnyVerb, ...]] = (*topic_verbs.VERBS, *agent_verbs.VERBS, *org_verbs.VERBS)

__all__ = ["VERBS", "RegisterAgent", "agent_verbs", "org_verbs", "topic_verbs"]
