"""Tests of the rows that a `Store` has beside its history."""

from aob.testing.conformance.rows.entries import EntriesSuite, every_row

__all__ = ["EntriesSuite", "every_row"]
