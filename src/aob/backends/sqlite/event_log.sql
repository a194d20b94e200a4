-- schema
-- Rows of accepted events, the sums of each tenant, and refused events.
create table if not exists row (row integer primary key, tenant text not null, at_ms integer not null, first integer not null, count integer not null, duplicate integer not null, rejected integer not null, notes blob not null, lines blob not null, crc integer not null default -1);
create index if not exists row_of on row (tenant, first);
create index if not exists row_tenant on row (tenant, row);
create index if not exists row_time on row (at_ms);
create table if not exists total (tenant text primary key, accepted integer not null, duplicate integer not null, rejected integer not null, dead integer not null) without rowid;
create table if not exists dead (tenant text not null, number integer not null, at_ms integer not null, type text not null, rule text not null, source text not null, id text not null, state text not null, note text not null, reasons blob not null, line blob not null, primary key (tenant, number)) without rowid;
create index if not exists dead_by on dead (tenant, state, type, rule);
create view if not exists events as
  select r.row, r.tenant, r.at_ms, r.first + e.key as offset, e.value ->> 'id' as id, e.value ->> 'source' as source,
         e.value ->> 'type' as type, e.value ->> 'subject' as subject, e.value -> 'data' as data
  from row r, json_each('[' || replace(cast(r.lines as text), char(10), ',') || ']') e;

-- partition
-- The tables of a further partition.
create table if not exists {row} (row integer primary key, tenant text not null, at_ms integer not null, first integer not null, count integer not null, duplicate integer not null, rejected integer not null, notes blob not null, lines blob not null, crc integer not null default -1);
create index if not exists {row}_of on {row} (tenant, first);
create index if not exists {row}_tenant on {row} (tenant, row);
create index if not exists {row}_time on {row} (at_ms);
create table if not exists {total} (tenant text primary key, accepted integer not null, duplicate integer not null, rejected integer not null, dead integer not null) without rowid;

-- total_of
-- The sums of a tenant.
select accepted, duplicate, rejected from {total} where tenant = ?;

-- set_total
-- The sums of a tenant after a commit.
insert into {total} values (?, ?, ?, ?, 0) on conflict (tenant) do update set accepted = excluded.accepted, duplicate = excluded.duplicate, rejected = excluded.rejected;

-- add_row
-- What one tenant sent in one commit.
insert into {row} (row, tenant, at_ms, first, count, duplicate, rejected, notes, lines, crc) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- end
-- The last row and its time.
select row, at_ms from {row} order by row desc limit 1;

-- rows
-- Rows after a row, in order.
select row, tenant, at_ms, first, count, duplicate, rejected, lines, notes, crc from {row} where row > ? order by row;

-- rows_of
-- Rows of one tenant after a row, in order.
select row, tenant, at_ms, first, count, duplicate, rejected, lines, notes, crc from {row} where row > ? and tenant = ? order by row;

-- row_at
-- The row of a tenant that may hold an offset.
select row, first, count from {row} where tenant = ? and first <= ? order by first desc, count desc limit 1;

-- row_before
-- The last row written at or before an instant.
select row from {row} where at_ms <= ? order by at_ms desc, row desc limit 1;

-- partitions
-- How many partitions a file has.
select count(*) from sqlite_schema where type = 'table' and (name = 'row' or name glob 'row_[0-9]*');
