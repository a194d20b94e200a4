"""The interface of laws, and their streams in memory."""

from aob.journal.law.law import Beside, Changes, Law, Made, Passed, Quick, RecordLaw, Verdict, Wanted
from aob.journal.law.stream import Chunk, Stream

__all__ = ["Beside", "Changes", "Chunk", "Law", "Made", "Passed", "Quick", "RecordLaw", "Stream", "Verdict", "Wanted"]
