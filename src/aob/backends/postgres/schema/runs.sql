-- What the streams of all shards are: a journal row a commit, a head a stream, segments for reading one stream, timers,
-- tickets, values, messages. Every table has `shard`. Only the functions write; they are called by the shard's owner.

comment on column {schema}.shard.day is 'the day of the last journal row, which never goes back; day_row is its first row';

-- The first row of each day: which partition a row is in.
create table {schema}.journal_day (
  shard int not null, day int not null, first_row bigint not null, primary key (shard, first_row)
);

create table {schema}.journal (
  shard int not null, day int not null, "row" bigint not null, epoch bigint not null, at_ms bigint not null,
  count int not null, counts bytea not null, data bytea not null, crc bigint not null,
  primary key (shard, "row", day)
) partition by range (day);
alter table {schema}.journal alter column data set storage external, alter column counts set storage plain;
create table {schema}.journal_default partition of {schema}.journal default;

create table {schema}.head (
  shard int not null, stream text collate "C" not null, kind text collate "C" not null,
  tenant text collate "C" not null, name text collate "C" not null, status text collate "C" not null,
  reason text collate "C" not null, started_ms bigint not null, ended_ms bigint not null, seq bigint not null,
  info bytea not null,
  day int not null generated always as (
    case when kind in ('run', 'moved') then greatest(0, least(started_ms / 86400000, 1000000))::int else -1 end
  ) stored,
  primary key (shard, stream)
) with (fillfactor = 70);
comment on column {schema}.head.day is 'of a run the day it began, where its segments are; of what is kept for ever -1';
create index head_live on {schema}.head (shard, kind, status, stream) where ended_ms = 0 or status <> 'COMPLETED';
create index head_started on {schema}.head (shard, kind, tenant, started_ms, stream);

-- A segment lies in the day of its stream's head: -1 when there was none yet.
create table {schema}.segment (
  shard int not null, day int not null, stream text collate "C" not null, first_seq bigint not null,
  count bigint not null, "row" bigint not null, data bytea not null, crc bigint not null,
  primary key (shard, stream, first_seq, day)
) partition by range (day);
alter table {schema}.segment alter column data set storage external;
create table {schema}.segment_default partition of {schema}.segment default;
create table {schema}.segment_kept partition of {schema}.segment for values from (-1) to (0);

insert into {schema}.daily values ('journal'), ('segment');

create table {schema}.pointer (
  shard int not null, stream text collate "C" not null, count bigint not null, "row" bigint not null, crc bigint not null,
  places text not null, primary key (shard, stream)
);
create table {schema}.timer (
  shard int not null, stream text collate "C" not null, id text collate "C" not null, due_ms bigint not null,
  primary key (shard, stream, id)
);
create index timer_due on {schema}.timer (shard, due_ms, stream, id);
create table {schema}.ticket (
  shard int not null, stream text collate "C" not null, id text collate "C" not null, tenant text collate "C" not null,
  due_ms bigint not null, roles text collate "C" not null, primary key (shard, stream, id)
);
create table {schema}.value (
  shard int not null, tenant text collate "C" not null, digest bytea not null, data bytea not null,
  primary key (shard, tenant, digest)
);
alter table {schema}.value alter column data set storage external;
create table {schema}.removed (
  shard int not null, stream text collate "C" not null, record text collate "C" not null,
  tenant text collate "C" not null, by text collate "C" not null, at_ms bigint not null, before_ms bigint not null,
  primary key (shard, stream)
);
create table {schema}.leftover (
  shard int not null, kind text collate "C" not null, tenant text collate "C" not null, name bytea not null,
  at_ms bigint not null, primary key (shard, kind, tenant, name)
);
create index leftover_at on {schema}.leftover (shard, at_ms);
create table {schema}.extent (
  shard int not null, partition int not null, epoch bigint not null, first_row bigint not null, last_row bigint not null,
  target int not null, released bool not null, primary key (shard, partition, epoch)
);
create table {schema}.outbox (
  shard int not null, sender int not null, receiver int not null, generation bigint not null, number bigint not null,
  source text collate "C" not null, target text collate "C" not null, body bytea not null,
  refused text collate "C" not null, carried bytea not null,
  primary key (shard, sender, receiver, generation, number)
);
create table {schema}.sent (
  shard int not null, sender int not null, receiver int not null, generation bigint not null, number bigint not null,
  under bigint not null, primary key (shard, sender, receiver)
) with (fillfactor = 50);
create table {schema}.received (like {schema}.sent including all) with (fillfactor = 50);

-- Become the owner of a shard that is in this database: every older epoch is fenced from here on. `who` finds out later that it was itself, when
-- the answer is lost. `first` is the holding of a shard that has
-- none: [partitions, made, [[partition, epoch, first_row, last_row, target, released], …]].
create function {schema}.take_shard(which int, first text, who text) returns table (epoch bigint, "row" bigint)
language plpgsql security definer set search_path = {schema}, pg_temp as $$
declare
  held int;
