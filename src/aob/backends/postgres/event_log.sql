-- take
-- A new owner of the log: each older one is fenced.
select {schema}.take_events(%s)

-- fence
-- The same owner under a new epoch: its commits of unknown outcome are written by now, or never.
select {schema}.fence_events(%s)

-- append
-- Rows and dead letters of one commit; null for an owner that is not the last one.
select {schema}.append_events(%s, %s, %b, %s, %s, %b)

-- newer_days
-- The first row of partitions on each day that began after a day.
select d.partition, d.first_row, d.day
from unnest(%s::int[], %s::int[]) as a(partition, day)
join {schema}.event_day d on d.partition = a.partition and d.day > a.day
order by d.partition, d.day

-- ends
-- The last row of partitions and its time, each not before a day, all not before another.
select a.partition, e."row", e.at_ms
from unnest(%(partitions)s::int[], %(days)s::int[]) as a(partition, day)
cross join lateral (
  select "row", at_ms from {schema}.event
  where partition = a.partition and day >= a.day and day >= %(since)s order by "row" desc limit 1) e

-- rows
-- Rows of partitions after a row of each, in order; each partition gets some, all together about so many bytes.
select "row", tenant, at_ms, first, count, duplicate, rejected, lines, notes, partition, crc
from (
  select e.*, sum(octet_length(e.lines)) over (order by e.place, e.partition) - octet_length(e.lines) as before
  from unnest(%(partitions)s::int[], %(afters)s::bigint[]) as a(partition, after)
  cross join lateral (
    select e.*, row_number() over (order by e."row") as place
    from (
      select * from {schema}.event e
      where e.partition = a.partition and e."row" > a.after and e.day between %(since)s and %(until)s
      order by e."row" limit %(limit)s) e) e
) e
where place = 1 or before <= %(bytes)s
order by partition, "row"

-- rows_of
-- The same of one tenant.
select "row", tenant, at_ms, first, count, duplicate, rejected, lines, notes, partition, crc
from (
  select e.*, sum(octet_length(e.lines)) over (order by e.place, e.partition) - octet_length(e.lines) as before
  from unnest(%(partitions)s::int[], %(afters)s::bigint[]) as a(partition, after)
  cross join lateral (
    select e.*, row_number() over (order by e."row") as place
    from (
      select * from {schema}.event e
      where e.tenant = %(tenant)s and e.partition = a.partition and e."row" > a.after
        and e.day between %(since)s and %(until)s
      order by e."row" limit %(limit)s) e) e
) e
where place = 1 or before <= %(bytes)s
order by partition, "row"

-- totals
-- The sums of tenants in partitions, of those that have a row there since a day.
select p.tenant, p.partition, e.first + e.count, e.duplicates, e.rejecteds
from unnest(%s::text[], %s::int[]) as p(tenant, partition)
cross join lateral (
  select first, count, duplicates, rejecteds from {schema}.event e
  where e.tenant = p.tenant and e.partition = p.partition and e.day >= %s order by e."row" desc limit 1) e

-- first_of_day
-- The offset with which a tenant begins in a partition on a day.
select first from {schema}.event
where tenant = %s and partition = %s and day = %s order by "row" limit 1

-- row_at
-- The last row of a tenant in a partition on a day that begins at or before an offset: by halving the day's rows.
with recursive b as (
  select %(low)s::bigint as low, coalesce(%(high)s::bigint, (
           select max(e."row") + 1 from {schema}.event e
           where e.partition = %(partition)s and e.day = %(day)s)) as high,
         0::bigint as found, 0::bigint as first, 0 as count
  union all
  select case when e."row" is null or e.first <= %(offset)s then (b.low + b.high) / 2 else b.low end,
         case when e.first > %(offset)s then e."row" else b.high end,
         case when e.first <= %(offset)s then e."row" else b.found end,
         case when e.first <= %(offset)s then e.first else b.first end,
         case when e.first <= %(offset)s then e.count else b.count end
  from b
  left join lateral (
    select "row", first, count from {schema}.event e
    where e.tenant = %(tenant)s and e.partition = %(partition)s and e.day = %(day)s and e."row" > b.low
      and e."row" <= (b.low + b.high) / 2
    order by e."row" desc limit 1) e on true
  where b.high - b.low > 1
)
select found, first, count from b where high - low <= 1

-- rows_before
-- The last rows of partitions written at or before an instant: by halving the rows of a day of each.
with recursive b as (
  select a.partition, a.day, a.low, coalesce(a.high, (
           select max(e."row") + 1 from {schema}.event e
           where e.partition = a.partition and e.day = a.day and e.day between %(since)s and %(until)s)) as high
  from unnest(%(partitions)s::int[], %(days)s::int[], %(lows)s::bigint[], %(highs)s::bigint[])
    as a(partition, day, low, high)
  union all
  select b.partition, b.day, case when e.at_ms <= %(at_ms)s then e."row" else b.low end,
         case when e.at_ms <= %(at_ms)s then b.high else e."row" end
  from b
  join {schema}.event e
    on e.partition = b.partition and e.day = b.day and e."row" = (b.low + b.high) / 2
      and e.day between %(since)s and %(until)s
  where b.high - b.low > 1
)
select partition, low from b where high - low <= 1
