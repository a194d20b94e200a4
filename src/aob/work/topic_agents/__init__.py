"""Functions that an application marks as agents on topics go in, a table of agents comes out."""

from aob.work.topic_agents.marking import Agent, agent, scan_agents

__all__ = ["Agent", "agent", "scan_agents"]
