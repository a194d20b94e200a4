-- place
-- In which database a shard is, as this one says, and which one this is.
select s.store, c.store, c.id, s.epoch, s."row" from {schema}.shard s, {schema}.cluster c where s.id = %s

-- tables
-- Every table with rows of shards, and the columns that are written.
select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attnum)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and c.relname not in ('lease', 'page_owner', 'moved_shard')
  and exists (select from pg_attribute o where o.attrelid = c.oid and o.attname = 'shard' and not o.attisdropped)
group by c.relname order by c.relname

-- fence
-- Every owner until now writes nothing any more.
update {schema}.shard set epoch = epoch + 1, taker = %s where id = %s and store = (select store from {schema}.cluster)
returning epoch

-- shard
-- What is said of a shard itself.
select epoch, "row", at_ms, cut, tickets_whole, partitions, made, day, day_row from {schema}.shard where id = %s

-- arrive
-- The shard as it was, under its last epoch. In database 1, which has the truth of it, it is not there yet.
update {schema}.shard set epoch = %s, "row" = %s, at_ms = %s, cut = %s, tickets_whole = %s, partitions = %s, made = %s,
  day = %s, day_row = %s, taker = '', store = case (select c.store from {schema}.cluster c) when 1 then store
    else (select c.store from {schema}.cluster c) end
where id = %s

-- hold
-- Nobody else brings the same shard meanwhile.
select 1 from {schema}.shard where id = %s for update

-- switch
-- From here on the shard is there: one commit.
with went as (update {schema}.shard set store = %(target)s where id = %(shard)s and store = %(source)s returning id)
insert into {schema}.moved_shard (shard, source, target, rows, bytes)
select id, %(source)s, %(target)s, %(rows)s, %(bytes)s from went returning shard

-- gone
-- The database that had it says where it went.
update {schema}.shard set store = %s where id = %s

-- days
-- The days that rows of a shard lie in.
select day from {schema}.journal_day where shard = %(shard)s
union select day from {schema}.head where shard = %(shard)s and day >= 0 order by 1

-- make_days
-- Partitions for a day.
select {schema}.make_days(%s, %s)
