"""Commands to an organisation go in and are committed with their events; what is declared is read from memory."""

from aob.organisation.agents import Agents
from aob.organisation.following import Following
from aob.organisation.groups import Groups
from aob.organisation.law import OrganisationLaw
from aob.organisation.organisations import Organisations
from aob.organisation.records import GroupedTopics, Records
from aob.organisation.retaining import Retaining
from aob.organisation.taking import Taking
from aob.organisation.topics import Topics
from aob.organisation.whole import Whole

__all__ = [
    "Agents", "Following", "GroupedTopics", "Groups", "OrganisationLaw", "Organisations", "Records", "Retaining",
    "Taking", "Topics", "Whole",
]  # fmt: skip
