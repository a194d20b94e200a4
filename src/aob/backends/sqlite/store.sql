-- schema
-- One shard: a journal row a commit, a head a stream, segments for reading one stream, timers, values.
create table if not exists shard (id integer primary key check (id = 1), epoch integer not null, cut integer not null, at_ms integer not null, cut_again integer not null default -1);
insert or ignore into shard (id, epoch, cut, at_ms) values (1, 0, 0, 0);
create table if not exists journal (row integer primary key, epoch integer not null, at_ms integer not null, count integer not null, counts blob not null, data blob not null, crc integer not null default -1);
create table if not exists head (stream text primary key, kind text not null, tenant text not null, name text not null, status text not null, reason text not null, started_ms integer not null, ended_ms integer not null, seq integer not null, info blob not null) without rowid;
create index if not exists head_live on head (kind, status, stream) where ended_ms = 0 or status != 'COMPLETED';
create index if not exists head_started on head (kind, tenant, started_ms, stream);
create table if not exists segment (stream text not null, first_seq integer not null, count integer not null, row integer not null, data blob not null, crc integer not null default -1, unique (stream, first_seq));
create table if not exists pointer (stream text primary key, count integer not null, row integer not null, places blob not null, crc integer not null) without rowid;
create table if not exists timer (stream text not null, id text not null, due_ms integer not null, primary key (stream, id)) without rowid;
create index if not exists timer_due on timer (due_ms);
create table if not exists ticket (stream text not null, id text not null, tenant text not null, due_ms integer not null, roles text not null, primary key (stream, id)) without rowid;
create table if not exists whole (what text primary key) without rowid;
insert or ignore into whole select 'tickets' where not exists (select 1 from journal);
create table if not exists value (tenant text not null, digest blob not null, data blob not null, primary key (tenant, digest)) without rowid;
create table if not exists removed (stream text primary key, record text not null, tenant text not null, by text not null, at_ms integer not null, before_ms integer not null) without rowid;
create table if not exists leftover (kind text not null, tenant text not null, name blob not null, at_ms integer not null, primary key (kind, tenant, name)) without rowid;
create table if not exists outbox (sender integer not null, receiver integer not null, generation integer not null, number integer not null, source text not null, target text not null, body blob not null, refused text not null, "values" blob not null, primary key (sender, receiver, generation, number)) without rowid;
create table if not exists sent (sender integer not null, receiver integer not null, generation integer not null, number integer not null, under integer not null, primary key (sender, receiver)) without rowid;
create table if not exists received (sender integer not null, receiver integer not null, generation integer not null, number integer not null, under integer not null, primary key (sender, receiver)) without rowid;
drop view if exists event_log;
create view event_log as
  select j.row, j.at_ms, s.value ->> 0 as stream, (s.value ->> 1) + e.key as seq, e.value ->> 0 as tag,
    iif(s.value ->> 0 = 'keyring/all' and e.value ->> 0 = 1, json_replace(e.value, '$[5]', '***'), e.value) as event
  from journal j, json_each(cast(j.data as text)) s, json_each(s.value -> 2) e;
drop view if exists runs;
create view runs as
  select stream as run, tenant, name as workflow, status, reason, started_ms, nullif(ended_ms, 0) as ended_ms, seq
  from head where kind = 'run';
drop view if exists patches;
create view patches as
  select stream as run, event ->> 1 as patch, event ->> 2 as author, event ->> 3 as kind, event ->> 4 as reason,
         event ->> 7 as state, event -> 6 as operations, at_ms
  from event_log where tag = 12 and substr(stream, 1, 4) = 'run_';
drop view if exists artifacts;
create view artifacts as
  select stream as workflow, event ->> 1 as artifact, event ->> 2 as version, event ->> 3 as by, at_ms
  from event_log where tag = 1 and substr(stream, 1, 9) = 'workflow/';

-- take
-- Become the owner: every older epoch is fenced from here on.
update shard set epoch = epoch + 1 returning epoch;

-- owner
-- Who owns the shard, and where the last cut is.
select epoch, cut, at_ms, cut_again from shard;

-- last_heads
-- The last rows without their data: the time of the last one is the committed time, and one that was lost has none.
select row, epoch, at_ms, count, x'', counts, crc from journal order by row desc limit 16;

-- last_row
-- The last journal row.
select coalesce(max(row), 0) from journal;

-- add_journal
-- All events of a commit, as the row after the last one or not at all.
insert into journal (row, epoch, at_ms, count, counts, data, crc) select ?1, ?2, ?3, ?4, ?5, ?6, ?7
where ?1 = 1 + (select coalesce(max(row), 0) from journal);

-- put_head
-- What lists and searches need of a stream.
insert into head values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (stream) do update set kind = excluded.kind, status = excluded.status, reason = excluded.reason, ended_ms = excluded.ended_ms,
  seq = excluded.seq, info = excluded.info;

-- add_segment
-- Consecutive events of one stream; written again after a crash it is the same.
insert or replace into segment values (?, ?, ?, ?, ?, ?);

