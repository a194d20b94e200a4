"""Tables of schemas for tests."""

from aob.core.schema import Schema, Table, parse


def add(table: Table, subject: str, version: int, id: int, schema: Schema, *, contract: bool = False) -> None:
    """Register a version, as the registry does."""
    table.add(subject, version, id, schema, parse(schema, table.sources(schema)).digest, contract=contract)
