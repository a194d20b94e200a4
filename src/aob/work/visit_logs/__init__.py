"""Lines that handlers log: `Logs` has those of a home in its files, `ChunkedLogs` those of a process among others, in
chunks that all of them read."""

from aob.work.visit_logs.chunked import ChunkedLogs
from aob.work.visit_logs.folder import Logs

__all__ = ["ChunkedLogs", "Logs"]