-- add_pointer
-- Where the events of a stream lie that ended within few rows; written again after a crash it is the same.
insert or replace into pointer values (?, ?, ?, ?, ?);

-- pointer_of
-- Where the first events of a stream lie, when no segment holds a copy of all of them.
select stream, 0, count, row, places, crc from pointer
where stream = ?1 and not exists (select 1 from segment where stream = ?1 and first_seq = 0 and count >= pointer.count);

-- piece
-- Some bytes of a row, and its time.
select at_ms, substr(data, ?2 + 1, ?3) from journal where row = ?1;

-- put_timer
-- A durable timer.
insert or replace into timer values (?, ?, ?);

-- drop_timer
-- A timer that has fired or is needed no more.
delete from timer where stream = ? and id = ?;

-- drop_timers
-- All timers of a stream that has ended.
delete from timer where stream = ?;

-- add_value
-- A value beside its record.
insert or ignore into value values (?, ?, ?);

-- drop_head
-- A stream that is removed.
delete from head where stream = ?;

-- move_head
-- A stream that another shard has.
update head set kind = ? where stream = ?;

-- drop_pointer
-- Where the events of a stream lay that is removed.
delete from pointer where stream = ?;

-- drop_segments
-- All segments of a stream that is removed.
delete from segment where stream = ?;

-- rewrite
-- A row without the events of streams that are removed.
update journal set data = ?2 where row = ?1;

-- note_removed
-- What stays of a stream that is removed.
insert or replace into removed values (?, ?, ?, ?, ?, ?);

-- removed
-- What stays of a stream that was removed.
select * from removed where stream = ?;

-- removes
-- Whether a stream was ever removed.
select 1 from removed limit 1;

-- add_leftover
-- Something to be looked at later; what a later removal leaves waits anew.
insert or replace into leftover values (?, ?, ?, ?);

-- drop_leftover
-- A leftover that is done with.
delete from leftover where kind = ? and tenant = ? and name = ?;

-- leftovers
-- Leftovers of before an instant.
select kind, tenant, name, at_ms from leftover where at_ms < ? and at_ms >= ? order by at_ms, kind, tenant, name limit ?;

-- drop_value
-- A value that nothing refers to any more.
delete from value where tenant = ? and digest = ?;

-- rows_after
-- What rows after a row say.
select data from journal where row > ?;

-- all_segments
-- Segments of all streams, page by page.
select stream, first_seq, count, row, data, crc from segment where (stream, first_seq) > (?, ?) order by stream, first_seq limit ?;

-- note_time
-- The committed time of the shard, by a commit that writes no row.
update shard set at_ms = max(at_ms, ?) where id = 1;

-- note_cut
-- Recovery may begin after this row.
update shard set cut = ?1, cut_again = ?1 where id = 1;

-- journal_after
-- Rows after a row, in order.
select row, epoch, at_ms, count, data, counts, crc from journal where row > ? order by row limit ?;

-- head_of
-- One head.
select * from head where stream = ?;

-- live_count
-- How many streams have not ended.
select count(*) from head where ended_ms = 0;

-- live_heads
-- Every stream of a kind that has not ended.
select * from head where kind = ? and ended_ms = 0 and (status, stream) > (?, ?) order by status, stream limit ?;

-- segments_of
-- Segments of one stream in order, from a sequence number on, without those that pointers stand for.
select stream, first_seq, count, row, data, crc from segment where stream = ? and first_seq + count > ? and first_seq >= ? order by first_seq limit ?;

-- timers_until
-- Timers due up to an instant, behind one.
select stream, id, due_ms from timer where due_ms <= ? and (due_ms, stream, id) > (?, ?, ?) order by due_ms, stream, id limit ?;

-- put_ticket
-- An open ticket.
insert or replace into ticket values (?, ?, ?, ?, ?);

-- drop_ticket
-- A ticket that is answered.
delete from ticket where stream = ? and id = ?;

-- drop_tickets
-- All open tickets of a stream.
delete from ticket where stream = ?;

-- tickets
-- Open tickets behind one.
select * from ticket where (stream, id) > (?, ?) order by stream, id limit ?;

-- note_whole
-- Every open ticket has its row from here on.
insert or ignore into whole values ('tickets');

-- whole
-- Whether every open ticket has its row.
select count(*) from whole where what = 'tickets';

-- value_of
-- A value by its hash.
select data from value where tenant = ? and digest = ?;

-- put_message
-- A message that is to be delivered.
insert or replace into outbox values (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- drop_messages
-- Messages of a pair that are delivered.
delete from outbox where sender = ? and receiver = ? and (generation, number) <= (?, ?);

-- outbox
-- Messages that are not delivered, behind one.
select * from outbox where (sender, receiver, generation, number) > (?, ?, ?, ?) order by sender, receiver, generation, number limit ?;

-- note_sent
-- The last number of a pair.
insert or replace into sent values (?, ?, ?, ?, ?);

-- note_received
-- The last message of a pair that was taken.
insert or replace into received values (?, ?, ?, ?, ?);

-- sent
-- The last number of each pair.
select * from sent order by sender, receiver;

-- received
-- The last message that was taken of each pair.
select * from received order by sender, receiver;
