-- Records of topics in the shards: a row a commit and partition, keys of keyed records, ends of partitions, marks of
-- groups. Only `commit_beside` writes, in the commit of the shard's owner.

create table {schema}.record_row (
  shard int not null, tenant text collate "C" not null, topic text collate "C" not null, partition int not null,
  first bigint not null, count int not null, at_ms bigint not null, crc bigint not null, data bytea not null,
  primary key (shard, tenant, topic, partition, first)
);
alter table {schema}.record_row alter data set storage external;
create table {schema}.record_key (
  shard int not null, tenant text collate "C" not null, topic text collate "C" not null, partition int not null,
  key bytea not null, at bigint not null, digest bytea not null,
  primary key (shard, tenant, topic, partition, key)
);
comment on table {schema}.record_key is 'the offset of each keyed record by the hash of its source and id';
create table {schema}.record_end (
  shard int not null, tenant text collate "C" not null, topic text collate "C" not null, partition int not null,
  next bigint not null, primary key (shard, tenant, topic, partition)
) with (fillfactor = 50);
comment on table {schema}.record_end is 'the offset of the next record; of tenant "" how far records before step 5 came';
create table {schema}.group_mark (
  shard int not null, tenant text collate "C" not null, name text collate "C" not null,
  topic text collate "C" not null, partition int not null, low bigint not null, done text not null,
  at_ms bigint not null, primary key (shard, tenant, name, topic, partition)
) with (fillfactor = 50);

-- What a later step may add to beside: all parts of batches from place 22 on.
create function {schema}.commit_beside(good int[], parts jsonb, bytes bytea) returns void
language plpgsql set search_path = {schema}, pg_temp as $$
begin
  insert into record_row
    select (b->0)::int, x->>0, x->>1, (x->2)::int, (x->3)::bigint, (x->4)::int, (x->5)::bigint, (x->6)::bigint,
      substr(bytes, (b->1)::int + (x->7)::int + 1, (x->8)::int)
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->22) x where (b->0)::int = any(good);
  insert into record_key
    select (b->0)::int, x->>0, x->>1, (x->2)::int, decode(x->>3, 'base64'), (x->4)::bigint, decode(x->>5, 'base64')
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->23) x where (b->0)::int = any(good);
  insert into record_end
    select (b->0)::int, x->>0, x->>1, (x->2)::int, (x->3)::bigint
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->24) x where (b->0)::int = any(good)
    on conflict (shard, tenant, topic, partition) do update set next = excluded.next;
  insert into group_mark
    select (b->0)::int, x->>0, x->>1, x->>2, (x->3)::int, (x->4)::bigint, x->>5, (x->6)::bigint
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->25) x where (b->0)::int = any(good)
    on conflict (shard, tenant, name, topic, partition) do update set low = excluded.low, done = excluded.done,
      at_ms = excluded.at_ms;
end $$;

-- As before, with what is beside the runs of a batch; a batch of an earlier release has nothing there.
create or replace function {schema}.commit_runs(told bigint[], bytes bytea, rest text, kinds int, lock_ms int) returns bigint[]
language plpgsql security definer set search_path = {schema}, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  parts constant jsonb := rest::jsonb;
  answers bigint[] := array[]::bigint[];
  good int[] := array[]::int[];
  days int[] := array[]::int[];
  line jsonb;
  at int := 1;
  today int;
  held bigint;