begin
  update shard s set epoch = s.epoch + 1, taker = who
    where s.id = which and s.store = (select c.store from cluster c) returning s.epoch, s."row", s.partitions
    into epoch, "row", held;
  if not found then
    return;
  end if;
  if held = 0 then
    update shard s set partitions = (first::jsonb->>0)::int, made = (first::jsonb->>1)::int where s.id = which;
    insert into extent select which, (e->>0)::int, (e->>1)::bigint, (e->>2)::bigint, (e->>3)::bigint, (e->>4)::int,
      (e->>5)::bool from jsonb_array_elements(first::jsonb->2) e;
  end if;
  return next;
end $$;

-- What a batch removes, before it writes anything: streams, rows without their events, values that nothing names.
create function {schema}.remove_runs(which int, own bytea, part jsonb, bytes bytea) returns void
language plpgsql set search_path = {schema}, pg_temp as $$
declare
  base bigint := part->1;
  gone text[] := array(select x->>0 from jsonb_array_elements(part->15) x);
  whose text;
  of_day int;
begin
  foreach whose in array gone || array(select jsonb_array_elements_text(part->16)) loop
    of_day := (select h.day from head h where h.shard = which and h.stream = whose);
    delete from segment s where s.shard = which and s.stream = whose and s.day in (-1, of_day);
    delete from pointer p where p.shard = which and p.stream = whose;
    delete from timer t where t.shard = which and t.stream = whose;
    delete from ticket t where t.shard = which and t.stream = whose;
    if whose = any(gone) then
      delete from head h where h.shard = which and h.stream = whose;
    else
      update head h set kind = 'moved' where h.shard = which and h.stream = whose;
    end if;
  end loop;
  update journal j set data = substr(bytes, (base + n.at)::int + 1, n.length)
    from (
      select r.*, (
        select d.day from journal_day d where d.shard = which and d.first_row <= r.number order by d.first_row desc limit 1
      ) as day from (
        select (x->0)::bigint as number, (x->1)::bigint as at, (x->2)::int as length from jsonb_array_elements(part->17) x
      ) r
    ) n where j.shard = which and j."row" = n.number and j.day = n.day;
  insert into removed as r
    select which, x->>0, x->>1, x->>2, x->>3, (x->4)::bigint, (x->5)::bigint from jsonb_array_elements(part->15) x
    on conflict (shard, stream) do update set record = excluded.record, tenant = excluded.tenant, by = excluded.by,
      at_ms = excluded.at_ms, before_ms = excluded.before_ms;
  insert into leftover as l
    select which, x->>0, x->>1, decode(x->>2, 'base64'), (x->3)::bigint from jsonb_array_elements(part->18) x
    on conflict (shard, kind, tenant, name) do update set at_ms = excluded.at_ms;
  delete from leftover l using jsonb_array_elements(part->19) x
    where l.shard = which and l.kind = x->>0 and l.tenant = x->>1 and l.name = decode(x->>2, 'base64');
  delete from value v using (
    select x->>0 as tenant, decode(x->>1, 'base64') as digest,
      convert_to(encode(decode(x->>1, 'base64'), 'hex'), 'UTF8') as hash from jsonb_array_elements(part->20) x
  ) n where v.shard = which and v.tenant = n.tenant and v.digest = n.digest and position(n.hash in own) = 0
    and not exists (
      select from journal j where j.shard = which and j."row" > (part->21)::bigint and position(n.hash in j.data) > 0
    );
end $$;

-- Write the batches of several shards, each wholly or not at all. `told` has 11 numbers a batch, by shard: shard, epoch,
-- row, at_ms, count, cut, tickets_whole, crc, at, length of the data, length of the counts behind it; `at` in `bytes`.
-- `rest` has its other parts: [shard, at, …] as telling.py names them; a bit of `kinds` says that one is there at all.
-- Rows are looked up by their keys, whatever the planner takes the length of a JSON list and of a table to be.
-- A lock is waited for `lock_ms` at most. Answers a number a batch: -1 written, -2 its row does not follow the last one,
-- -3 no such shard, else the epoch held.
create function {schema}.commit_runs(told bigint[], bytes bytea, rest text, kinds int, lock_ms int) returns bigint[]
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
  return answers;
end $$;

-- The messages of batches: what was delivered goes before what is sent is written.
create function {schema}.exchange_runs(good int[], parts jsonb) returns void
language plpgsql set search_path = {schema}, pg_temp as $$
declare
  mark record;
