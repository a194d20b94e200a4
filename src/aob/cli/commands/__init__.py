"""One file per command: parses words, calls a client, prints lines. Decides nothing about runs. A file is imported when
one of its commands is named."""

from importlib import import_module
from types import ModuleType
from typing import Final

FILES: Final = {
    "up": ("up", "serve"), "worker": ("worker", "dev"), "demo": ("demo",), "workflow": ("workflow",), "run": ("run",),
    "logs": ("logs",), "approve": ("approve",), "patch": ("patch",), "replay": ("replay",), "why": ("why",),
    "contract": ("contract",), "live.event": ("event",), "live.metric": ("metric",), "live.entity": ("entity",),
    "live.query": ("query", "search"), "live.deadletter": ("deadletter",), "live.alert": ("alert", "slo"),
    "live.webhook": ("webhook",), "organisation.topic": ("topic",), "organisation.group": ("group",),
    "organisation.agent": ("agent",), "organisation.org": ("org",), "organisation.schema": ("schema",),
    "organisation.decision": ("decision",), "organisation.eval": ("eval",), "organisation.trace": ("trace",),

    "tasks.task": ("task", "plan"),
    "generate": ("generate",), "access.key": ("key",),
    "access.secret": ("secret",), "access.certs": ("certs",), "blob": ("blob",), "call": ("call",),
    "status.status": ("status",), "status.top": ("top",), "status.handler": ("handler",),
    "home.backup": ("backup", "restore"), "home.database": ("db",), "home.doctor": ("doctor",),
    "home.shards": ("shards",), "home.settings": ("settings",), "version": ("version",),
}  # fmt: skip
"""The files and the commands in each, in the order of `aob --help`."""

__all__ = ["FILES", "files"]


def files(command: str = "") -> list[ModuleType]:
    """The file of a command; all of them where none has this name."""
    named = [file for file, commands in FILES.items() if command in commands]
    return [import_module(f"aob.cli.commands.{file}") for file in named or FILES]
