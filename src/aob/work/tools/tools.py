"""Everything outside a job that its kinds may use, made once by compose and then only read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from aob.core.event import PARTITIONS
from aob.work.egress import CheckedClient
from aob.work.handlers import HandlerTable
from aob.work.pool import Processes, Threads
from aob.work.secrets import NOWHERE, Vault
from aob.work.tools.memo import Memo
from aob.work.tools.objects import ObjectStores

if TYPE_CHECKING:
    from aob.ports.cache import Cache
    from aob.ports.log import Log
    from aob.ports.model import Models
    from aob.ports.serving import MetricReader
    from aob.ports.telemetry import Telemetry


class Smtp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The home's mail server. `security` is `none`, `starttls`, or `tls` from the first byte."""

    host: str
    port: int = 25
    sender: str = "aob@localhost.localdomain"
    user: str = ""
    password: str = ""
    security: Literal["none", "starttls", "tls"] = "none"


class Tools(msgspec.Struct, frozen=True, eq=False):
    """`targets` are the URLs behind the names of `slack:`, `webhook:` and other channels. `memo` None: no visit is
    remembered; `cache` is the one for model answers, `log` takes the events that are emitted,
    `vault` knows the secrets of the home, `metrics` answers nodes that read a number (None: there are none in this
    process), `partitions` is how many a topic has, `telemetry` takes the spans of jobs that have a trace."""

    handlers: HandlerTable
    http: CheckedClient
    threads: Threads
    processes: Processes
    stores: ObjectStores
    model: "Models"
    log: "Log"
    smtp: Smtp | None = None
    targets: Mapping[str, str] = {}
    memo: Memo | None = None
    cache: "Cache | None" = None
    metrics: "MetricReader | None" = None
    vault: Vault = Vault(NOWHERE)
    partitions: int = PARTITIONS
    telemetry: "Telemetry | None" = None
