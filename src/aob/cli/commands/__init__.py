"""One file per command: parses words, calls a client, prints lines. Decides nothing about runs."""

from typing import Final

from aob.cli.commands import approve as _approve
from aob.cli.commands import blob as _blob
from aob.cli.commands import call as _call
from aob.cli.commands import contract as _contract
from aob.cli.commands import demo as _demo
from aob.cli.commands import generate as _generate
from aob.cli.commands import logs as _logs
from aob.cli.commands import patch as _patch
from aob.cli.commands import replay as _replay
from aob.cli.commands import run as _run
from aob.cli.commands import up as _up
from aob.cli.commands import version as _version
from aob.cli.commands import why as _why
from aob.cli.commands import worker as _worker
from aob.cli.commands import workflow as _workflow
from aob.cli.commands.access import ACCESS
from aob.cli.commands.home import HOUSE
from aob.cli.commands.live import LIVE
from aob.cli.commands.status import STATUS

ALL: Final = (
    _up, _worker, _demo, _workflow, _run, _logs, _approve, _patch, _replay, _why, _contract, *LIVE, _generate, *ACCESS,
    _blob, _call, *STATUS, *HOUSE, _version,
)  # fmt: skip
"""The commands in the order of `aob --help`."""

__all__ = ["ALL"]
