-- add
-- Keeps chunks of lines.
select {schema}.add_log_chunks(%s, %s::bytea[], %s, %s)

-- read
-- The next chunks of a run, each with its bytes.
select c.number, c.writer, c.first, c.lines, c.dropped, c.upto_lines, b.data
from {schema}.log_chunk c left join {schema}.blob b on b.tenant = c.tenant and b.digest = c.digest
where c.run = %s and c.number > %s order by c.number limit %s

-- having
-- Those of some runs that logged something.
select run from unnest(%s::text[]) as asked(run)
where exists (select from {schema}.log_chunk c where c.run = asked.run)

-- remove
-- Removes what a run logged.
select {schema}.remove_log(%s)
