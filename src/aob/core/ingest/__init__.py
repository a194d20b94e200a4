"""Validates event lines by contracts (`Gate`), recognizes repeats (`Dedup`), compiles expressions over events."""

from aob.core.accepted_event import LINE_BYTES_MAX, Event
from aob.core.ingest.dedup import Dedup, Runs
from aob.core.ingest.enrich import BUILTIN
from aob.core.ingest.gate import Gate, Gated
from aob.core.ingest.judge import Refused
from aob.core.ingest.kind import maker_of
from aob.core.ingest.notes import joined_notes
from aob.core.ingest.reading import paths, reader

__all__ = [
    "BUILTIN", "LINE_BYTES_MAX", "Dedup", "Event", "Gate", "Gated", "Refused", "Runs", "joined_notes", "maker_of",
    "paths", "reader",
]  # fmt: skip
