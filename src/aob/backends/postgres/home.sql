-- shards
-- Every shard, its last row, who owns it, and in which database it is.
select s.id, s."row", coalesce(l.owner, ''), coalesce(l.address, ''), s.store
from {schema}.shard s left join {schema}.lease l on l.shard = s.id and l.until > clock_timestamp() order by s.id;

-- ask
-- The release of the server, and its clock.
select current_setting('server_version'), floor(extract(epoch from clock_timestamp()) * 1000)::bigint;
