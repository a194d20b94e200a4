"""Commands about access: keys of the server, secrets of the home, certificates of a cluster."""

from typing import Final

from aob.cli.commands.access import certs, key, secret

ACCESS: Final = (key, secret, certs)  # in the order of `aob --help`

__all__ = ["ACCESS"]
