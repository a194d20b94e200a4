"""Rows of topics: what a commit of a shard writes of records, their keys and the marks of groups, and how it is read;
the records of earlier releases."""

from aob.ports.topics.old import OldBatch, OldEnd, OldTopics
from aob.ports.topics.rows import (
    GroupMark,
    KeyRow,
    RecordRow,
    TopicEnd,
    TopicRows,
    key_of,
    packed,
    row_of,
    unpacked,
)

__all__ = [
    "GroupMark", "KeyRow", "OldBatch", "OldEnd", "OldTopics", "RecordRow", "TopicEnd", "TopicRows", "key_of", "packed",
    "row_of", "unpacked",
]  # fmt: skip
