"""Events flow in, what entities (an order, a customer, a run) are and were at an instant flows out.

An event counts at its event time: whichever write is later by (time, offset) holds, whatever the order of arrival.
"""

from aob.core.metric.entity.change import Change, Changes
from aob.core.metric.entity.entity import CHANGES_MAX, Entity, EntityState
from aob.core.metric.entity.fold import Entities

__all__ = ["CHANGES_MAX", "Change", "Changes", "Entities", "Entity", "EntityState"]
