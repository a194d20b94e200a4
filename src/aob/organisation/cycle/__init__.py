"""Records of topics go to the agents that consume them; what agents did goes to the law of their key."""

from aob.organisation.cycle.context import SUSPENDED, AgentContext
from aob.organisation.cycle.giving import TASK
from aob.organisation.cycle.handling import Handling
from aob.organisation.cycle.history import Histories
from aob.organisation.cycle.law import AgentLaw
from aob.organisation.cycle.running import Agents
from aob.organisation.cycle.tenants import TenantAgents
from aob.organisation.cycle.values import Values

__all__ = ["SUSPENDED", "TASK", "AgentContext", "AgentLaw", "Agents", "Handling", "Histories", "TenantAgents", "Values"]
