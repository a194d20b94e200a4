"""Schemas of records in three languages: read, compared, kept in one table, and asked whether data is theirs."""

from aob.core.schema.model import Reference, Schema, Unreadable
from aob.core.schema.parsed import Parsed, normal_digest, parse, refusals
from aob.core.schema.record_check import check_record, subject_of
from aob.core.schema.table import Registered, Subject, Table

__all__ = [
    "Parsed", "Reference", "Registered", "Schema", "Subject", "Table", "Unreadable", "check_record",
    "normal_digest", "parse", "refusals", "subject_of",
]  # fmt: skip
