-- take
-- A new owner of a consumer's shard.
select {schema}.take_pages(%s, %s);

-- save
-- Marks and pages as they are now, and what goes.
select {schema}.save_pages(%s, %s, %s, %b::text[], %b::bigint[], %b::text[], %b::bytea[], %b::text[], %b::bytea[], %b::bytea[], %b::bigint[]);

-- marks
-- How far each feed was read.
select feed, at from {schema}.page_mark where consumer = %s;

-- load
-- Pages of a tenant but those that are read one by one.
select name, data, crc from {schema}.page where consumer = %s and tenant = %s and substring(name from 1 for 1) <> %b;

-- page
-- One page.
select name, data, crc from {schema}.page where consumer = %s and tenant = %s and name = %b;

-- tenants
-- Whoever has a page.
select distinct tenant from {schema}.page where consumer = %s order by tenant;

-- keep
-- A copy of marks and pages under a label.
select {schema}.keep_pages(%s, %s, %s, %s, %b::bytea[], %s);

-- kept
-- All labels with their marks.
select label, marks from {schema}.kept_page_mark where consumer = %s order by label;

-- load_kept
-- The pages of a tenant under a label.
select name, data, crc from {schema}.kept_page where consumer = %s and label = %s and tenant = %s;

-- clear
-- Nothing is there any more but the owners.
select {schema}.clear_pages(%s, %s, %s);
