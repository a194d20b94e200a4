-- The cluster of this schema, its shards and members, the steps its tables have taken, and partitions by day.
-- Run once by the owner. {schema} is the schema's name, {service} the role of the services.

create table {schema}.step (
  number int primary key,
  kind text not null check (kind in ('expand', 'contract')),
  release text not null,
  by text not null default session_user,
  begun timestamptz not null default clock_timestamp(),
  ended timestamptz
);
comment on table {schema}.step is 'steps of the schema; one that has not ended is half of a migration';

create table {schema}.cluster (
  one bool primary key default true check (one),
  id bytea not null check (length(id) = 16),
  generation int not null default 1,
  store int not null default 1,
  shards int not null check (shards between 1 and 256),
  partitions int not null check (partitions in (64, 128, 256)),
  service text not null,
  made timestamptz not null default clock_timestamp()
);
comment on column {schema}.cluster.store is 'which database of the cluster this is; 1 has all but shards that were moved';

create table {schema}.shard (
  id int primary key,
  store int not null default 1,
  epoch bigint not null default 0,
  taker text not null default '',
  "row" bigint not null default 0,
  at_ms bigint not null default 0,
  cut bigint not null default 0,
  tickets_whole bool not null default true,
  partitions int not null default 0,
  made int not null default 0,
  day int not null default 0,
  day_row bigint not null default 0,
  owner text not null default '',
  address text not null default '',
  lease_until timestamptz,
  next_owner text not null default ''
) with (fillfactor = 20);
comment on column {schema}.shard.store is 'the database that has the shard: the truth in database 1, in another when it came or went';

create table {schema}.moved_shard (
  shard int not null,
  source int not null,
  target int not null,
  rows bigint not null,
  bytes bigint not null,
  by text collate "C" not null default session_user,
  at timestamptz not null default clock_timestamp(),
  primary key (shard, at)
);
comment on table {schema}.moved_shard is 'which shards went to which database, by whom and when';

create table {schema}.member (
  id text collate "C" primary key,
  address text not null,
  release text not null,
  rules int not null,
  roles text not null,
  grpc text not null default '',
  until timestamptz not null,
  leaving bool not null default false
) with (fillfactor = 50);

create table {schema}.daily (name text collate "C" primary key);
comment on table {schema}.daily is 'tables that are partitioned by day: the days since 1970-01-01';

create table {schema}.made (
  kind text not null, name text not null, shape text not null, primary key (kind, name)
);
comment on table {schema}.made is 'every table, view and function as the last step left it';

-- Partitions of all daily tables for these days. Rows that came before their partition move into it from the default.
create function {schema}.make_days(first int, last int) returns int
language plpgsql security definer set search_path = {schema}, pg_temp set lock_timeout = '2s' as $$
declare
  parent text;
  part text;
  made int := 0;
begin
  perform pg_advisory_xact_lock(6385506, hashtext('{schema}' || ' days'));
  if last - first > 400 then
    raise exception 'at most 400 days at once';
  end if;
  for parent in select name from daily order by name loop
    for day in first..last loop
      part := parent || '_d' || day;
      continue when exists (
        select from pg_class where relname = part and relnamespace = '{schema}'::regnamespace
      );
      execute format('create table %I (like %I including all)', part, parent);
      execute format('with early as (delete from %I where day = %s returning *) insert into %I select * from early',
                     parent || '_default', day, part);
      execute format('alter table %I attach partition %I for values from (%s) to (%s)', parent, part, day, day + 1);
      made := made + 1;
    end loop;
  end loop;
  return made;
end $$;

-- For each daily table its last day that has a partition (-1: none), and whether rows had to go into the default.
create function {schema}.days() returns table (name text, last_day int, missed bool)
language plpgsql stable security definer set search_path = {schema}, pg_temp as $$
declare
  parent text;
begin
  for parent in select d.name from daily d order by d.name loop
    name := parent;
    select coalesce(max(substring(c.relname from '_d([0-9]+)$')::int), -1) into last_day
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = (
        select oid from pg_class where relname = parent and relnamespace = '{schema}'::regnamespace
      );
    execute format('select exists (select from %I)', parent || '_default') into missed;
    return next;
  end loop;
end $$;

-- A new generation, which only an accepted loss or a restore begins.
create function {schema}.new_generation() returns int
language sql security definer set search_path = {schema}, pg_temp as $$
  update cluster set generation = generation + 1 returning generation;
$$;

-- Every table, view, index and function of the schema, and its shape; partitions by day are not counted.
create function {schema}.shapes() returns table (kind text, name text, shape text)
language sql stable as $$
  select 'table', c.relname::text, md5(string_agg(
      format('%s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull), ',' order by a.attname))
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
    group by c.relname
  union all
  select 'index', c.relname::text, md5(pg_get_indexdef(c.oid))
    from pg_class c where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('i', 'I') and not c.relispartition
  union all
  select 'function', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
      md5(format('%s %s %s', p.prosrc, p.prosecdef, p.proconfig))
    from pg_proc p where p.pronamespace = '{schema}'::regnamespace
$$;
