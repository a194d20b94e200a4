-- Topics: the records of appends, and the ids of keyed ones beside them. Run once by the owner. Any process appends;
-- the row of a partition's end is locked by whoever does.

create table {schema}.topic (
  id int generated always as identity primary key,
  name text collate "C" not null unique
);

create table {schema}.topic_end (
  topic int not null,
  partition int not null,
  next bigint not null,
  primary key (topic, partition)
) with (fillfactor = 30);
comment on table {schema}.topic_end is 'the offset of the next record of a partition';

create table {schema}.topic_batch (
  topic int not null,
  partition int not null,
  first bigint not null,
  count int not null,
  at_ms bigint not null,
  crc bigint not null,
  data bytea not null,
  primary key (topic, partition, first)
);
alter table {schema}.topic_batch alter data set storage external;

create table {schema}.topic_key (
  topic int not null,
  partition int not null,
  key bytea not null,
  at bigint not null,
  digest bytea not null,
  primary key (topic, partition, key)
);
comment on table {schema}.topic_key is 'the offset of each keyed record by the hash of its tenant, source and id';

-- Appends of any topics, in order; each is written whole or refused. Returns for each: its first offset, and of a keyed
-- one the places and offsets of records that were there before, or the place of the record that refuses it.
-- Topics, ends, then locks are each taken in one order: two callers never block each other.
create function {schema}.append_records(asked text, body bytea) returns text
language plpgsql security definer set search_path = {schema}, pg_temp as $$
declare
  one record;
  place record;
  clash bigint;
  many bigint;
  old json;
  told json[] := '{}';
begin
  insert into topic (name)
    select distinct a.topic from json_to_recordset(asked::json) as a(topic text)
    where not exists (select from topic t where t.name = a.topic) order by 1
    on conflict do nothing;
  insert into topic_end
    select distinct t.id, a.partition, 0
    from json_to_recordset(asked::json) as a(topic text, partition int) join topic t on t.name = a.topic
    where not exists (select from topic_end e where e.topic = t.id and e.partition = a.partition) order by 1, 2
    on conflict do nothing;
  perform 1 from topic_end e
    where (e.topic, e.partition) in (
      select t.id, a.partition
      from json_to_recordset(asked::json) as a(topic text, partition int) join topic t on t.name = a.topic)
    order by e.topic, e.partition for no key update;
  for one in
    select * from json_to_recordset(asked::json) as a(
      topic text, partition int, at_ms bigint, count int, starts int[], sizes int[], crcs bigint[], keys text[],
      digests text[])
  loop
    select e.topic, e.next into place from topic_end e join topic t on t.id = e.topic
      where t.name = one.topic and e.partition = one.partition;
    if one.keys is null then
      insert into topic_batch values (
        place.topic, one.partition, place.next, one.count, one.at_ms, one.crcs[1],
        substring(body from one.starts[1] + 1 for one.sizes[1]));
      update topic_end e set next = e.next + one.count where e.topic = place.topic and e.partition = one.partition;
      told := told || json_build_object('first', place.next);
      continue;
    end if;
    select min(r.n) filter (where k.digest <> decode(r.digest, 'hex')),
           coalesce(json_agg(json_build_array(r.n - 1, k.at)) filter (where k.at is not null), '[]'),
           count(*) filter (where k.at is null)
      into clash, old, many
      from unnest(one.keys, one.digests) with ordinality as r(key, digest, n)
      left join topic_key k
        on k.topic = place.topic and k.partition = one.partition and k.key = decode(r.key, 'hex');
    if clash is not null then
      told := told || json_build_object('clash', clash - 1);
      continue;
    end if;
    if many > 0 then
      with r as (
        select r.*, place.next + row_number() over (order by r.n) - 1 as at
        from unnest(one.keys, one.digests, one.sizes, one.crcs, one.starts)
          with ordinality as r(key, digest, size, crc, start, n)
        where not exists (
          select from topic_key k
          where k.topic = place.topic and k.partition = one.partition and k.key = decode(r.key, 'hex'))
      ), k as (
        insert into topic_key
          select place.topic, one.partition, decode(r.key, 'hex'), r.at, decode(r.digest, 'hex') from r
      )
      insert into topic_batch
        select place.topic, one.partition, r.at, 1, one.at_ms, r.crc, substring(body from r.start + 1 for r.size)
        from r;
      update topic_end e set next = e.next + many where e.topic = place.topic and e.partition = one.partition;
    end if;
    told := told || json_build_object('first', place.next, 'old', old);
  end loop;
  return array_to_json(told)::text;
end
$$;

create view {schema}.topic_records as
  select t.name as topic, b.partition, b.first + e.n - 1 as "offset", b.at_ms, e.record
  from {schema}.topic_batch b join {schema}.topic t on t.id = b.topic,
       json_array_elements(convert_from(b.data, 'UTF8')::json) with ordinality as e(record, n);
comment on view {schema}.topic_records is 'records of topics: id, source, type, tenant, subject, data, time … in order';
