-- schema
-- Ids of tickets and patches that do not say their run, and whether all of them are here.
create table if not exists held (id text primary key, stream text not null) without rowid;
insert or ignore into whole select 'held' where not exists (select 1 from journal);

-- made
-- Whether all are here.
select 1 from whole where what = 'held';

-- note_made
-- They are.
insert or ignore into whole values ('held');

-- rows
-- All that was ever committed.
select data from journal;

-- hold
-- Which stream holds one.
insert or ignore into held values (?, ?);

-- stream_of
-- The stream that holds one.
select stream from held where id = ?;
