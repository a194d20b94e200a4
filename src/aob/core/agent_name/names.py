"""Names of the streams of agents: `agent/TENANT/AGENT/KEY`, the key in percent-encoding."""

from typing import Final
from urllib.parse import quote, unquote

AGENT: Final = "agent/"
_SLASHES: Final = 3
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


def placing(stream: str) -> str:
    """What of the name of a stream decides its partition: of an agent's the key, as it would itself."""
    while stream.startswith(AGENT) and stream.count("/") >= _SLASHES:
        stream = agent_key_of(stream)
    return stream
