"""What every table and function of the schema keeps to, whoever adds one: no plain write, no path to an object of a
stranger, no order that depends on the language of the server."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.servers.fixtures import SERVICE, Schema

Owner = psycopg.Connection[tuple[object, ...]]
ANY_ORDER = ("step", "cluster", "shard", "member", "made", "event_owner.holder", "pointer.places", "lease.address",
             "group_mark.done")  # fmt: skip
"""Tables and columns whose texts nobody sorts or compares but for equality."""


@pytest.fixture
def owner(postgres_schema: Schema) -> Iterator[Owner]:
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as one:
        yield one


def names(owner: Owner, statement: str, *given: object) -> list[object]:
    return [name for (name,) in owner.execute(statement.encode(), given or None).fetchall()]


def test_the_service_writes_no_table_itself(postgres_schema: Schema, owner: Owner) -> None:
    assert not names(
        owner,
        "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'v') "
        "and (has_table_privilege(%s, oid, 'insert') or has_table_privilege(%s, oid, 'update') "
        "or has_table_privilege(%s, oid, 'delete') or has_table_privilege(%s, oid, 'truncate') "
        "or has_any_column_privilege(%s, oid, 'update'))",
        postgres_schema.name, *[SERVICE] * 5,
    )  # fmt: skip


def test_nobody_else_may_do_anything(postgres_schema: Schema, owner: Owner) -> None:
    owner.execute("do $$ begin create role t_stranger; exception when duplicate_object then null; end $$")
    schema = postgres_schema.name
    assert names(owner, "select has_schema_privilege('t_stranger', %s, 'usage, create')", schema) == [False]
    assert not names(
        owner,
        "select proname from pg_proc where pronamespace = %s::regnamespace "
        "and has_function_privilege('t_stranger', oid, 'execute')", schema,
    )  # fmt: skip


def test_a_function_with_the_owners_rights_looks_into_this_schema_alone(postgres_schema: Schema, owner: Owner) -> None:
    found = owner.execute(
        b"select proname, array_to_string(proconfig, ';') from pg_proc "
        b"where pronamespace = %s::regnamespace and prosecdef",
        (postgres_schema.name,),
    ).fetchall()
    assert len(found) > 3
    path = f"search_path={postgres_schema.name}, pg_temp"
    assert not [name for name, config in found if path not in str(config).replace('"', "").split(";")]


def test_texts_are_compared_by_their_bytes(postgres_schema: Schema, owner: Owner) -> None:
    assert not names(
        owner,
        "select c.relname || '.' || a.attname from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 join pg_collation l on l.oid = a.attcollation "
        "where c.relnamespace = %s::regnamespace and c.relkind in ('r', 'p') and not c.relispartition "
        "and l.collname <> 'C' and not array[c.relname::text, c.relname || '.' || a.attname] && %s",
        postgres_schema.name, list(ANY_ORDER),
    )  # fmt: skip


def test_a_table_by_day_has_a_default_partition(postgres_schema: Schema, owner: Owner) -> None:
    by_day = set(names(owner, f"select name from {postgres_schema.name}.daily"))
    partitioned = set(names(
        owner, "select relname::text from pg_class where relnamespace = %s::regnamespace and relkind = 'p'",
        postgres_schema.name,
    ))  # fmt: skip
    assert by_day == partitioned
    for name in by_day:
        assert names(owner, f"select count(*) from {postgres_schema.name}.{name}_default") == [0]
