"""Verbs of the keys of agents: list, show, steer."""

from typing import Annotated, Final, Literal

import msgspec

from aob.core.agent.shown import AgentKeyList, AgentKeyView
from aob.core.organisation import limits
from aob.core.verb import LIVE, Http, Verb, ok
from aob.core.verbs.organisation.agents import Key, Name, Text

PAGE_MAX: Final = 1_000
VISIT_CHARS_MAX: Final = limits.NAME_CHARS_MAX + 100


class ListKeys(msgspec.Struct, frozen=True):
    """Keys of an agent, of a status or of all; `before` is `next` of the page before."""

    agent: Name
    status: Literal["", "idle", "running", "backoff", "waiting", "held"] = ""
    before: Key = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 100


class ShowKey(msgspec.Struct, frozen=True):
    """A key of an agent."""

    agent: Name
    key: Key


class SteerKey(msgspec.Struct, frozen=True):
    """`hold`: nothing of the key begins from now on; `free`: it goes on, after poison with `again` with the poisonous
    record first; `cancel`: give up the record in hand, or one that is parked, by its `visit`; `replay`: handle a dead
    letter again."""

    agent: Name
    key: Key
    act: Literal["hold", "free", "cancel", "replay"]
    visit: Annotated[str, msgspec.Meta(max_length=VISIT_CHARS_MAX)] = ""
    again: bool = False
    reason: Text = ""


_AGENT: Final = "/v1/agents/{agent}"
KEYS: Final = Verb(
    "agent_keys", ListKeys, "view", "agent", "every",
    Http("GET", f"{_AGENT}/keys", "list_agent_keys", "List the keys of an agent, with what each is at.",
         ok(AgentKeyList, "A page of keys.")),
)  # fmt: skip
KEY: Final = Verb(
    "agent_key", ShowKey, "view", "agent", "key",
    Http("GET", f"{_AGENT}/key", "show_agent_key",
         "Show a key of an agent: the record in hand and what it waits for, what is parked, dead letters, holds.",
         ok(AgentKeyView, "The key."), refuses=(404,), cost=LIVE),
)  # fmt: skip
STEER: Final = Verb(
    "steer_key", SteerKey, "run", "agent", "key",
    Http("POST", f"{_AGENT}/key", "steer_agent_key",
         "Hold a key, let it go on, give up a record of it, or handle a dead letter again.",
         ok(AgentKeyView, "The key after it."), takes="SteerKeyBody", refuses=(404, 409)),
)  # fmt: skip

VERBS: Final = (KEYS, KEY, STEER)
