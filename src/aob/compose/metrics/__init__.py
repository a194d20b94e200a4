"""Makes the metrics layer of a home for its engine: recovered, running, and one object for all its verbs."""

from aob.compose.metrics.exposition import Exposition
from aob.compose.metrics.families import Text, of_process, staged
from aob.compose.metrics.process import process_told
from aob.compose.metrics.rooms import Metrics
from aob.compose.metrics.wiring import Wiring, make_laws

__all__ = ["Exposition", "Metrics", "Text", "Wiring", "make_laws", "of_process", "process_told", "staged"]
