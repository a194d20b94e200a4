-- Small named records that all processes of the cluster share, with versions of before. `number` orders all writes.
create table {schema}.record (
    name text collate "C" not null check (length(name) between 1 and 200),
    version integer not null,
    data bytea not null check (length(data) <= 65536),
    by text collate "C" not null,
    at_ms bigint not null,
    number bigint not null unique,
    primary key (name, version)
);

-- The next version over `after`, and of all versions the newest `past`. Null in `of_at_ms`: `of_version` is the present
-- version, which is another, and nothing was written.
create function {schema}.put_record(
    of_name text, of_data bytea, after integer, of_by text, past integer, out of_version integer, out of_at_ms bigint
)
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
begin
    perform pg_advisory_xact_lock(6385506, hashtext('{schema}' || ' records'));  -- so that numbers commit in order
    select coalesce(max(version), 0) into of_version from {schema}.record where name = of_name;
    if of_version <> after then
        return;
    end if;
    of_version := after + 1;
    of_at_ms := {schema}.wall_ms();
    insert into {schema}.record (name, version, data, by, at_ms, number)
    select of_name, of_version, of_data, of_by, of_at_ms, coalesce(max(number), 0) + 1 from {schema}.record;
    delete from {schema}.record where name = of_name and version <= of_version - past;
end
$body$;
