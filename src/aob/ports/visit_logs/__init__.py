"""What handlers log: the lines of a run, written by whoever has them and read in order, and the chunks of lines that
several processes of a home keep in common."""

from aob.ports.visit_logs.chunks import CHUNK_BYTES, RUN_BYTES, RUN_CHUNKS, Chunk, KeptChunk, LogChunks
from aob.ports.visit_logs.lines import Line, VisitLogs

__all__ = ["CHUNK_BYTES", "RUN_BYTES", "RUN_CHUNKS", "Chunk", "KeptChunk", "Line", "LogChunks", "VisitLogs"]