begin
  perform set_config('lock_timeout', lock_ms::text, true);
  while at < array_length(told, 1) loop
    if told[at + 4] > 0 then
      update shard set "row" = told[at + 2], at_ms = greatest(at_ms, told[at + 3]),
        day_row = case when day_row = 0 or told[at + 3] / 86400000 > day then told[at + 2] else day_row end,
        day = greatest(day, least(told[at + 3] / 86400000, 1000000)),
        cut = case told[at + 5] when 0 then cut else told[at + 5] end,
        tickets_whole = tickets_whole or told[at + 6] = 1
      where id = told[at]::int and epoch = told[at + 1] and "row" = told[at + 2] - 1
      returning day, day_row into today, held;
    else
      update shard set at_ms = greatest(at_ms, told[at + 3]),
        cut = case told[at + 5] when 0 then cut else told[at + 5] end,
        tickets_whole = tickets_whole or told[at + 6] = 1
      where id = told[at]::int and epoch = told[at + 1]
      returning day, -1 into today, held;
    end if;
    if found then
      answers := answers || -1::bigint;
      good := good || told[at]::int;
      days := days || today;
      if held = told[at + 2] then
        insert into journal_day values (told[at], today, held);
      end if;
    else
      select case when epoch = told[at + 1] then -2 else epoch end into held from shard where id = told[at]::int;
      answers := answers || coalesce(held, -3);
      days := days || -1;
    end if;
    at := at + 11;
  end loop;
  if good = array[]::int[] then
    return answers;
  end if;
  insert into journal
    select told[p], days[(p + 10) / 11], told[p + 2], told[p + 1], told[p + 3], told[p + 4],
      substr(bytes, (told[p + 8] + told[p + 9])::int + 1, told[p + 10]::int),
      substr(bytes, told[p + 8]::int + 1, told[p + 9]::int), told[p + 7]
    from generate_series(1, array_length(told, 1), 11) p where told[p + 4] > 0 and days[(p + 10) / 11] >= 0;
  if kinds & (1 << 0) > 0 then
    for line in select x from jsonb_array_elements(parts) x where (x->0)::int = any(good) loop
      perform remove_runs((line->0)::int, (
        select substr(bytes, told[p + 8]::int + 1, told[p + 9]::int) from generate_series(1, array_length(told, 1), 11) p
        where told[p] = (line->0)::int
      ), line, bytes);
    end loop;
  end if;
  if kinds & (1 << 2) > 0 then
    insert into head
      select (b->0)::int, x->>0, x->>1, x->>2, x->>3, x->>4, x->>5, (x->6)::bigint, (x->7)::bigint, (x->8)::bigint,
        decode(x->>9, 'base64')
      from jsonb_array_elements(parts) b, jsonb_array_elements(b->2) x where (b->0)::int = any(good)
      on conflict (shard, stream) do update set kind = excluded.kind, status = excluded.status, reason = excluded.reason,
        ended_ms = excluded.ended_ms, seq = excluded.seq, info = excluded.info;
  end if;
  if kinds & (1 << 3) > 0 then
    insert into segment
      select (b->0)::int,
        coalesce((select h.day from head h where h.shard = (b->0)::int and h.stream = x->>0), -1), x->>0, (x->1)::bigint, (x->2)::bigint, (x->3)::bigint,
        substr(bytes, (b->1)::int + (x->5)::int + 1, (x->6)::int), (x->4)::bigint
      from jsonb_array_elements(parts) b, jsonb_array_elements(b->3) x where (b->0)::int = any(good)
      on conflict (shard, stream, first_seq, day) do update set count = excluded.count, "row" = excluded."row",
        data = excluded.data, crc = excluded.crc;
  end if;
  if kinds & (1 << 4) > 0 then
    insert into pointer
      select (b->0)::int, x->>0, (x->1)::bigint, (x->2)::bigint, (x->3)::bigint, x->>4
      from jsonb_array_elements(parts) b, jsonb_array_elements(b->4) x where (b->0)::int = any(good)
      on conflict (shard, stream) do update set count = excluded.count, "row" = excluded."row", crc = excluded.crc,
        places = excluded.places;
  end if;
  if kinds & (1 << 5) > 0 then
    insert into timer
      select (b->0)::int, x->>0, x->>1, (x->2)::bigint
      from jsonb_array_elements(parts) b, jsonb_array_elements(b->5) x where (b->0)::int = any(good)
      on conflict (shard, stream, id) do update set due_ms = excluded.due_ms;
  end if;
  if kinds & (1 << 6) > 0 then
    delete from timer where ctid = any(array(
      select f.ctid from jsonb_array_elements(parts) b, jsonb_array_elements(b->6) x, lateral (
        select t.ctid from timer t where t.shard = (b->0)::int and t.stream = x->>0 and x->>1 in ('', t.id) offset 0
      ) f where (b->0)::int = any(good)
    ));
  end if;
  if kinds & (1 << 7) > 0 then
    insert into ticket
      select (b->0)::int, x->>0, x->>1, x->>2, (x->3)::bigint, x->>4
      from jsonb_array_elements(parts) b, jsonb_array_elements(b->7) x where (b->0)::int = any(good)
      on conflict (shard, stream, id) do update set tenant = excluded.tenant, due_ms = excluded.due_ms,
        roles = excluded.roles;
  end if;
  if kinds & (1 << 8) > 0 then
    delete from ticket where ctid = any(array(
      select f.ctid from jsonb_array_elements(parts) b, jsonb_array_elements(b->8) x, lateral (
        select t.ctid from ticket t where t.shard = (b->0)::int and t.stream = x->>0 and x->>1 in ('', t.id) offset 0
      ) f where (b->0)::int = any(good)
    ));
  end if;
  if kinds & (1 << 9) > 0 then
    insert into value
      select (b->0)::int, x->>0, decode(x->>1, 'base64'), substr(bytes, (b->1)::int + (x->2)::int + 1, (x->3)::int)
      from jsonb_array_elements(parts) b, jsonb_array_elements(b->9) x where (b->0)::int = any(good)
      on conflict do nothing;
  end if;
  if kinds & (1 << 10) > 0 then
    perform exchange_runs(good, parts);
  end if;
  if kinds & (1 << 14) > 0 then
    insert into extent
      select (b->0)::int, (x->0)::int, (x->1)::bigint, (x->2)::bigint, (x->3)::bigint, (x->4)::int, (x->5)::bool
      from jsonb_array_elements(parts) b, jsonb_array_elements(b->14) x where (b->0)::int = any(good)
      on conflict (shard, partition, epoch) do update set first_row = excluded.first_row, last_row = excluded.last_row,
        target = excluded.target, released = excluded.released;
  end if;
  if kinds >= 1 << 22 then
    perform commit_beside(good, parts, bytes);
  end if;
  return answers;
