"""Commands that show how a home or a cluster is: status, top."""

from typing import Final

from aob.cli.commands.status import status as _status
from aob.cli.commands.status import top as _top

STATUS: Final = (_status, _top)  # the commands in the order of `aob --help`

__all__ = ["STATUS"]
