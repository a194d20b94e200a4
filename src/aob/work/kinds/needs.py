"""What a process has to have for nodes of the built-in kinds, as names: handlers, and offers such as `object/STORE`.
The owner of a run asks for what a node needs, a worker says what it has."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aob.core.graph.compiled import Task
from aob.core.node import AgentConfig, NotifyConfig, ObjectConfig
from aob.ports.workers import AWAY

SCHEMES: Final = ("script", "recorded")
"""Models without a provider; all others are `agent/live`."""
URLS: Final = frozenset(("http", "https"))


def needs_of(task: Task, model: str) -> tuple[str, ...]:
    """What a node of a built-in kind needs; `model` is that of agents that name none. What only its input says (a
    target that is filled in) is not among it."""
    config = task.config
    if isinstance(config, ObjectConfig):
        return (f"object/{config.store}",)
    if isinstance(config, AgentConfig):
        scheme = (config.model or model).partition(":")[0]
        return (f"agent/{scheme if scheme in SCHEMES else 'live'}", *config.tools)
    if isinstance(config, NotifyConfig):
        channel, _, name = config.to.partition(":")
        if channel in URLS or "{" in channel or (channel != "mailto" and "{" in name):
            return ()
        return (f"notify/{'mailto' if channel == 'mailto' else name}",)
    return ()


def offers_of(
    stores: Mapping[str, Any], targets: Mapping[str, str], *, mail: bool, brains: Iterable[str],
    stored: bool, told: bool,
) -> list[str]:  # fmt: skip
    """What a process offers that has these object stores, targets of notices, a mail server (`mail`) and models;
    without the libraries for stores (`stored`) or for mail (`told`) it has none of these."""
    found = [*AWAY]
    found += [f"object/{name}" for name in sorted(stores) if stored]
    found += [f"notify/{name}" for name in sorted(targets)]
    if mail and told:
        found.append("notify/mailto")
    return [*found, *(f"agent/{name}" for name in brains)]
