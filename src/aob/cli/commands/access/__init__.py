"""Commands about access: keys of the server, secrets of the home."""

from typing import Final

from aob.cli.commands.access import key, secret

ACCESS: Final = (key, secret)  # in the order of `aob --help`

__all__ = ["ACCESS"]
