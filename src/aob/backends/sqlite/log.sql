-- schema
-- Topics: a row an append, with its first offset and its count; the ids of keyed appends beside them.
create table if not exists topic (id integer primary key, name text not null unique);
create table if not exists batch (topic integer not null, partition integer not null, first integer not null, count integer not null, at_ms integer not null, data blob not null, crc integer not null default -1);
create unique index if not exists batch_at on batch (topic, partition, first);
create table if not exists event_key (topic integer not null, partition integer not null, tenant text not null, source text not null, id text not null, offset integer not null, digest blob not null, primary key (topic, partition, tenant, source, id)) without rowid;
create view if not exists events as
  select t.name as topic, b.partition, b.first + e.key as offset, b.at_ms, e.value ->> 0 as id, e.value ->> 1 as source,
         e.value ->> 2 as type, e.value ->> 3 as tenant, e.value ->> 4 as subject, e.value -> 5 as data,
         e.value ->> 6 as time, e.value ->> 7 as correlationid, e.value ->> 8 as causationid, e.value ->> 9 as depth
  from batch b join topic t on t.id = b.topic, json_each(cast(b.data as text)) e;

-- topic_of
-- The number of a topic.
select id from topic where name = ?;

-- add_topic
-- A topic gets its number with its first record.
insert into topic (name) values (?) returning id;

-- end_of
-- The offset behind the last record.
select first + count from batch where topic = ? and partition = ? order by first desc limit 1;

-- key_of
-- Where a keyed record lies, and what it said.
select offset, digest from event_key where topic = ? and partition = ? and tenant = ? and source = ? and id = ?;

-- add_key
-- The id of a keyed record.
insert into event_key values (?, ?, ?, ?, ?, ?, ?);

-- add_batch
-- The records of one append.
insert into batch values (?, ?, ?, ?, ?, ?, ?);

-- batches_from
-- Appends that hold an offset or lie behind it, in order.
select first, at_ms, data, crc from batch where topic = ?1 and partition = ?2 and first >= coalesce(
  (select max(first) from batch where topic = ?1 and partition = ?2 and first <= ?3), 0) order by first;

-- topics
-- All topics that have a record.
select name from topic where exists (select 1 from batch where batch.topic = topic.id) order by name;

-- last_batch
-- The last append.
select coalesce(max(rowid), 0) from batch;
