"""The single table of verbs, one file per noun: data only, read by server, clients, shards and rooms."""

from itertools import chain
from typing import Final

from aob.core.verb import AnyVerb
from aob.core.verbs import alerts as alert_verbs
from aob.core.verbs import contracts as contract_verbs
from aob.core.verbs import events as event_verbs
from aob.core.verbs import keys as key_verbs
from aob.core.verbs import metrics as metric_verbs
from aob.core.verbs import patches as patch_verbs
from aob.core.verbs import runs as run_verbs
from aob.core.verbs import tickets as ticket_verbs
from aob.core.verbs import values as value_verbs
from aob.core.verbs import webhooks as webhook_verbs
from aob.core.verbs import workflows as workflow_verbs
from aob.core.verbs.organisation import VERBS as ORGANISATION
from aob.core.verbs.registry import VERBS as REGISTRY
from aob.core.verbs.work import VERBS as WORK

_FEEDS: Final = (run_verbs.FOLLOW, value_verbs.LOGS)
TABLE: Final[tuple[AnyVerb, ...]] = tuple(
    chain(
        run_verbs.VERBS, patch_verbs.VERBS, _FEEDS, workflow_verbs.VERBS, ticket_verbs.VERBS, value_verbs.VERBS,
        key_verbs.VERBS, event_verbs.VERBS, metric_verbs.VERBS, contract_verbs.VERBS, alert_verbs.VERBS,
        webhook_verbs.VERBS, REGISTRY, ORGANISATION, WORK, (event_verbs.STREAM,),
    )
)  # fmt: skip
"""In the order of the documentation."""

__all__ = [
    "TABLE", "alert_verbs", "contract_verbs", "event_verbs", "key_verbs", "metric_verbs", "patch_verbs", "run_verbs",
    "ticket_verbs", "value_verbs", "webhook_verbs", "workflow_verbs",
]  # fmt: skip
