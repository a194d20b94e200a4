-- append
-- Appends in order, each whole or refused; where they lie.
select {schema}.append_records(%s, %b)

-- read
-- The batches that hold records from an offset on, up to another.
select first, at_ms, data, crc from {schema}.topic_batch b
where topic = (select id from {schema}.topic where name = %(topic)s) and partition = %(partition)s
  and first < %(end)s and first + count > %(start)s
  and first >= coalesce((
    select max(first) from {schema}.topic_batch
    where topic = (select id from {schema}.topic where name = %(topic)s) and partition = %(partition)s
      and first <= %(start)s), 0)
order by first

-- topics
-- All topics that have a record.
select name from {schema}.topic t where exists (select from {schema}.topic_end e where e.topic = t.id and e.next > 0)
order by name

-- end
-- The offset of the next record.
select next from {schema}.topic_end
where topic = (select id from {schema}.topic where name = %s) and partition = %s
