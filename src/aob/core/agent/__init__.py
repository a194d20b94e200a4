"""The law of one key of an agent: turns what becomes of records into events; the state follows from the events. Pure.
`record` holds commands and events."""

from aob.core.agent import key as keys
from aob.core.agent.deciding import decide
from aob.core.agent.effects import Effects, pending, react
from aob.core.agent.folding import fold
from aob.core.agent.holding import admission
from aob.core.agent.key import Key
from aob.core.agent.paging import decode_key, encode_key
from aob.core.agent.rules import Rules
from aob.core.agent.stepping import Decision

__all__ = [
    "Decision", "Effects", "Key", "Rules", "admission", "decide", "decode_key", "encode_key", "fold",
    "keys", "pending", "react",
]  # fmt: skip
