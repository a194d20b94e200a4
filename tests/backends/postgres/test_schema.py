"""The schema of a cluster: made once, brought forward, found when half of it is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from aob.backends.postgres.address import read_address
from aob.backends.postgres.cluster import (
    DAY_MS,
    drop_empty_days,
    join,
    make_days,
    new_generation,
    read_cluster,
    read_days,
)
from aob.backends.postgres.database import Database
from aob.backends.postgres.members import PostgresLeases
from aob.backends.postgres.schema import RELEASE, init, printed, upgrade
from aob.backends.postgres.steps import STEPS, Step, Wanted, forward
from aob.core.cluster import Member
from aob.core.errors import AobError, Conflict, Invalid, Unavailable
from aob.core.rules import RULES
from tests.servers.fixtures import Schema

NEXT = STEPS[-1].number + 1
NUMBERS = tuple(step.number for step in STEPS)
EXPAND = Step(NEXT, "expand", text="alter table {schema}.member add column if not exists color text;")
CONTRACT = Step(NEXT + 1, "contract", text="alter table {schema}.member drop column if exists color;")
FAILS = Step(NEXT, "expand", text="create table {schema}.further (id int); select 1 / 0;")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    db = await Database.open(url, size=2)
    try:
        yield db
    finally:
        await db.close()


@pytest.fixture
def empty(postgres_url: str) -> str:
    """An owner's URL with a schema that is not there; dropped afterwards."""
    name = "t_empty"
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'drop schema if exists "{name}" cascade'.encode())
    return f"{postgres_url}?schema={name}"


async def test_a_cluster_is_made_with_its_role_and_told_once(postgres_url: str) -> None:
    url = f"{postgres_url}?schema=t_made"
    made = await init(url, Wanted("t_made_service", shards=3, partitions=128))
    assert (made.shards, made.partitions, made.steps) == (3, 128, NUMBERS)
    async with opened(made.store) as db:
        cluster = await join(db)
    assert (cluster.id.hex(), cluster.shards, cluster.partitions) == (made.cluster, 3, 128)
    assert (cluster.version, cluster.contract, cluster.owner, cluster.pooler) == (NUMBERS[-1], 3, False, False)
    again = await init(url, Wanted("t_made_service"))
    assert (again.cluster, again.steps, again.store) == (made.cluster, (), "")
    with pytest.raises(Conflict) as caught:
        await init(url, Wanted("t_made_service", shards=4))
    assert caught.value.code == "other_numbers"


async def test_two_that_make_it_at_once_make_one(postgres_url: str) -> None:
    url = f"{postgres_url}?schema=t_twice"
    one, other = await asyncio.gather(*(init(url, Wanted("t_twice_service", "pw")) for _ in range(2)))
    assert one.cluster == other.cluster
    assert sorted([one.steps, other.steps]) == [(), NUMBERS]


async def test_two_clusters_with_one_role_tell_one_password(postgres_url: str) -> None:
    made = await asyncio.gather(*(init(f"{postgres_url}?schema=t_role_{n}", Wanted("t_one_role")) for n in range(4)))
    (told,) = [each.store for each in made if each.store]
    for each in made:
        async with opened(told.partition("?")[0] + f"?schema={each.schema}") as db:
            assert (await join(db)).id.hex() == each.cluster


async def test_the_service_can_neither_write_tables_nor_change_them(postgres_schema: Schema) -> None:
    async with opened(postgres_schema.url) as db:
        for text in (
            "insert into {s}.daily values ('x')", "update {s}.cluster set shards = 1", "delete from {s}.step",
            "create table {s}.mine (id int)", "drop table {s}.shard", "truncate {s}.shard",
        ):  # fmt: skip
            with pytest.raises(AobError) as caught:
                await db.run(text.replace("{s}", db.schema))  # type: ignore[arg-type]
            assert caught.value.code in ("store_rights", "store_schema"), text


@pytest.mark.parametrize("wanted", [Wanted("Röle"), Wanted('a"b'), Wanted("pg_x"), Wanted("a", partitions=65),
                                    Wanted("a", shards=300), Wanted("a", shards=-1)])  # fmt: skip
