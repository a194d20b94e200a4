-- shards
-- Every shard, its last row, who owns it, and in which database it is.
select s.id, s."row", coalesce(l.owner, ''), coalesce(l.address, ''), s.store
from {schema}.shard s left join {schema}.lease l on l.shard = s.id and l.until > clock_timestamp() order by s.id;

-- ask
-- The release of the server, and its clock.
select current_setting('server_version'), floor(extract(epoch from clock_timestamp()) * 1000)::bigint;

-- members
-- Every process that may own shards, and for how many ms it still counts.
select id, address, grpc, roles, release, rules,
  greatest(0, floor(extract(epoch from until - clock_timestamp()) * 1000))::bigint, leaving
from {schema}.member order by id;

-- size
-- Bytes of all tables of the cluster.
select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
where relnamespace = '{schema}'::regnamespace and relkind = 'r';
