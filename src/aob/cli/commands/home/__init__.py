"""Commands for a home and its files, with or without a server: backup, restore, db, doctor, shards, settings."""

from typing import Final

from aob.cli.commands.home import backup as _backup
from aob.cli.commands.home import database as _database
from aob.cli.commands.home import doctor as _doctor
from aob.cli.commands.home import settings as _settings
from aob.cli.commands.home import shards as _shards

HOUSE: Final = (_backup, _database, _doctor, _shards, _settings)  # the commands in the order of `aob --help`

__all__ = ["HOUSE"]