async def test_what_cannot_be_made_is_refused_before_anything_is(wanted: Wanted) -> None:
    with pytest.raises(Invalid):
        await init("postgresql://nobody@127.0.0.1:1/none", wanted)


async def test_the_printed_sql_makes_the_same_schema(postgres_url: str, postgres_schema: Schema) -> None:
    sql = printed("t_printed", Wanted("t_printed_service"))
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(sql.encode())
    async with opened(f"{postgres_url}?schema=t_printed") as db, opened(postgres_schema.url) as other:
        await join(db)
        shapes = "select kind, name, shape from {s}.made where kind = 'table' order by 1, 2"
        mine, theirs = [await d.rows(shapes.replace("{s}", d.schema)) for d in (db, other)]  # type: ignore[arg-type]
        assert mine == theirs


async def test_half_of_the_printed_sql_is_found(postgres_url: str) -> None:
    sql = printed("t_half", Wanted("t_half_service")).replace("begin;", "").replace("commit;", "")
    half = sql[: sql.index('insert into "t_half".cluster ')]
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(half.encode())
    async with opened(f"{postgres_url}?schema=t_half") as db:
        with pytest.raises(Unavailable) as caught:
            await join(db)
    assert caught.value.code == "store_half"
    assert "drop schema" in caught.value.hint
    with pytest.raises(Unavailable) as caught:
        await init(f"{postgres_url}?schema=t_half", Wanted("t_half_service"))
    assert caught.value.code == "store_half"


