"""AOB: one event log on which workflows, AI agents, people and live business metrics act together.

`async with aob.open("./home", app=module) as app` runs a home in this process; `@aob.node` marks a handler;
`aob.Workflow` builds a document. Everything is imported when it is first used, so that `import aob` costs nothing.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aob.compose import App, RunHandle, open
    from aob.core.errors import AobError
    from aob.core.graph.builder import Workflow
    from aob.work.handlers import node
    from aob.work.job import Context, WorkError
    from aob.work.topic_agents import agent
    from aob.work.topic_tasks import planner, task

__all__ = [
    "AobError",
    "App",
    "Context",
    "RunHandle",
    "WorkError",
    "Workflow",
    "agent",
    "node",
    "open",
    "planner",
    "task",
]

_FROM = {
    "AobError": "aob.core.errors",
    "App": "aob.compose",
    "Context": "aob.work.job",
    "RunHandle": "aob.compose",
    "WorkError": "aob.work.job",
    "Workflow": "aob.core.graph.builder",
    "agent": "aob.work.topic_agents",
    "node": "aob.work.handlers",
    "open": "aob.compose",
    "planner": "aob.work.topic_tasks",
    "task": "aob.work.topic_tasks",
}

# gRPC reads it when it is imported first. What it does at a fork crashes one child of thirty under load (SIGSEGV before
# the child is the program that it is to be), and nothing of ours speaks gRPC in a forked child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

# httpx imports its own command line with rich, pygments and click, if they are there: half of what its import takes.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # this means: not installed


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module 'aob' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_FROM[name]), name)
