"""Functions that an application marks as agents on topics go in, a table of agents comes out; what they send while they
handle a record is collected."""

from aob.work.topic_agents.collecting import Collecting, json_of, output_of
from aob.work.topic_agents.given import Given, Handled, Received, handled, offered_as, received
from aob.work.topic_agents.marking import Agent, agent, scan_agents

__all__ = [
    "Agent", "Collecting", "Given", "Handled", "Received", "agent", "handled", "json_of", "offered_as", "output_of",
    "received", "scan_agents",
]  # fmt: skip
