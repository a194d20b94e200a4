"""Commands that show how a home or a cluster is, and its handlers: status, top, handler."""

from typing import Final

from aob.cli.commands.status import handler as _handler
from aob.cli.commands.status import status as _status
from aob.cli.commands.status import top as _top

STATUS: Final = (_status, _top, _handler)  # the commands in the order of `aob --help`

__all__ = ["STATUS"]
