-- schema
-- Pages of state by tenant and name, and how far each feed was read for them.
create table if not exists mark (feed text primary key, at integer not null) without rowid;
create table if not exists page (tenant text not null, name text not null, data blob not null, primary key (tenant, name));

-- set_mark
-- A feed was read so far.
insert into mark values (?, ?) on conflict (feed) do update set at = excluded.at;

-- marks
-- How far each feed was read.
select feed, at from mark;

-- set_page
-- A page as it is now.
insert into page values (?, ?, ?) on conflict (tenant, name) do update set data = excluded.data;

-- drop_page
-- A page that is not needed any more.
delete from page where tenant = ? and name = ?;

-- drop_pages
-- All pages of a tenant whose names begin so.
delete from page where tenant = ? and substr(name, 1, ?) = ?;

-- load
-- Pages of a tenant but those that are read one by one.
select name, data from page where tenant = ? and substr(name, 1, 1) <> '~';

-- page
-- One page.
select data from page where tenant = ? and name = ?;

-- tenants
-- Whoever has a page.
select distinct tenant from page order by tenant;
