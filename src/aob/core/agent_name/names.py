"""Names of the streams of agents, `agent/TENANT/AGENT/KEY`, and of tasks and plans, `@task/TENANT/ID` and
`@plan/TENANT/ID`. Key and id are percent-encoded."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from urllib.parse import quote, unquote

AGENT: Final = "agent/"
WORK: Final = {"task": "@task/", "plan": "@plan/"}
"""Prefixes of the streams of tasks and plans."""
_WORKS: Final = tuple(WORK.values())
_SLASHES: Final = 3
_THREAD: Final = "thread/"  # the streams of threads of graphs
_OF: Final = "agent-of/"
_HELD: Final = "~"  # in front of the stream of an agent in an id: no run's begins so
HELD_CHARS_MAX: Final = 120
_OF_WORK: Final = 2  # slashes before the id of a task or a plan
_SAFE: Final = "/:@!$&'()*+,;=~ "


def agent_stream(tenant: str, agent: str, key: str) -> str:
    """The stream of an agent's key."""
    return f"{AGENT}{tenant}/{agent}/{quote(key, safe=_SAFE)}"


def agent_key_of(stream: str) -> str:
    """The key in the name of an agent's stream."""
    return unquote(stream.split("/", _SLASHES)[_SLASHES])


def agent_of(stream: str) -> str:
    """The agent in the name of the stream of one of its keys."""
    begin = stream.index("/", len(AGENT)) + 1
    return stream[begin : stream.index("/", begin)]


def tenant_of(stream: str) -> str:
    """The tenant in the name of an agent's stream."""
    return stream.split("/", 2)[1]


def ticket_holder(stream: str) -> str:
    """The name of a stream as ids of tickets contain it; empty for one that is too long for that."""
    written = urlsafe_b64encode(stream.removeprefix(AGENT).encode()).decode().rstrip("=")
    return f"{_HELD}{written}" if len(written) < HELD_CHARS_MAX else ""


def held_stream(holder: str) -> str:
    """The stream that `ticket_holder` has written; empty for any other text."""
    written = holder.removeprefix(_HELD)
    if written == holder or len(written) >= HELD_CHARS_MAX:
        return ""
    try:
        name = urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode()
    except ValueError:
        return ""
    return f"{AGENT}{name}" if name.count("/") >= _SLASHES - 1 else ""


def agent_thread(agent: str, key: str) -> str:
    """The name of the thread of a graph that is an agent: it lies in the partition of the key."""
    return f"{_OF}{agent}/{quote(key, safe=_SAFE)}"


def work_stream(kind: str, tenant: str, id: str) -> str:
    """The stream of a `task` or a `plan`."""
    return f"{WORK[kind]}{tenant}/{quote(id, safe=_SAFE)}"


def work_id_of(stream: str) -> str:
    """The id in the name of the stream of a task or a plan."""
    return unquote(stream.split("/", _OF_WORK)[_OF_WORK])


def placing(stream: str) -> str:
    """What of the name of a stream decides its partition: of an agent's the key, of a task or plan the id, as it would
    itself; of the thread of an agent's key the key."""
    if stream.startswith(_THREAD) and len(parts := stream.split("/", _SLASHES + 1)) > _SLASHES + 1:
        _, tenant, of, agent, key = parts
        stream = f"{AGENT}{tenant}/{agent}/{key}" if f"{of}/" == _OF else stream
    while True:
        if stream.startswith(AGENT) and stream.count("/") >= _SLASHES:
            stream = agent_key_of(stream)
        elif stream.startswith(_WORKS) and stream.count("/") >= _OF_WORK:
            stream = work_id_of(stream)
        else:
            return stream
