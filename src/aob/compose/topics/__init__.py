"""The topics of a home over all of its shards: each partition is written by the shard that owns it. Records of an
earlier release, in which topics had a place of their own, are taken over by the owners."""

from aob.compose.topics.home_topics import HomeTopics
from aob.compose.topics.of_shard import RowText, TopicsOfShard, row_text, told_rows
from aob.compose.topics.taking_over import take_over, tidy

__all__ = ["HomeTopics", "RowText", "TopicsOfShard", "row_text", "take_over", "tidy", "told_rows"]
