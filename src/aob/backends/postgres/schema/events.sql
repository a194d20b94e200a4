-- The log of business events and its dead letters. Run once by the owner. {schema} is the schema's name, {service} the
-- role of the services, which only reads the tables: all writing is done by the functions.

create table {schema}.event_owner (
  one bool primary key default true check (one),
  epoch bigint not null default 0,
  holder text not null default ''
) with (fillfactor = 20);
comment on table {schema}.event_owner is 'the one who appends events: each commit of theirs names the epoch';

create table {schema}.event (
  day int not null,
  partition int not null,
  "row" bigint not null,
  tenant text collate "C" not null,
  at_ms bigint not null,
  first bigint not null,
  count int not null,
  duplicate int not null,
  rejected int not null,
  duplicates bigint not null,
  rejecteds bigint not null,
  crc bigint not null,
  notes bytea not null,
  lines bytea not null,
  primary key (partition, "row", day)
) partition by range (day);
comment on table {schema}.event is 'what one tenant sent in one commit, a row a partition of the log, dense in each';
comment on column {schema}.event.duplicates is 'of this tenant in this partition, up to this row';
comment on column {schema}.event.rejecteds is 'of this tenant in this partition, up to this row';
alter table {schema}.event alter notes set storage external, alter lines set storage external;
create index event_tenant on {schema}.event (tenant, partition, "row");
create table {schema}.event_default partition of {schema}.event default;
insert into {schema}.daily values ('event');

create table {schema}.event_day (
  partition int not null,
  day int not null,
  first_row bigint not null,
  primary key (partition, day)
);
comment on table {schema}.event_day is 'the first row of a partition on each day that has one';

create table {schema}.dead_end (tenant text collate "C" primary key, last bigint not null) with (fillfactor = 50);

create table {schema}.dead (
  tenant text collate "C" not null,
  number bigint not null,
  at_ms bigint not null,
  type text collate "C" not null,
  rule text collate "C" not null,
  source text collate "C" not null,
  id text collate "C" not null,
  state text collate "C" not null default 'open',
  note text collate "C" not null default '',
  reasons bytea not null,
  line bytea not null,
  primary key (tenant, number)
);
comment on table {schema}.dead is 'events that the gate refused; texts are escaped as in aob.backends.postgres.text';
alter table {schema}.dead alter line set storage external;
create index dead_by on {schema}.dead (tenant, state, left(type, 200), number);

-- A new owner: each older one is fenced once this returns. Waits for a commit that is under way.
create function {schema}.take_events(by text) returns bigint
language sql security definer set search_path = {schema}, pg_temp as $$
  insert into event_owner as o (epoch, holder) values (1, by)
    on conflict (one) do update set epoch = o.epoch + 1, holder = by returning epoch
$$;

-- The same owner fences its own commits of unknown outcome; nothing if another has taken the log since.
create function {schema}.fence_events(by text) returns bigint
language sql security definer set search_path = {schema}, pg_temp as $$
  update event_owner set epoch = epoch + 1 where holder = by returning epoch
$$;

-- Refused events and changes of state, in order. Returns the last number of each that refused events, else null.
-- The lock lets one writer after the other: two that name the same tenants in another order never block each other.
create function {schema}.write_dead(dead_of text, dead_body bytea) returns text
language plpgsql security definer set search_path = {schema}, pg_temp as $$
declare
  one record;
  told bigint[] := '{}';
  last_of bigint;
begin
  perform 1 from event_owner for no key update;
  if not found then
    insert into event_owner default values on conflict do nothing;
    perform 1 from event_owner for no key update;
  end if;
  for one in select * from json_to_recordset(dead_of::json) as d(tenant text, refused json, settled json) loop
    last_of := null;
    if json_array_length(one.refused) > 0 then
      insert into dead_end as e values (one.tenant, json_array_length(one.refused))
        on conflict (tenant) do update set last = e.last + excluded.last returning last into last_of;
      insert into dead (tenant, number, at_ms, type, rule, source, id, reasons, line)
        select one.tenant, last_of - json_array_length(one.refused) + n, at_ms, type, rule, source, id,
               substring(dead_body from start + 1 for reasons), substring(dead_body from start + reasons + 1 for line)
        from rows from (json_to_recordset(one.refused) as (
          at_ms bigint, type text, rule text, source text, id text, start int, reasons int, line int
        )) with ordinality as r(at_ms, type, rule, source, id, start, reasons, line, n);
    end if;
    if json_array_length(one.settled) > 0 then
      update dead d set state = s.state, note = s.note
        from (select distinct on (number) number, state, note
              from rows from (json_to_recordset(one.settled) as (number bigint, state text, note text))
                with ordinality as s(number, state, note, n)
              order by number, n desc) s
        where d.tenant = one.tenant and d.number = s.number;
    end if;
    told := told || last_of;
  end loop;
  return array_to_json(told)::text;
end
$$;

-- Rows, days that begin with one of them, and dead letters, under the epoch of the owner; nothing if it is not the
-- last one. The first statement locks the owner's row, so a taker waits for this commit or fences it.
create function {schema}.append_events(held bigint, head text, body bytea, days text, dead_of text, dead_body bytea)
returns text
language plpgsql security definer set search_path = {schema}, pg_temp as $$
begin
  perform 1 from event_owner where epoch = held for no key update;
  if not found then
    return null;
  end if;
  insert into event (day, partition, "row", tenant, at_ms, first, count, duplicate, rejected, duplicates, rejecteds,
                     crc, notes, lines)
    select d, p, r, t, a, f, c, u, j, us, js, k, substring(body from s + 1 for n), substring(body from s + n + 1 for l)
    from json_to_recordset(head::json) as h(
      d int, p int, r bigint, t text, a bigint, f bigint, c int, u int, j int, us bigint, js bigint, k bigint,
      s int, n int, l int);
  if days <> '' then
    insert into event_day select p, d, r from json_to_recordset(days::json) as h(p int, d int, r bigint);
  end if;
  return case when dead_of = '' then '[]' else write_dead(dead_of, dead_body) end;
end
$$;

create view {schema}.events as
  select r.partition, r."row", r.tenant, r.at_ms, r.first + e.n - 1 as "offset", e.event ->> 'id' as id,
         e.event ->> 'source' as source, e.event ->> 'type' as type, e.event ->> 'subject' as subject,
         e.event -> 'data' as data
  from {schema}.event r
  cross join lateral (
    select replace(line, '\u0000', '\ufffd')::json as event, n
    from regexp_split_to_table(convert_from(r.lines, 'UTF8'), E'\n') with ordinality as l(line, n)) e
  where r.count > 0;
comment on view {schema}.events is 'accepted business events; U+0000 in texts, which is in none here, is shown as U+FFFD';
