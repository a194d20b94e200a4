"""Commands that look at a home and its files, with or without a server: backup, restore, doctor."""

from typing import Final

from aob.cli.commands.home import backup as _backup
from aob.cli.commands.home import doctor as _doctor

HOUSE: Final = (_backup, _doctor)
"""The commands in the order of `aob --help`."""

__all__ = ["HOUSE"]
