"""Verbs of registered agents: register, list, show, find, deploy, roll back, scale, pause, resume, retire."""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from aob.core.organisation import answers, limits
from aob.core.organisation.parts import Definition
from aob.core.verb import LIVE, Gives, Http, Verb, ok

PAGE_MAX: Final = 1_000
HITS_MAX: Final = 100
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.PURPOSE_CHARS_MAX)]
Owner: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.OWNER_CHARS_MAX)]
Key: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.KEY_CHARS_MAX)]
Sources: TypeAlias = Annotated[tuple[Name, ...], msgspec.Meta(max_length=limits.SOURCES_MAX)]
Capabilities: TypeAlias = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=limits.CAPABILITY_CHARS_MAX)], ...],
    msgspec.Meta(max_length=limits.CAPABILITIES_MAX),
]
Limits: TypeAlias = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=100)], Annotated[int, msgspec.Meta(ge=0, le=2**53)]],
    msgspec.Meta(max_length=limits.LIMITS_MAX),
]
Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=limits.VERSIONS_MAX, description="0: the newest.")]


class RegisterAgent(msgspec.Struct, frozen=True):
    """An agent and what it is: an `event` agent works on records, a `service` runs by itself with one owner. It
    `consumes` topics, types of event that pass the gate, or feeds of the platform (`runs tickets alerts org`);
    `capabilities` say in words what it can do. `code` is the hash of its code."""

    agent: Name
    owner: Owner = ""
    kind: Literal["event", "service"] = "event"
    description: Text = ""
    consumes: Sources = ()
    produces: Sources = ()
    capabilities: Capabilities = ()
    handler: Annotated[str, msgspec.Meta(max_length=200)] = ""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=limits.CONCURRENCY_MAX)] = limits.CONCURRENCY_DEFAULT
    on_poison: Literal["skip", "park"] = "skip"
    while_waiting: Literal["enqueue", "reject", "rollback", "interrupt"] = "enqueue"
    limits: Limits = {}
    code: Annotated[str, msgspec.Meta(max_length=200)] = ""

    def definition(self) -> Definition:
        """The definition alone."""
        given = {name: getattr(self, name) for name in Definition.__struct_fields__}
        return Definition(**given)


class ListAgents(msgspec.Struct, frozen=True):
    """Agents of a state, a namespace or an owner; of all where it is empty. `after` is `next` of the page before."""

    state: Literal["", "active", "paused", "retired"] = ""
    namespace: Annotated[str, msgspec.Meta(max_length=limits.NAME_CHARS_MAX)] = ""
    owner: Owner = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 100
    after: Annotated[str, msgspec.Meta(max_length=limits.NAME_CHARS_MAX)] = ""


class ShowAgent(msgspec.Struct, frozen=True):
    """An agent, the version of which the definition is shown, and a key of which the version is told."""

    agent: Name
    version: Number = 0
    key: Key | None = None


class FindAgents(msgspec.Struct, frozen=True):
    """Words for what the agents are to be able to do."""

    words: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=HITS_MAX)] = 10


class NamedAgent(msgspec.Struct, frozen=True):
    """An agent by its name."""

    agent: Name


class AgentAndWhy(msgspec.Struct, frozen=True):
    """An agent by its name, and why."""

    agent: Name
    reason: Text = ""


class DeployAgent(msgspec.Struct, frozen=True):
    """A version (0: the newest) and the share of keys that it gets, in percent (100 by default); or, with `first` or
    `end`, the keys from `first` on and before `end`. All keys for one version end the ranges before."""

    agent: Name
    version: Number = 0
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    first: Key = ""
    end: Key = ""
    reason: Text = ""


class ScaleAgent(msgspec.Struct, frozen=True):
    """How many instances an agent may have."""

    agent: Name
    instances: Annotated[int, msgspec.Meta(ge=0, le=limits.INSTANCES_MAX)]


_AGENT: Final = "/v1/agents/{agent}"
_ROW: Final = ok(answers.AgentRow, "The agent as it is from now on.")
REGISTER: Final = Verb(
    "register_agent", RegisterAgent, "deploy", "agent", "main",
    Http("PUT", _AGENT, "register_agent",
         "Register an agent, or its next version. A version never changes; the same definition is the same version. "
         "The first one gets all keys, later ones none until they are deployed.",
         (Gives(201, answers.AgentRegistered, "A new version."),
          Gives(200, answers.AgentRegistered, "It was a version already.")),
         takes="AgentBody", refuses=(409, 413)),
)  # fmt: skip
LIST: Final = Verb(
    "agents", ListAgents, "view", "agent", "main",
    Http("GET", "/v1/agents", "list_agents", "List the agents by name.", ok(answers.AgentList, "A page.")),
)  # fmt: skip
FIND: Final = Verb(
    "find_agents", FindAgents, "view", "agent", "main",
    Http("GET", "/v1/agents:find", "find_agents",
         "Find agents by what they can do, in words. Retired ones are left out.",
         ok(answers.AgentHits, "The agents, best first.")),
)  # fmt: skip
SHOW: Final = Verb(
    "agent", ShowAgent, "view", "agent", "main",
    Http("GET", _AGENT, "show_agent", "Show an agent with its versions.", ok(answers.AgentView, "The agent."),
         cost=LIVE),
)  # fmt: skip
DEPLOY: Final = Verb(
    "deploy_agent", DeployAgent, "deploy", "agent", "main",
    Http("POST", f"{_AGENT}/deploy", "deploy_agent",
         "Give a version of an agent a share of the keys, or a range of them. Raising a share moves keys only to this "
         "version, lowering it only away from it.", _ROW, takes="DeployBody", refuses=(409, 413)),
)  # fmt: skip
ROLL_BACK: Final = Verb(
    "rollback_agent", AgentAndWhy, "deploy", "agent", "main",
    Http("POST", f"{_AGENT}/rollback", "rollback_agent", "Restore the deployment before the last one.", _ROW,
         takes="AgentReason", optional=True, refuses=(409,)),
)  # fmt: skip
SCALE: Final = Verb(
    "scale_agent", ScaleAgent, "deploy", "agent", "main",
    Http("POST", f"{_AGENT}/scale", "scale_agent", "Say how many instances an agent may have.", _ROW,
         takes="ScaleBody", refuses=(409, 413)),
)  # fmt: skip
PAUSE: Final = Verb(
    "pause_agent", AgentAndWhy, "deploy", "agent", "main",
    Http("POST", f"{_AGENT}/pause", "pause_agent", "Let an agent begin nothing until it is resumed.", _ROW,
         takes="AgentReason", optional=True, refuses=(409,)),
)  # fmt: skip
RESUME: Final = Verb(
    "resume_agent", NamedAgent, "deploy", "agent", "main",
    Http("POST", f"{_AGENT}/resume", "resume_agent", "Let a paused agent go on.", _ROW, refuses=(409,)),
)  # fmt: skip
RETIRE: Final = Verb(
    "retire_agent", AgentAndWhy, "deploy", "agent", "main",
    Http("POST", f"{_AGENT}/retire", "retire_agent",
         "Let an agent work no more. Its topics that expire drain; its versions stay, and it comes back when it is "
         "registered again.", _ROW, takes="AgentReason", optional=True),
)  # fmt: skip

VERBS: Final = (REGISTER, LIST, FIND, SHOW, DEPLOY, ROLL_BACK, SCALE, PAUSE, RESUME, RETIRE)
