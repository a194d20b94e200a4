"""Questions of people about keys of agents, and what they want of them, go to the shard that has the keys."""

from aob.runs.agent_keys.key_verbs import AgentKeys

__all__ = ["AgentKeys"]
