"""`aob version`: the version of AOB, and what it runs on."""

import platform
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from importlib.metadata import version as version_of

from aob.cli.screen import Screen
from aob.cli.words import Commands, command

PACKAGE = "agentic-orchestration-builder"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The word `aob version`."""
    command(commands, common, "version", "print the version", version, reach="process")


def version(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """The version."""
    mine, python = version_of(PACKAGE), platform.python_version()
    screen.value({"aob": mine, "python": python}) if screen.json else screen.line(f"aob {mine} (Python {python})")
