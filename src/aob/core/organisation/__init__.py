"""The organisation of a tenant: commands become events, events a state of namespaces, topics and agents. Pure."""

from aob.core.organisation import answer as answers
from aob.core.organisation import command as commands
from aob.core.organisation import event as events
from aob.core.organisation import limit as limits
from aob.core.organisation import naming as names
from aob.core.organisation import overviewing as overview
from aob.core.organisation import parts as state
from aob.core.organisation import retaining as retention
from aob.core.organisation.deciding import decide
from aob.core.organisation.deployment import version_of
from aob.core.organisation.evolving import evolve
from aob.core.organisation.taking import untaken

__all__ = [
    "answers", "commands", "decide", "events", "evolve", "limits", "names", "overview", "retention", "state",
    "untaken", "version_of",
]  # fmt: skip
