"""Records of topics in a shard: appended by the commits of its owner, read back, and how far groups have come."""

from aob.journal.parts import GAP_OF_ONE
from aob.journal.topics.attaching import Attaching
from aob.journal.topics.trimming import Compaction, Keep, Trimmed, trim_slice

__all__ = ["GAP_OF_ONE", "Attaching", "Compaction", "Keep", "Trimmed", "trim_slice"]
