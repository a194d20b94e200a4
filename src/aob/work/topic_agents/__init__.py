"""Functions that an application marks as agents on topics go in, a table of agents comes out; what they send while they
handle a record is collected."""

from aob.work.topic_agents.collecting import Collecting, json_of, output_of, undeclared
from aob.work.topic_agents.marking import Agent, agent, scan_agents

__all__ = ["Agent", "Collecting", "agent", "json_of", "output_of", "scan_agents", "undeclared"]
