"""The loop that serves every law: one commit per batch of commands, then answers and effects. Knows no run or agent."""

from aob.journal.batch import Committed, Told
from aob.journal.clock import CommittedClock
from aob.journal.deciding import Decided, SetAside, Stuck, value_error
from aob.journal.journal import Journal
from aob.journal.law.law import Law, Verdict
from aob.journal.law.stream import Stream
from aob.journal.recovery import Recovered

__all__ = [
    "Committed", "CommittedClock", "Decided", "Journal", "Law", "Recovered", "SetAside", "Stream", "Stuck", "Told",
    "Verdict", "value_error",
]  # fmt: skip
