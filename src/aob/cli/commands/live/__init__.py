"""One file per noun of live metrics: parses words, calls a client, prints lines."""

from typing import Final

from aob.cli.commands.live import alert as _alert
from aob.cli.commands.live import deadletter as _deadletter
from aob.cli.commands.live import entity as _entity
from aob.cli.commands.live import event as _event
from aob.cli.commands.live import metric as _metric
from aob.cli.commands.live import query as _query
from aob.cli.commands.live import webhook as _webhook

LIVE: Final = (_event, _metric, _entity, _query, _deadletter, _alert, _webhook)
"""The commands of live metrics in the order of `aob --help`."""

__all__ = ["LIVE"]
