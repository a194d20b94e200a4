-- shards
-- Every shard, its last row, and who owns it.
select id, "row", owner, address from {schema}.shard order by id;

-- ask
-- The release of the server, and its clock.
select current_setting('server_version'), floor(extract(epoch from clock_timestamp()) * 1000)::bigint;
