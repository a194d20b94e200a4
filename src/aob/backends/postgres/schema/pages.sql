-- Pages of state of the consumers of this database, by consumer, tenant and name; and how far each feed was read for
-- them. Names of pages are bytes: they may hold anything that UTF-8 can.
create table {schema}.page_owner (
    consumer text collate "C" not null,
    shard integer not null,
    epoch bigint not null,
    primary key (consumer, shard)
);

create table {schema}.page_mark (
    consumer text collate "C" not null,
    feed text collate "C" not null,
    at bigint not null,
    primary key (consumer, feed)
);

create table {schema}.page (
    consumer text collate "C" not null,
    tenant text collate "C" not null,
    name bytea not null,
    data bytea not null,
    crc bigint not null,
    primary key (consumer, tenant, name)
);
alter table {schema}.page alter column data set storage external;

create table {schema}.kept_page_mark (
    consumer text collate "C" not null,
    label bigint not null,
    marks jsonb not null,
    primary key (consumer, label)
);

create table {schema}.kept_page (
    consumer text collate "C" not null,
    label bigint not null,
    tenant text collate "C" not null,
    name bytea not null,
    data bytea not null,
    crc bigint not null,
    primary key (consumer, label, tenant, name)
);

-- A new owner of a consumer's shard: its epoch.
create function {schema}.take_pages(of_consumer text, of_shard integer) returns bigint
language sql security definer set search_path = {schema}, pg_temp as $body$
    insert into {schema}.page_owner as held values (of_consumer, of_shard, 1)
    on conflict (consumer, shard) do update set epoch = held.epoch + 1
    returning epoch
$body$;

-- Null if this owner holds the shard, and nobody takes it before this transaction ends; else the epoch that holds it.
create function {schema}.pages_held(of_consumer text, of_shard integer, of_epoch bigint) returns bigint
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    held bigint;
begin
    select epoch into held from {schema}.page_owner
    where consumer = of_consumer and shard = of_shard for share;
    return case when held = of_epoch then null else coalesce(held, 0) end;
end
$body$;

-- Marks and pages as they are now. Pages without data go.
create function {schema}.save_pages(
    of_consumer text, of_shard integer, of_epoch bigint, feeds text[], ats bigint[],
    dropped_tenants text[], dropped_starts bytea[], tenants text[], names bytea[], datas bytea[], crcs bigint[]
) returns bigint
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    stale bigint := {schema}.pages_held(of_consumer, of_shard, of_epoch);
begin
    if stale is not null then
        return stale;
    end if;
    insert into {schema}.page_mark (consumer, feed, at)
    select of_consumer, each.feed, each.at from unnest(feeds, ats) as each(feed, at)
    on conflict (consumer, feed) do update set at = excluded.at;
    delete from {schema}.page using unnest(dropped_tenants, dropped_starts) as each(tenant, start)
    where page.consumer = of_consumer and page.tenant = each.tenant and page.name >= each.start
        and substring(page.name from 1 for length(each.start)) = each.start;
    delete from {schema}.page using unnest(tenants, names, datas) as each(tenant, name, data)
    where page.consumer = of_consumer and page.tenant = each.tenant and page.name = each.name and each.data is null;
    insert into {schema}.page (consumer, tenant, name, data, crc)
    select of_consumer, each.tenant, each.name, each.data, each.crc
    from unnest(tenants, names, datas, crcs) as each(tenant, name, data, crc) where each.data is not null
    on conflict (consumer, tenant, name) do update set data = excluded.data, crc = excluded.crc;
    return null;
end
$body$;

-- A copy of the marks, and of the pages whose names begin so, under a label; only the greatest labels stay.
create function {schema}.keep_pages(
    of_consumer text, of_shard integer, of_epoch bigint, of_label bigint, starts bytea[], most integer
) returns bigint
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    stale bigint := {schema}.pages_held(of_consumer, of_shard, of_epoch);
begin
    if stale is not null then
        return stale;
    end if;
    insert into {schema}.kept_page_mark (consumer, label, marks)
    select of_consumer, of_label, coalesce(jsonb_object_agg(feed, at), '{}') from {schema}.page_mark
    where consumer = of_consumer
    on conflict (consumer, label) do update set marks = excluded.marks;
    delete from {schema}.kept_page where consumer = of_consumer and label = of_label;
    insert into {schema}.kept_page (consumer, label, tenant, name, data, crc)
    select of_consumer, of_label, tenant, name, data, crc from {schema}.page
    where consumer = of_consumer and exists (
        select from unnest(starts) as each(start) where substring(name from 1 for length(each.start)) = each.start
    );
    delete from {schema}.kept_page_mark where consumer = of_consumer and label not in (
        select label from {schema}.kept_page_mark where consumer = of_consumer order by label desc limit most
    );
    delete from {schema}.kept_page where consumer = of_consumer and label not in (
        select label from {schema}.kept_page_mark where consumer = of_consumer
    );
    return null;
end
$body$;

-- Nothing is there any more but the owners.
create function {schema}.clear_pages(of_consumer text, of_shard integer, of_epoch bigint) returns bigint
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    stale bigint := {schema}.pages_held(of_consumer, of_shard, of_epoch);
begin
    if stale is not null then
        return stale;
    end if;
    delete from {schema}.page_mark where consumer = of_consumer;
    delete from {schema}.page where consumer = of_consumer;
    delete from {schema}.kept_page_mark where consumer = of_consumer;
    delete from {schema}.kept_page where consumer = of_consumer;
    return null;
end
$body$;
