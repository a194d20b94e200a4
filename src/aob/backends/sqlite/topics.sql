-- schema
-- Records of topics: a row a commit and partition, keys of keyed records, ends of partitions, marks of groups.
create table if not exists record_row (tenant text not null, topic text not null, partition integer not null, first integer not null, count integer not null, at_ms integer not null, data blob not null, crc integer not null);
create unique index if not exists record_row_at on record_row (tenant, topic, partition, first);
create table if not exists record_key (tenant text not null, topic text not null, partition integer not null, key blob not null, offset integer not null, digest blob not null, primary key (tenant, topic, partition, key)) without rowid;
create table if not exists record_end (tenant text not null, topic text not null, partition integer not null, next integer not null, primary key (tenant, topic, partition)) without rowid;
create table if not exists group_mark (tenant text not null, name text not null, topic text not null, partition integer not null, low integer not null, done text not null, at_ms integer not null, primary key (tenant, name, topic, partition)) without rowid;
drop view if exists topic_records;
create view topic_records as
  select r.tenant, r.topic, r.partition, r.first + e.key as offset, r.at_ms, e.value ->> 0 as id, e.value ->> 1 as source,
         e.value ->> 2 as type, e.value ->> 4 as subject, e.value -> 5 as data, e.value ->> 6 as time,
         e.value ->> 7 as correlationid, e.value ->> 8 as causationid, e.value ->> 9 as depth
  from record_row r, json_each(cast(r.data as text)) e where e.value is not null;

-- add_record
-- The records that a commit appends to one partition.
insert into record_row values (?, ?, ?, ?, ?, ?, ?, ?);

-- add_key
-- The key of a record.
insert into record_key values (?, ?, ?, ?, ?, ?);

-- put_end
-- Where a partition ends.
insert or replace into record_end values (?, ?, ?, ?);

-- put_mark
-- How far a group has come.
insert or replace into group_mark values (?, ?, ?, ?, ?, ?, ?);

-- rows
-- Rows that end after an offset, in order.
select * from record_row where tenant = ?1 and topic = ?2 and partition = ?3 and first + count > ?4 and first >= coalesce(
  (select max(first) from record_row where tenant = ?1 and topic = ?2 and partition = ?3 and first <= ?4), 0) order by first;

-- ends
-- The ends of partitions, page by page.
select * from record_end where (tenant, topic, partition) > (?, ?, ?) order by tenant, topic, partition limit ?;

-- ends_of
-- The ends of all topics of a tenant.
select * from record_end where tenant = ?;

-- end
-- Where a partition ends.
select next from record_end where tenant = ? and topic = ? and partition = ?;

-- start
-- The first row of a partition.
select first from record_row where tenant = ? and topic = ? and partition = ? order by first limit 1;

-- bytes
-- How much a partition holds.
select coalesce(sum(length(data)), 0) from record_row where tenant = ? and topic = ? and partition = ?;

-- drop_row
-- A row that is no longer kept.
delete from record_row where tenant = ? and topic = ? and partition = ? and first = ?;

-- drop_key
-- The key of a record that is no longer kept.
delete from record_key where tenant = ? and topic = ? and partition = ? and key = ?;

-- rewrite_row
-- A row of which some records are no longer kept.
update record_row set data = ?, crc = ? where tenant = ? and topic = ? and partition = ? and first = ?;

-- drop_marks
-- How far groups have come in a partition of a topic that is deleted.
delete from group_mark where tenant = ? and topic = ? and partition = ?;

-- keyed
-- Where the record of a key lies, and what it said.
select offset, digest from record_key where tenant = ? and topic = ? and partition = ? and key = ?;

-- group_marks
-- The marks of groups, page by page.
select * from group_mark where (tenant, name, topic, partition) > (?, ?, ?, ?) order by tenant, name, topic, partition limit ?;

-- old_ends
-- How far each partition of a topic had come in a file of an earlier release.
select t.name, b.partition, max(b.first + b.count) from batch b join topic t on t.id = b.topic group by 1, 2 order by 1, 2;

-- old_batches
-- Batches of such a file that hold records from an offset on.
select first, at_ms, data, %s from batch where topic = (select id from topic where name = ?1) and partition = ?2
  and first + count > ?3 order by first limit ?4;

-- old_keys
-- Digests of keyed records of such a file, by their offsets.
select offset, digest from event_key where topic = (select id from topic where name = ?1) and partition = ?2 and offset >= ?3 and offset < ?4;
