-- take
-- A new owner of the log: each older one is fenced.
select {schema}.take_events(%s)

-- fence
-- The same owner under a new epoch: its commits of unknown outcome are written by now, or never.
select {schema}.fence_events(%s)

-- append
-- Rows and dead letters of one commit; null for an owner that is not the last one.
select {schema}.append_events(%s, %s, %b, %s, %s, %b)

-- ends
-- The last row of each partition that has one, and its time.
select d.partition, e."row", e.at_ms
from (select partition, max(day) as day from {schema}.event_day group by partition) d
cross join lateral (
  select "row", at_ms from {schema}.event where partition = d.partition and day = d.day order by "row" desc limit 1) e

-- end
-- The last row of a partition and its time.
select "row", at_ms from {schema}.event
where partition = %s and day = (select max(day) from {schema}.event_day where partition = %s)
order by "row" desc limit 1

-- rows
-- Rows of partitions after a row of each, in order; each partition gets some, all together about so many bytes.
select "row", tenant, at_ms, first, count, duplicate, rejected, lines, notes, partition, crc
from (
  select e.*, sum(octet_length(e.lines)) over (order by e.place, e.partition) - octet_length(e.lines) as before
  from (
    select a.partition, coalesce((
             select max(d.day) from {schema}.event_day d
             where d.partition = a.partition and d.first_row <= a.after + 1), -1) as day, a.after
    from unnest(%s::int[], %s::bigint[]) as a(partition, after)) a
  cross join lateral (
    select e.*, row_number() over (order by e."row") as place
    from (
      select * from {schema}.event e
      where e.partition = a.partition and e."row" > a.after and e.day >= a.day
      order by e."row" limit %s) e) e
) e
where place = 1 or before <= %s
order by partition, "row"

-- rows_of
-- The same of one tenant.
select "row", tenant, at_ms, first, count, duplicate, rejected, lines, notes, partition, crc
from (
  select e.*, sum(octet_length(e.lines)) over (order by e.place, e.partition) - octet_length(e.lines) as before
  from (
    select a.partition, coalesce((
             select max(d.day) from {schema}.event_day d
             where d.partition = a.partition and d.first_row <= a.after + 1), -1) as day, a.after
    from unnest(%s::int[], %s::bigint[]) as a(partition, after)) a
  cross join lateral (
    select e.*, row_number() over (order by e."row") as place
    from (
      select * from {schema}.event e
      where e.tenant = %s and e.partition = a.partition and e."row" > a.after and e.day >= a.day
      order by e."row" limit %s) e) e
) e
where place = 1 or before <= %s
order by partition, "row"

-- totals
-- The sums of tenants in partitions, of those that have a row there.
select p.tenant, p.partition, e.first + e.count, e.duplicates, e.rejecteds
from unnest(%s::text[], %s::int[]) as p(tenant, partition)
cross join lateral (
  select first, count, duplicates, rejecteds from {schema}.event e
  where e.tenant = p.tenant and e.partition = p.partition order by e."row" desc limit 1) e

-- row_at
-- The last row of a tenant in a partition that begins at or before an offset: by halving the rows of its day.
with recursive d as (
  select d.day, d.first_row
  from {schema}.event_day d
  cross join lateral (
    select first from {schema}.event e
    where e.tenant = %(tenant)s and e.partition = d.partition and e.day = d.day order by e."row" limit 1) e
  where d.partition = %(partition)s and e.first <= %(offset)s
  order by d.day desc limit 1
), b as (
  select d.day, d.first_row - 1 as low, coalesce((
           select min(n.first_row) - 1 from {schema}.event_day n
           where n.partition = %(partition)s and n.day > d.day), (
           select max(e."row") from {schema}.event e where e.partition = %(partition)s and e.day >= d.day)) + 1 as high,
         0::bigint as found, 0::bigint as first, 0 as count
  from d
  union all
  select b.day, case when e."row" is null or e.first <= %(offset)s then (b.low + b.high) / 2 else b.low end,
         case when e.first > %(offset)s then e."row" else b.high end,
         case when e.first <= %(offset)s then e."row" else b.found end,
         case when e.first <= %(offset)s then e.first else b.first end,
         case when e.first <= %(offset)s then e.count else b.count end
  from b
  left join lateral (
    select "row", first, count from {schema}.event e
    where e.tenant = %(tenant)s and e.partition = %(partition)s and e.day = b.day and e."row" > b.low
      and e."row" <= (b.low + b.high) / 2
    order by e."row" desc limit 1) e on true
  where b.high - b.low > 1
)
select found, first, count from b where high - low <= 1

-- row_before
-- The last row of a partition written at or before an instant: by halving the rows of its day.
with recursive d as (
  select day, first_row from {schema}.event_day
  where partition = %(partition)s and day <= %(day)s order by day desc limit 1
), b as (
  select d.day, d.first_row - 1 as low, coalesce((
           select min(n.first_row) - 1 from {schema}.event_day n
           where n.partition = %(partition)s and n.day > d.day), (
           select max(e."row") from {schema}.event e where e.partition = %(partition)s and e.day >= d.day)) + 1 as high
  from d
  union all
  select b.day, case when e.at_ms <= %(at_ms)s then e."row" else b.low end,
         case when e.at_ms <= %(at_ms)s then b.high else e."row" end
  from b
  join {schema}.event e on e.partition = %(partition)s and e.day = b.day and e."row" = (b.low + b.high) / 2
  where b.high - b.low > 1
)
select low from b where high - low <= 1
