"""Tests for the rows of topics of every `Store`."""

from aob.testing.conformance.topics.rows import TopicRowsSuite, record, topic_row

__all__ = ["TopicRowsSuite", "record", "topic_row"]