async def test_a_schema_of_somebody_else_is_left_alone(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("create schema t_theirs; create table t_theirs.kept (a int)")
        for schema, does in (("t_theirs", init(f"{postgres_url}?schema=t_theirs", Wanted("t_theirs_service"))),
                             ("t_theirs", upgrade(f"{postgres_url}?schema=t_theirs")),
                             ("t_nowhere", upgrade(f"{postgres_url}?schema=t_nowhere"))):  # fmt: skip
            with pytest.raises(Unavailable) as caught:
                await does
            assert (caught.value.code, schema in caught.value.detail) == ("store_missing", True)
            assert "drop" not in caught.value.hint, "what is in it is not ours"
        owner.execute("drop schema t_theirs cascade")


async def test_old_code_goes_on_after_an_expand_and_is_refused_after_a_contract(postgres_schema: Schema) -> None:
    url = postgres_schema.owner_url
    assert (await upgrade(url, steps=(*STEPS, EXPAND))).steps == (NEXT,)
    async with opened(postgres_schema.url) as db:
        assert (await join(db)).version == NEXT
        assert (await upgrade(url, steps=(*STEPS, EXPAND, CONTRACT))).steps == ()
        assert (await upgrade(url, finish=True, steps=(*STEPS, EXPAND, CONTRACT))).steps == (NEXT + 1,)
        with pytest.raises(Conflict) as caught:
            await join(db)
        assert caught.value.code == "newer_format"
        assert (await join(db, steps=(*STEPS, EXPAND, CONTRACT))).contract == NEXT + 1
    with pytest.raises(Conflict) as caught:
        await upgrade(url)
    assert caught.value.code == "newer_format"


async def test_new_code_waits_for_its_expand(postgres_schema: Schema) -> None:
    async with opened(postgres_schema.url) as db:
        with pytest.raises(Conflict) as caught:
            await join(db, steps=(*STEPS, EXPAND))
        assert caught.value.code == "schema_behind"
        assert (await join(db, steps=(*STEPS, CONTRACT._replace(number=NEXT)))).version == NEXT - 1


async def test_finishing_waits_for_members_of_another_release(postgres_schema: Schema) -> None:
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(
            f"insert into {postgres_schema.name}.member (id, address, release, rules, roles, until) "
            "values ('one', '', '0.0.1', 1, '', clock_timestamp() + interval '1 hour')".encode()
        )
    with pytest.raises(Conflict) as caught:
        await upgrade(postgres_schema.owner_url, finish=True, steps=(*STEPS, EXPAND, CONTRACT))
    assert caught.value.code == "members_differ"
    assert "one (0.0.1)" in caught.value.detail


NOTED = "select release, rules, steps, by from {s}.finished order by number"


async def test_who_finished_an_upgrade_is_noted_once(postgres_schema: Schema) -> None:
    url, steps = postgres_schema.owner_url, (*STEPS, EXPAND, CONTRACT)
    async with opened(url) as db:
        noted = NOTED.replace("{s}", db.schema).encode()
        made = await db.rows(noted)
        assert (await upgrade(url, finish=True)).finished == RELEASE, "it was made by another one: the tests"
        assert (await upgrade(url, finish=True)).finished == ""
        done = await upgrade(url, finish=True, steps=steps)
        assert (done.steps, done.finished) == ((NEXT, NEXT + 1), RELEASE)
        by = made[0][3]
        assert await db.rows(noted) == [*made, (RELEASE, RULES, [], by), (RELEASE, RULES, [NEXT, NEXT + 1], by)]


def as_before(schema: Schema) -> None:
    """A schema as releases left it that knew only the first step."""
    with psycopg.connect(schema.owner_url.partition("?")[0]) as owner:
        owner.execute(
            f"""drop table {schema.name}.finished; delete from {schema.name}.step where number > 1;
            drop function {schema.name}.drop_empty_day(int); drop table {schema.name}.log_chunk;
            drop function {schema.name}.add_log_chunks, {schema.name}.drop_log_chunks, {schema.name}.remove_log;
            drop table {schema.name}.record_row, {schema.name}.record_key, {schema.name}.record_end cascade;
            drop table {schema.name}.group_mark, {schema.name}.topics_sealed;
            drop function {schema.name}.commit_beside, {schema.name}.seal_topics, {schema.name}.append_records;
            drop function {schema.name}.trim_records, {schema.name}.commit_records;
            alter function {schema.name}.append_records_before(text, bytea) rename to append_records;
            drop table {schema.name}.entry; drop function {schema.name}.commit_entries;
            delete from {schema.name}.made;
            insert into {schema.name}.made select kind, name, shape from {schema.name}.shapes()""".encode()
        )


async def test_documents_use_what_earlier_releases_know_until_the_upgrade_is_finished(postgres_schema: Schema) -> None:
    url = postgres_schema.owner_url
    as_before(postgres_schema)
    async with opened(postgres_schema.url) as db:
        leases = PostgresLeases(db, 10_000)
        with pytest.raises(Conflict) as caught:
            await join(db)
        assert caught.value.code == "schema_behind"
        assert (await upgrade(url)).steps == tuple(step.number for step in STEPS[1:] if step.kind == "expand")
        assert (await join(db)).rules == (await leases.standing()).rules == 3
        await leases.join(Member("old", "", RELEASE, RULES - 1))
        with pytest.raises(Conflict, match=r"old \(") as caught:
            await upgrade(url, finish=True)
        assert caught.value.code == "members_differ", "the same release with other rules is another one"
        assert (await join(db)).rules == 3
        await leases.leave("old")
        done = await upgrade(url, finish=True)
        assert (done.steps, done.finished) == ((3,), RELEASE)
        assert (await join(db)).rules == (await leases.standing()).rules == RULES
        with pytest.raises(Conflict, match=f"rules {RULES}") as caught:
            await leases.join(Member("old", "", "0.0.9", RULES - 1))
        assert (caught.value.code, "start this process" in caught.value.hint) == ("newer_format", True)


async def test_one_that_slept_while_the_upgrade_was_finished_is_no_member_when_it_wakes(
    postgres_schema: Schema,
) -> None:
    async with opened(postgres_schema.url) as db:
        leases = PostgresLeases(db, 1)
        await leases.join(Member("old", "", "0.0.9", RULES))
        while (await leases.standing()).members:
            pass
        await upgrade(postgres_schema.owner_url, finish=True)
        await leases.renew("old")
        assert not (await leases.standing()).members


async def test_a_release_is_refused_where_documents_may_use_rules_that_it_does_not_know(
    postgres_schema: Schema,
) -> None:
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"insert into {postgres_schema.name}.finished (release, rules) values ('9.1', 99)".encode())
    async with opened(postgres_schema.url) as db:
        with pytest.raises(Conflict) as caught:
            await join(db)
        assert (caught.value.code, caught.value.hint) == ("newer_format", "start release 9.1 or a later one")
    with pytest.raises(Conflict) as caught:
        await upgrade(postgres_schema.owner_url, finish=True)
    assert caught.value.code == "newer_format"


