-- schema
-- Runs (the ids of run N lie in a table run_N), and the filters that stand before them.
create table if not exists run (number integer primary key);
create table if not exists filter (epoch integer primary key, bits blob not null);

-- add_run
-- A run is there.
insert into run (number) values (?);

-- runs
-- The runs that are there.
select number from run order by number;

-- drop_run
-- A run is gone.
delete from run where number = ?;

-- set_filter
-- A filter as it is now.
insert into filter (epoch, bits) values (?, ?) on conflict (epoch) do update set bits = excluded.bits;

-- filter
-- A filter.
select bits from filter where epoch = ?;

-- filters
-- The filters that are there.
select epoch from filter;

-- drop_filter
-- A filter stands before nothing any more.
delete from filter where epoch = ?;
