"""Schemas of records in three languages: read, compared, kept in one table, and asked whether data is theirs."""

from aob.core.schema.model import LEVELS, Level, Reference, Schema, Unreadable
from aob.core.schema.parsed import parse, refusals
from aob.core.schema.protobuf import serialized
from aob.core.schema.record_check import check_record
from aob.core.schema.table import MODES, Table
from aob.core.schema.wire import frame

__all__ = [
    "LEVELS", "MODES", "Level", "Reference", "Schema", "Table", "Unreadable", "check_record", "frame", "parse",
    "refusals", "serialized",
]  # fmt: skip
