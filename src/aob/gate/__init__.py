"""Lines of events in; verdicts out, once what passed is durable in the event log and folded. One `Ingest` a home.

It groups what comes, hands each group to the log, tells whoever folds, and answers; `GatedLog` puts it before topics.
"""

from aob.gate.dead import DeadLetterRows
from aob.gate.gated_log import GatedLog
from aob.gate.ingest import Ingest
from aob.gate.memory import Memory
from aob.gate.parcel import Commit

__all__ = ["Commit", "DeadLetterRows", "GatedLog", "Ingest", "Memory"]