end $$;

-- Records of before this step are taken over by the owners of the shards, once. From the first of them on nothing is
-- appended to the tables of before: an earlier release waits until its process is replaced.
create table {schema}.topics_sealed (at timestamptz not null default clock_timestamp());

alter function {schema}.append_records(text, bytea) rename to append_records_before;
create function {schema}.append_records(asked text, body bytea) returns text
language plpgsql security definer set search_path = {schema}, pg_temp as $$
begin
  lock table topic in row exclusive mode;
  if exists (select from topics_sealed) then
    raise exception 'topics lie in the shards now: use a release that knows step 5' using errcode = '55006';
  end if;
  return append_records_before(asked, body);
end $$;

create function {schema}.seal_topics() returns void
language plpgsql security definer set search_path = {schema}, pg_temp as $$
begin
  if not exists (select from topics_sealed) then
    lock table topic in share mode;
    insert into topics_sealed default values;
  end if;
end $$;

create or replace view {schema}.topic_records as
  select r.topic, r.partition, r.first + e.n - 1 as "offset", r.at_ms, e.record, r.tenant
  from {schema}.record_row r,
    json_array_elements(case when position('\\u0000'::bytea in r.data) = 0 then convert_from(r.data, 'UTF8')::json
      else regexp_replace(convert_from(r.data, 'UTF8'), '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json end)
    with ordinality as e(record, n)
  where json_typeof(e.record) <> 'null';
