-- schema
-- Rows beside the events of streams, by key. Streams have numbers, because most rows are small.
create table if not exists entry_stream (id integer primary key, stream text not null unique);
create table if not exists entry (stream integer not null, key blob not null, data blob not null, unique (stream, key));

-- number
-- The number of a stream.
select id from entry_stream where stream = ?;

-- add_stream
-- A stream that has its first row.
insert into entry_stream (stream) values (?) returning id;

-- put
-- A row, over the one that was there.
insert into entry values (?, ?, ?) on conflict (stream, key) do update set data = excluded.data;

-- drop
-- Rows from a key on, up to another.
delete from entry where stream = ?1 and key >= ?2 and key < ?3;

-- drop_from
-- Rows from a key on.
delete from entry where stream = ?1 and key >= ?2;

-- drop_stream
-- A stream that has no row any more.
delete from entry_stream where id = ?1 and not exists (select 1 from entry where stream = ?1);

-- rows
-- Rows from a key on, by key.
select key, data from entry where stream = (select id from entry_stream where stream = ?1) and key >= ?2 order by key limit ?4;

-- rows_before
-- Rows from a key on, up to another, by key.
select key, data from entry where stream = (select id from entry_stream where stream = ?1) and key >= ?2 and key < ?3
order by key limit ?4;

-- newest
-- Rows from a key on, the greatest first.
select key, data from entry where stream = (select id from entry_stream where stream = ?1) and key >= ?2
order by key desc limit ?4;

-- newest_before
-- Rows from a key on, up to another, the greatest first.
select key, data from entry where stream = (select id from entry_stream where stream = ?1) and key >= ?2 and key < ?3
order by key desc limit ?4;

-- row
-- One row.
select data from entry where stream = ? and key = ?;

-- streams
-- Streams with rows, page by page.
select stream from entry_stream where stream > ? order by stream limit ?;
