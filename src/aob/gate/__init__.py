"""The gate: checks lines of events and answers with verdicts once the accepted ones are durable and folded. One
`Ingest` per home groups events, writes groups to the log, notifies the folds, and answers; `GatedLog` applies it to
topics."""

from aob.gate.dead import DeadLetterRows
from aob.gate.gated_log import GatedLog
from aob.gate.ingest import Ingest
from aob.gate.memory import Memory
from aob.gate.pending_call import Commit

__all__ = ["Commit", "DeadLetterRows", "GatedLog", "Ingest", "Memory"]
