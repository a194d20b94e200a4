"""Node kinds, one file each: data about a kind, and functions over a node's config."""

from typing import Final

from aob.core.node.agent import AGENT, AgentConfig
from aob.core.node.approval import APPROVAL, ROLES
from aob.core.node.branch import BRANCH
from aob.core.node.emit import EMIT, EmitConfig
from aob.core.node.function import FUNCTION, FunctionConfig
from aob.core.node.http import HIDDEN, HTTP, HttpConfig
from aob.core.node.join import JOIN
from aob.core.node.kind import Kind
from aob.core.node.loop import LOOP
from aob.core.node.map import MAP
from aob.core.node.metric import METRIC, MetricConfig
from aob.core.node.notify import NOTIFY, NotifyConfig
from aob.core.node.object import OBJECT, ObjectConfig
from aob.core.node.timer import TIMER
from aob.core.node.wait import WAIT

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        FUNCTION, HTTP, BRANCH, JOIN, TIMER, WAIT, APPROVAL, AGENT, NOTIFY, OBJECT, MAP, LOOP, EMIT, METRIC,
    )
}  # fmt: skip

ALIASES: Final[dict[str, str]] = {"task": "function"}  # Alternative names of kinds in documents.

__all__ = [
    "ALIASES", "HIDDEN", "KINDS", "ROLES", "AgentConfig", "EmitConfig", "FunctionConfig", "HttpConfig", "Kind",
    "MetricConfig", "NotifyConfig", "ObjectConfig",
]  # fmt: skip