@pytest.mark.parametrize("steps", [(EXPAND,), (EXPAND, CONTRACT)])
def test_one_goes_forward_at_a_time_and_a_step_is_noted_before_it_is_taken_and_ended_after_all(
    steps: tuple[Step, ...],
) -> None:
    """Whoever runs the statements one by one and stops anywhere leaves what is found as half of a migration."""
    made = forward("s", "service", "9.9", steps)
    assert "pg_advisory_xact_lock" in made[0]
    noted = [next(n for n, text in enumerate(made) if f"values ({step.number}, " in text) for step in steps]
    taken = [made.index(step.text.replace("{schema}", '"s"')) for step in steps]
    (ended,) = (n for n, text in enumerate(made) if "set ended = clock_timestamp()" in text)
    assert noted == [place - 1 for place in taken]
    assert ended == len(made) - 1


async def test_a_step_that_fails_leaves_nothing(postgres_schema: Schema) -> None:
    with pytest.raises(AobError):
        await upgrade(postgres_schema.owner_url, steps=(*STEPS, FAILS))
    async with opened(postgres_schema.url) as db:
        assert (await join(db)).version == NEXT - 1


async def test_a_step_that_ended_half_is_found_and_taken_again(postgres_schema: Schema) -> None:
    await upgrade(postgres_schema.owner_url, steps=(*STEPS, EXPAND))
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"update {postgres_schema.name}.step set ended = null where number = {NEXT}".encode())
    async with opened(postgres_schema.url) as db:
        with pytest.raises(Unavailable) as caught:
            await join(db, steps=(*STEPS, EXPAND))
        assert (caught.value.code, "upgrade" in caught.value.hint) == ("store_half", True)
        assert (await upgrade(postgres_schema.owner_url, steps=(*STEPS, EXPAND))).steps == (NEXT,)
        await join(db, steps=(*STEPS, EXPAND))


@pytest.mark.parametrize("harm", [
    "drop table {s}.member", "alter table {s}.member drop column roles", "drop function {s}.days()",
    "create or replace function {s}.new_generation() returns int language sql as 'select 1'",
])  # fmt: skip
async def test_what_was_changed_by_hand_is_found(postgres_schema: Schema, harm: str) -> None:
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"{harm.replace('{s}', postgres_schema.name)}".encode())
    async with opened(postgres_schema.url) as db:
        with pytest.raises(Unavailable) as caught:
            await read_cluster(db)
    assert caught.value.code == "store_half"


async def test_what_has_another_shape_is_taken_as_it_is_and_what_is_gone_is_not(postgres_schema: Schema) -> None:
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"alter table {postgres_schema.name}.member add column note text".encode())
        async with opened(postgres_schema.url) as db:
            with pytest.raises(Unavailable, match="table member"):
                await join(db)
            await upgrade(postgres_schema.owner_url)
            await join(db)
        owner.execute(f"drop table {postgres_schema.name}.member".encode())
    with pytest.raises(Unavailable, match=r"lacks .*table member") as caught:
        await upgrade(postgres_schema.owner_url)
    assert caught.value.code == "store_half"
    with pytest.raises(Unavailable, match=r"lacks .*table member"):
        await init(postgres_schema.owner_url, Wanted("aob_service"))


