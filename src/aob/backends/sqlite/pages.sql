-- schema
-- Pages of state by tenant and name, and how far each feed was read for them.
create table if not exists owner (shard integer primary key, epoch integer not null);
create table if not exists mark (feed text primary key, at integer not null) without rowid;
create table if not exists page (tenant text not null, name text not null, data blob not null, crc integer not null default -1, primary key (tenant, name));
create table if not exists kept_mark (label integer not null, feed text not null, at integer not null, primary key (label, feed)) without rowid;
create table if not exists kept_page (label integer not null, tenant text not null, name text not null, data blob not null, crc integer not null default -1, primary key (label, tenant, name));

-- set_mark
-- A feed was read so far.
insert into mark values (?, ?) on conflict (feed) do update set at = excluded.at;

-- marks
-- How far each feed was read.
select feed, at from mark;

-- set_page
-- A page as it is now.
insert into page values (?, ?, ?, ?) on conflict (tenant, name) do update set data = excluded.data, crc = excluded.crc;

-- drop_page
-- A page that is not needed any more.
delete from page where tenant = ? and name = ?;

-- drop_pages
-- All pages of a tenant whose names begin so.
delete from page where tenant = ? and substr(name, 1, ?) = ?;

-- load
-- Pages of a tenant but those that are read one by one.
select name, data, crc from page where tenant = ? and substr(name, 1, 1) <> '~';

-- page
-- One page.
select data, crc from page where tenant = ? and name = ?;

-- tenants
-- Whoever has a page.
select distinct tenant from page order by tenant;

-- keep_marks
-- The marks of now under a label.
insert or replace into kept_mark select ?, feed, at from mark;

-- keep_pages
-- The pages of now whose names begin so under a label.
insert or replace into kept_page select ?, tenant, name, data, crc from page where substr(name, 1, ?) = ?;

-- drop_kept_marks
-- All but the newest labels.
delete from kept_mark where label not in (select distinct label from kept_mark order by label desc limit ?);

-- drop_kept_pages
-- Pages of labels that are gone.
delete from kept_page where label not in (select label from kept_mark);

-- forget_pages
-- What was under a label before it is kept again.
delete from kept_page where label = ?;

-- kept
-- All labels with their marks.
select label, feed, at from kept_mark;

-- load_kept
-- The pages of a tenant under a label.
select name, data, crc from kept_page where label = ? and tenant = ?;

-- take
-- A new owner of a shard.
insert into owner values (?, 1) on conflict (shard) do update set epoch = epoch + 1 returning epoch;

-- epoch
-- Whose a shard is.
select epoch from owner where shard = ?;

-- clear
-- Nothing is there any more but the owners.
delete from mark; delete from page; delete from kept_mark; delete from kept_page
