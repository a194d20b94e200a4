"""Rows of topics: what a commit of a shard writes of records, their keys and the marks of groups, and how it is read;
the records of earlier releases."""

from aob.ports.topics.old import OldBatch, OldTopics
from aob.ports.topics.rows import (
    READ_BYTES_MAX,
    GroupMark,
    KeyRow,
    RecordRow,
    TopicEnd,
    TopicRows,
    cut,
    every_end,
    every_mark,
    key_of,
)

__all__ = [
    "READ_BYTES_MAX", "GroupMark", "KeyRow", "OldBatch", "OldTopics", "RecordRow", "TopicEnd", "TopicRows",
    "cut", "every_end", "every_mark", "key_of",
]  # fmt: skip
