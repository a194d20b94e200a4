-- rows
-- Rows that end after an offset, in order, as many bytes as a read takes.
select tenant, topic, partition, first, count, at_ms, data, crc from (
  select r.*, sum(octet_length(r.data)) over (order by r.first) - octet_length(r.data) as before from (
    select * from {schema}.record_row
    where shard = %(shard)s and tenant = %(tenant)s and topic = %(topic)s and partition = %(partition)s
      and first + count > %(start)s and first >= coalesce((
        select max(b.first) from {schema}.record_row b where b.shard = %(shard)s and b.tenant = %(tenant)s
          and b.topic = %(topic)s and b.partition = %(partition)s and b.first <= %(start)s), 0)
    order by first limit %(most)s
  ) r
) r where before < %(bytes)s order by first

-- ends
-- The ends of partitions of topics, page by page.
select tenant, topic, partition, next from {schema}.record_end
where shard = %s and (tenant, topic, partition) > (%s, %s, %s) order by tenant, topic, partition limit %s

-- end
-- The offset of the next record.
select next from {schema}.record_end where shard = %s and tenant = %s and topic = %s and partition = %s

-- starts
-- The first row of each partition that has one.
select p, f.first from (values (%s::int, %s::text, %s::text, %s::int)) of (shard, tenant, topic, partitions),
  generate_series(0, partitions - 1) p, lateral (
    select r.first from {schema}.record_row r
    where r.shard = of.shard and r.tenant = of.tenant and r.topic = of.topic and r.partition = p order by r.first limit 1
  ) f

-- bytes
-- How much a partition holds.
select coalesce(sum(octet_length(data)), 0) from {schema}.record_row
where shard = %s and tenant = %s and topic = %s and partition = %s

-- keyed
-- Which of these keys are known.
select key, at, digest from {schema}.record_key
where shard = %s and tenant = %s and topic = %s and partition = %s and key = any(%s)

-- group_marks
-- The marks of groups, page by page.
select tenant, name, topic, partition, low, done, at_ms from {schema}.group_mark
where shard = %s and (tenant, name, topic, partition) > (%s, %s, %s, %s) order by tenant, name, topic, partition limit %s

-- before_ends
-- How far each partition of a topic had come before step 5.
select t.name, e.partition, e.next from {schema}.topic_end e join {schema}.topic t on t.id = e.topic
where e.next > 0 order by t.name, e.partition

-- before_rows
-- Batches of before step 5 that hold records from an offset on.
select first, at_ms, data, crc from {schema}.topic_batch b
where topic = (select id from {schema}.topic where name = %(topic)s) and partition = %(partition)s
  and first + count > %(start)s order by first limit %(most)s

-- before_keys
-- Digests of keyed records of before step 5, by their offsets.
select at, digest from {schema}.topic_key
where topic = (select id from {schema}.topic where name = %(topic)s) and partition = %(partition)s
  and at >= %(start)s and at < %(end)s

-- seal
-- From here on nothing is appended as before step 5.
select {schema}.seal_topics()
