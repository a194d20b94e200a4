"""A key of an agent goes in, what people see of it comes out. Pure."""

from aob.core.agent.shown import key_answer as answers
from aob.core.agent.shown.key_answer import AgentKeyList, AgentKeyRow, AgentKeyView, key_view

__all__ = ["AgentKeyList", "AgentKeyRow", "AgentKeyView", "answers", "key_view"]
