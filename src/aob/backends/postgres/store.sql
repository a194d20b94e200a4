-- commit
-- All batches of a process that wait.
select {schema}.commit_runs(%s, %s, %s, %s, %s)

-- commit_entries
-- The same where some have rows beside events.
select {schema}.commit_entries(%s, %s, %s, %s, %s, %s)

-- entries
-- Rows beside the events of a stream, from a key on, by key.
select key, data from {schema}.entry where shard = %s and stream = %s and key >= %s and (%s = ''::bytea or key < %s)
order by key limit %s

-- newest_entries
-- The same, the greatest key first.
select key, data from {schema}.entry where shard = %s and stream = %s and key >= %s and (%s = ''::bytea or key < %s)
order by key desc limit %s

-- entries_at
-- Some of them.
select key, data from {schema}.entry where shard = %s and stream = %s and key = any(%s)

-- entry_streams
-- The streams that have some, page by page.
with recursive found(stream) as (
  (select stream from {schema}.entry where shard = %(shard)s and stream > %(after)s order by stream limit 1)
  union all
  select (select e.stream from {schema}.entry e where e.shard = %(shard)s and e.stream > f.stream order by e.stream limit 1)
  from found f where f.stream is not null
)
select stream from found where stream is not null limit %(most)s

-- take
-- Become the owner: every older epoch is fenced from here on.
select epoch, "row" from {schema}.take_shard(%s, %s, %s)

-- taken_by
-- Whether somebody was the last to take the shard, and the epoch that it got is held.
select taker = %s and epoch = %s from {schema}.shard where id = %s

-- last
-- The last row, the committed time, and the row of the last cut.
select "row", at_ms, cut from {schema}.shard where id = %s

-- whole
-- Whether every open ticket has its row.
select tickets_whole from {schema}.shard where id = %s

-- journal_after
-- Rows after a row, in order.
select * from {schema}.read_journal(%s, %s, %s)

-- head_of
-- One head.
select stream, kind, tenant, name, status, reason, started_ms, ended_ms, seq, info from {schema}.head where shard = %s and stream = %s

-- heads_of
-- Several heads.
select stream, kind, tenant, name, status, reason, started_ms, ended_ms, seq, info from {schema}.head where shard = %s and stream = any(%s)

-- heads
-- Heads by what is asked, newest first; an empty text asks for all.
select stream, kind, tenant, name, status, reason, started_ms, ended_ms, seq, info from {schema}.head
where shard = %s and kind = %s and (%s = '' or tenant = %s) and (%s = '' or status = %s) and (%s = '' or name = %s)
  and (started_ms, stream) < (%s, %s) order by started_ms desc, stream desc limit %s

-- ended
-- Streams of a tenant that ended before an instant, the first begun first.
select stream, kind, tenant, name, status, reason, started_ms, ended_ms, seq, info from {schema}.head
where shard = %s and kind = %s and tenant = %s and started_ms < %s and ended_ms between 1 and %s
  and (%s = '' or status = %s) and (%s = '' or name = %s) and (started_ms, stream) > (%s, %s)
order by started_ms, stream limit %s

-- live_heads
-- Every stream of a kind that has not ended.
select stream, kind, tenant, name, status, reason, started_ms, ended_ms, seq, info from {schema}.head
where shard = %s and kind = %s and ended_ms = 0 and (status, stream) > (%s, %s) order by status, stream limit %s

-- live_count
-- How many streams have not ended.
select count(*) from {schema}.head where shard = %s and ended_ms = 0

-- removed
-- What stays of a stream that was removed.
select stream, record, tenant, by, at_ms, before_ms from {schema}.removed where shard = %s and stream = %s

-- removes
-- Whether a stream was ever removed.
select 1 from {schema}.removed where shard = %s limit 1

-- leftovers
-- Leftovers of before an instant.
select kind, tenant, name, at_ms from {schema}.leftover where shard = %s and at_ms < %s and at_ms >= %s
order by at_ms, kind, tenant, name limit %s

-- all_segments
-- Segments of all streams, page by page; of one that was written before its head was known only the later copy.
select stream, first_seq, count, "row", data, crc from {schema}.segment s
where shard = %s and (stream, first_seq) > (%s, %s) and not (day = -1 and exists (
  select from {schema}.segment l where l.shard = s.shard and l.stream = s.stream and l.first_seq = s.first_seq and l.day >= 0
)) order by stream, first_seq limit %s

-- segments_of
-- Segments of one stream in order, from a sequence number on.
select first_seq, count, "row", data, crc, places, times, pieces from {schema}.read_segments(%s, %s, %s, %s)

-- timers_until
-- Timers due up to an instant, behind one.
select stream, id, due_ms from {schema}.timer where shard = %s and due_ms <= %s and (due_ms, stream, id) > (%s, %s, %s)
order by due_ms, stream, id limit %s

-- tickets
-- Open tickets behind one.
select stream, id, tenant, due_ms, roles from {schema}.ticket where shard = %s and (stream, id) > (%s, %s)
order by stream, id limit %s

-- holding
-- How many partitions the home has, over how many shards they were spread when it was made, and their extents.
select s.partitions, s.made, e.partition, e.epoch, e.first_row, e.last_row, e.target, e.released
from {schema}.shard s left join {schema}.extent e on e.shard = s.id where s.id = %s order by e.partition, e.epoch

-- outbox
-- Messages that are not delivered, behind one.
select sender, receiver, generation, number, source, target, body, refused, carried from {schema}.outbox
where shard = %s and (sender, receiver, generation, number) > (%s, %s, %s, %s)
order by sender, receiver, generation, number limit %s

-- marks
-- The last number of each pair, and the last message that was taken of each pair.
select false, sender, receiver, generation, number, under from {schema}.sent where shard = %s
union all
select true, sender, receiver, generation, number, under from {schema}.received where shard = %s order by 1, 2, 3

-- value_of
-- A value by its hash.
select data from {schema}.value where shard = %s and tenant = %s and digest = %s
