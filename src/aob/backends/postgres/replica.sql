-- who
-- Whether this is a replica, and of which server and cluster.
select pg_is_in_recovery(), (select system_identifier from pg_control_system()), c.id, c.store from {schema}.cluster c;

-- primary
-- Which server this is.
select system_identifier from pg_control_system();

-- clock
-- When the last commit was made that is here; whether it is a replica.
select floor(extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::bigint, pg_is_in_recovery();

-- replayed
-- How far a shard has come here: its last row; when the last commit was made that is here; whether it is a replica.
select s."row", floor(extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::bigint, pg_is_in_recovery()
from {schema}.shard s where s.id = %s;
