-- Blobs up to a size, by tenant and hash. They are hashes of what is compressed already, or soon: nothing compresses
-- them here, and a range is read without the rest.
create table {schema}.blob (
    tenant text collate "C" not null,
    digest bytea not null check (length(digest) = 32),
    data bytea not null,
    put_ms bigint not null,
    primary key (tenant, digest)
);
alter table {schema}.blob alter column data set storage external;

-- The database's clock in ms: that of the one process that all who put blobs speak to.
create function {schema}.wall_ms() returns bigint
language sql volatile set search_path = {schema}, pg_temp as $body$
    select floor(extract(epoch from clock_timestamp()) * 1000)::bigint
$body$;

-- Bytes under their hash; a damaged copy is mended.
create function {schema}.put_blob(of_tenant text, of_digest bytea, of_data bytea) returns void
language sql security definer set search_path = {schema}, pg_temp as $body$
    insert into {schema}.blob as there (tenant, digest, data, put_ms)
    values (of_tenant, of_digest, of_data, {schema}.wall_ms())
    on conflict (tenant, digest) do update set put_ms = greatest(there.put_ms, {schema}.wall_ms()),
        data = case when there.data = excluded.data then there.data else excluded.data end
$body$;

-- Removes a blob unless it was put at or after an instant: its size, or null.
create function {schema}.forget_blob(of_tenant text, of_digest bytea, before_ms bigint) returns bigint
language sql security definer set search_path = {schema}, pg_temp as $body$
    delete from {schema}.blob where tenant = of_tenant and digest = of_digest and put_ms < before_ms
    returning length(data)::bigint
$body$;