begin
  for mark in
    select (b->0)::int as shard, (x->0)::int as sender, (x->1)::int as receiver, (x->2)::bigint as generation,
      (x->3)::bigint as number
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->11) x where (b->0)::int = any(good)
  loop
    delete from outbox o where o.shard = mark.shard and o.sender = mark.sender and o.receiver = mark.receiver
      and o.generation = mark.generation and o.number <= mark.number;
    delete from outbox o where o.shard = mark.shard and o.sender = mark.sender and o.receiver = mark.receiver
      and o.generation < mark.generation;
  end loop;
  insert into outbox
    select (b->0)::int, (x->0)::int, (x->1)::int, (x->2)::bigint, (x->3)::bigint, x->>4, x->>5, decode(x->>6, 'base64'),
      x->>7, decode(x->>8, 'base64')
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->10) x where (b->0)::int = any(good)
    on conflict (shard, sender, receiver, generation, number) do update set source = excluded.source,
      target = excluded.target, body = excluded.body, refused = excluded.refused, carried = excluded.carried;
  insert into sent
    select (b->0)::int, (x->0)::int, (x->1)::int, (x->2)::bigint, (x->3)::bigint, (x->4)::bigint
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->12) x where (b->0)::int = any(good)
    on conflict (shard, sender, receiver) do update set generation = excluded.generation, number = excluded.number,
      under = excluded.under;
  insert into received
    select (b->0)::int, (x->0)::int, (x->1)::int, (x->2)::bigint, (x->3)::bigint, (x->4)::bigint
    from jsonb_array_elements(parts) b, jsonb_array_elements(b->13) x where (b->0)::int = any(good)
    on conflict (shard, sender, receiver) do update set generation = excluded.generation, number = excluded.number,
      under = excluded.under;
end $$;

-- Rows of a journal after a row, from the partition of that row on.
create function {schema}.read_journal(which int, after bigint, most bigint)
returns table ("row" bigint, epoch bigint, at_ms bigint, count int, data bytea, counts bytea, crc bigint)
language plpgsql stable set search_path = {schema}, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  from_day int := (
    select d.day from journal_day d where d.shard = which and d.first_row <= after + 1 order by d.first_row desc limit 1
  );
begin
  return query select j."row", j.epoch, j.at_ms, j.count, j.data, j.counts, j.crc from journal j
    where j.shard = which and j."row" > after and j.day >= coalesce(from_day, 0) order by j."row" limit most;
end $$;

-- Bytes of a row, and its time; nothing for a row that is not there.
create function {schema}.read_piece(which int, number bigint, at int, length int) returns table (at_ms bigint, piece bytea)
language plpgsql stable set search_path = {schema}, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  of_day int := (
    select d.day from journal_day d where d.shard = which and d.first_row <= number order by d.first_row desc limit 1
  );
begin
  return query select j.at_ms, substr(j.data, at + 1, length) from journal j
    where j.shard = which and j."row" = number and j.day = of_day;
end $$;

-- Segments of a stream that hold events from a sequence number on. One of pointers has the pieces that it points to,
-- and stands for all that begin within it, unless a copy of all of its events is there.
create function {schema}.read_segments(which int, whose text, after bigint, most bigint)
returns table (first_seq bigint, count bigint, "row" bigint, data bytea, crc bigint, places text, times bigint[], pieces bytea[])
language plpgsql stable set search_path = {schema}, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  of_day int := (select h.day from head h where h.shard = which and h.stream = whose);
  whole pointer;
  held bigint := 0;
begin
  select p.* into whole from pointer p where p.shard = which and p.stream = whose and not exists (
    select from segment s where s.shard = which and s.stream = whose and s.first_seq = 0 and s.count >= p.count
      and s.day in (-1, of_day)
  );
  if found then
    held := whole.count;
    if held > after then
      most := most - 1;
      return query select 0::bigint, whole.count, whole."row", ''::bytea, whole.crc, whole.places,
          array_agg(p.at_ms order by x.place), array_agg(p.piece order by x.place)
        from jsonb_array_elements(whole.places::jsonb) with ordinality x(at, place)
          left join lateral read_piece(which, (x.at->0)::bigint, (x.at->2)::int, (x.at->3)::int) p on true;
    end if;
  end if;
  return query select distinct on (s.first_seq) s.first_seq, s.count, s."row", s.data, s.crc, null::text, null::bigint[],
      null::bytea[]
    from segment s where s.shard = which and s.stream = whose and s.first_seq + s.count > after and s.first_seq >= held
      and s.day in (-1, of_day)
    order by s.first_seq, s.day desc limit most;
end $$;

-- Views for people, the same as in a file of SQLite, with the shard before. The text of an event is JSON; what no text
-- of Postgres may hold is shown as a replacement character.
create view {schema}.event_log as
  select j.shard, j."row", j.at_ms, s.value->>0 as stream, (s.value->>1)::bigint + e.place - 1 as seq,
    (e.event->>0)::int as tag, e.event
  from {schema}.journal j,
    json_array_elements(case when position('\\u0000'::bytea in j.data) = 0 then convert_from(j.data, 'UTF8')::json
      else regexp_replace(convert_from(j.data, 'UTF8'), '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json end) s,
    json_array_elements(s.value->2) with ordinality e(event, place);
create view {schema}.runs as
  select shard, stream as run, tenant, name as workflow, status, reason, started_ms, nullif(ended_ms, 0) as ended_ms, seq
  from {schema}.head where kind = 'run';
create view {schema}.patches as
  select shard, stream as run, event->>1 as patch, event->>2 as author, event->>3 as kind, event->>4 as reason,
    event->>7 as state, event->6 as operations, at_ms
  from {schema}.event_log where tag = 12 and left(stream, 4) = 'run_';
create view {schema}.artifacts as
  select shard, stream as workflow, event->>1 as artifact, event->>2 as version, event->>3 as by, at_ms
  from {schema}.event_log where tag = 1 and left(stream, 9) = 'workflow/';
