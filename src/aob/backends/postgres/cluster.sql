-- server
-- What commits and roles need of a server, and the time that it has.
select current_setting('server_version_num')::int, current_setting('server_version'), current_setting('fsync'),
  current_setting('full_page_writes'), current_setting('synchronous_commit'), pg_is_in_recovery(),
  current_setting('transaction_read_only'), pg_encoding_to_char(encoding), extract(epoch from clock_timestamp())::float8,
  (select json_agg(json_build_array(name, setting)) from pg_settings where name = any(%s::text[]))
from pg_database where datname = current_database();

-- schema
-- Whether the schema is there, may be used, belongs to this user, and has each of its first tables.
select has_schema_privilege(oid, 'usage'), pg_has_role(nspowner, 'usage'),
  array(select relname::text from pg_class where relnamespace = n.oid and relname in ('step', 'cluster'))
from pg_namespace n where nspname = %s;

-- steps
-- The steps that the tables have taken.
select number, kind, release, ended is not null from {schema}.step order by number;

-- cluster
-- Who this is.
select c.id, generation, shards, partitions, store, f.rules, f.release from {schema}.cluster c
  left join {schema}.finished f on f.number = (select max(number) from {schema}.finished);

-- finished
-- Which upgrades were finished, the last one first.
select release, rules, steps, by, at::text from {schema}.finished order by number desc;

-- missing
-- What the last step left and is not there any more, or is another: its name, and whether it is there.
select m.kind || ' ' || m.name, s.shape is not null from {schema}.made m left join {schema}.shapes() s using (kind, name)
where m.shape is distinct from s.shape order by 2, 1;

-- rights
-- What a service must be allowed to do with what the steps made, and is not.
select 'select on ' || c.relname from pg_class c join {schema}.made m on m.kind = 'table' and m.name = c.relname
where c.relnamespace = '{schema}'::regnamespace and not has_table_privilege(c.oid, 'select')
union all
select 'execute on ' || p.proname from pg_proc p
  join {schema}.made m on m.kind = 'function' and m.name = format('%%s(%%s)', p.proname, pg_get_function_identity_arguments(p.oid))
where p.pronamespace = '{schema}'::regnamespace and not has_function_privilege(p.oid, 'execute')
order by 1;

-- days
-- How far each daily table has partitions, and whether rows had to go into its default.
select name, last_day, missed from {schema}.days();

-- make_days
-- Partitions for these days.
select {schema}.make_days(%s, %s);

-- new_generation
-- A new generation.
select {schema}.new_generation();

-- exists
-- Whether a schema and a role are there, and which of the first tables.
select (select oid is not null from pg_namespace where nspname = %s), (select oid is not null from pg_roles where rolname = %s);

-- made
-- With what a cluster was made.
select id, shards, partitions, service, store from {schema}.cluster;

-- others
-- Living members of another release.
select id, release from {schema}.member where until > clock_timestamp() and (release <> %s or rules <> %s) order by id;

-- alone
-- Nobody joins until the end of the transaction; those whose membership is over do not come back without joining.
lock table {schema}.member in share row exclusive mode;
delete from {schema}.member where until <= clock_timestamp();

-- placed
-- How many shards are in each database of the cluster.
select store, count(*)::int, array_agg(id order by id) from {schema}.shard group by store order by store;

-- drop_empty_day
-- A partition of before a day that retention has emptied goes.
select {schema}.drop_empty_day(%s);