async def test_an_owner_needs_no_more_than_to_create(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        for name, right in (("t_plain", ""), ("t_maker", ""), ("t_owner", "createrole")):
            owner.execute(f"create role {name} login {right} password 'x'".encode())
            if name != "t_plain":
                owner.execute(f"grant create on database postgres to {name}".encode())
    plain, maker, full = (
        read_address(f"{postgres_url}?schema=t_by").with_user(name, "x") for name in ("t_plain", "t_maker", "t_owner")
    )
    for url in (plain, maker):
        with pytest.raises(Unavailable) as caught:
            await init(url, Wanted("t_by_service"))
        assert (caught.value.code, "--print-sql" in caught.value.hint) == ("store_rights", True)
    made = await init(full, Wanted("t_by_service"))
    async with opened(made.store) as db:
        assert not (await join(db)).owner
    with pytest.raises(Unavailable) as caught:
        await upgrade(maker)
    assert caught.value.code == "store_rights"
    again = await init(maker.replace("t_by", "t_by_two"), Wanted("t_by_service", "x"))
    assert again.service == "t_by_service"


async def test_generations_are_counted(postgres_schema: Schema) -> None:
    async with opened(postgres_schema.url) as db:
        assert await new_generation(db) == 2
        assert (await read_cluster(db)).generation == 2


async def test_a_day_without_a_partition_fails_no_commit_and_gets_one_later(postgres_schema: Schema) -> None:
    schema = postgres_schema.name
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"""
            create table {schema}.line (day int, id int, primary key (id, day)) partition by range (day);
            create table {schema}.line_default partition of {schema}.line default;
            insert into {schema}.daily values ('line');
            insert into {schema}.line values (20000, 1), (20001, 2), (99999, 3);
        """.encode())  # fmt: skip
    async with opened(postgres_schema.url) as db:
        assert [day for day in await read_days(db) if day.name == "line"] == [("line", -1, True)]
        made = await asyncio.gather(*(make_days(db, 20_001 * DAY_MS, 1) for _ in range(3)))
        assert sorted(made)[:2] == [0, 0]
        assert [day for day in await read_days(db) if day.name == "line"] == [("line", 20_002, True)]
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        parts = owner.execute(f"select tableoid::regclass::text, id from {schema}.line order by id".encode()).fetchall()
        owner.execute(f"delete from {schema}.line where id = 3".encode())
    assert [name.rpartition("_")[2] for name, _ in parts] == ["d20000", "d20001", "default"]
    async with opened(postgres_schema.url) as db:
        assert [day for day in await read_days(db) if day.name == "line"] == [("line", 20_002, False)]


async def test_days_that_retention_emptied_go_and_no_others(postgres_schema: Schema) -> None:
    name = postgres_schema.name
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"select {name}.make_days(20000, 20004)".encode())
        owner.execute(f"""
            insert into {name}.segment values (0, 20001, 'run_1', 0, 1, 1, '', 0);
            insert into {name}.journal values (0, 20002, 1, 1, 0, 1, '', '', 0);
            insert into {name}.head (shard, stream, kind, tenant, name, status, reason, started_ms, ended_ms, seq, info)
              values (0, 'run_2', 'run', 't', 'w', 'RUNNING', '', 20003::bigint * 86400000, 0, 1, '');
        """.encode())  # fmt: skip
        async with opened(postgres_schema.url) as db:
            dropped = await drop_empty_days(db, 20_006 * DAY_MS)
            assert await drop_empty_days(db, 20_006 * DAY_MS) == []
            stays = {"segment_d20001", "journal_d20002", "segment_d20003"}
            tables = ("event", "journal", "segment")
            every = {f"{table}_d{day}" for table in tables for day in range(20_000, 20_004)}
            assert set(dropped) == every - stays, "neither rows, nor the day of a live run, nor a day that is not over"
            owner.execute(f"delete from {name}.segment; delete from {name}.head".encode())
            assert await drop_empty_days(db, 20_006 * DAY_MS) == ["segment_d20001", "segment_d20003"]
            await read_cluster(db)  # no partition is part of the shape
        for day in range(20_000, 20_005):
            owner.execute("".join(f"drop table if exists {name}.{each}_d{day};" for each in tables).encode())


def test_an_address_never_shows_its_password() -> None:
    address = read_address("postgresql://user:geheim@host:5433/db?schema=x&sslmode=require")
    assert address.shown == "postgresql://user@host:5433/db?schema=x"
    assert address.url == "postgresql://user:geheim@host:5433/db?sslmode=require"
    assert read_address(address.with_user("a@b", "p/w@")).password == "p/w@"
    for wrong in ("postgresql://u:12/34@h/db", "mysql://a/b", "postgresql://h", "postgresql://h/db?schema=A",
                  "postgresql://h:p/db", "postgresql://u:geheim#@h/db", "postgresql://h/db?schema=pg_x"):  # fmt: skip
        with pytest.raises(Invalid) as caught:
            read_address(wrong)
        assert "geheim" not in str(caught.value)
        assert "34" not in str(caught.value)
