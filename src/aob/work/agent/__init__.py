"""The parts of an agent's visit: builds prompts from a task and tools, journals calls, and checks answers."""

from aob.work.agent.answer import Form
from aob.work.agent.call import Answered, Calls, refused
from aob.work.agent.guide import examples, told
from aob.work.agent.ledger import Ledger
from aob.work.agent.offer import Offer, offers
from aob.work.agent.prompt import Prompt
from aob.work.agent.recording import recorded

__all__ = [
    "Answered",
    "Calls",
    "Form",
    "Ledger",
    "Offer",
    "Prompt",
    "examples",
    "offers",
    "recorded",
    "refused",
    "told",
]
