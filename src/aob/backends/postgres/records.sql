-- changed
-- The number of the last write.
select coalesce(max(number), 0) from {schema}.record

-- read
-- The present version of a record.
select name, version, data, by, at_ms from {schema}.record where name = %s order by version desc limit 1

-- every
-- The present version of all records of a prefix that were not removed.
select name, version, data, by, at_ms from (
  select distinct on (name) * from {schema}.record where starts_with(name, %s) order by name, version desc
) present where length(data) > 0 order by name

-- past
-- The kept versions of a record.
select name, version, data, by, at_ms from {schema}.record where name = %s order by version desc

-- write
-- The next version of a record.
select of_version, of_at_ms from {schema}.put_record(%s, %s, %s, %s, %s)
