-- Lines that handlers logged: the chunks of a run in the order in which they were stored, whoever wrote them. The bytes
-- of each are a blob that nothing else has, for they begin with its name; they come and go with its row. `first` is the
-- writer's number of its first line; `upto_lines` and `upto_bytes` are sums over the run, also of chunks that are gone,
-- `bytes` are its own.
create table {schema}.log_chunk (
    run text collate "C" not null check (length(run) between 1 and 200),
    number integer not null,
    tenant text collate "C" not null,
    digest bytea not null check (length(digest) = 32),
    writer text collate "C" not null check (length(writer) between 1 and 64),
    first bigint not null,
    lines integer not null check (lines > 0),
    dropped bigint not null check (dropped >= 0),
    bytes integer not null,
    upto_lines bigint not null,
    upto_bytes bigint not null,
    at_ms bigint not null,
    primary key (run, number),
    unique (run, writer, first)
);

-- Removes the chunks of a run before a number, with their bytes.
create function {schema}.drop_log_chunks(of_run text, before integer) returns void
language sql security definer set search_path = {schema}, pg_temp as $body$
    with gone as (
        delete from {schema}.log_chunk where run = of_run and number < before returning tenant, digest
    )
    delete from {schema}.blob using gone where blob.tenant = gone.tenant and blob.digest = gone.digest
$body$;

-- Keeps chunks, of which `told` is a JSON array and `datas` the bytes. One that is there stays as it is. Of each run the
-- last `keep_chunks` stay, with at most `keep_bytes` together.
create function {schema}.add_log_chunks(told text, datas bytea[], keep_bytes bigint, keep_chunks integer) returns void
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
declare
    one record;
    last {schema}.log_chunk;
    kept integer;
begin
    for one in
        select each.*, datas[each.at::integer] as data
        from rows from (
            jsonb_to_recordset(told::jsonb) as (
                run text, tenant text, writer text, first bigint, lines integer, dropped bigint, digest text
            )
        ) with ordinality as each(run, tenant, writer, first, lines, dropped, digest, at)
        order by hashtext(each.run), each.run collate "C", each.at  -- all take their locks in one order
    loop
        perform pg_advisory_xact_lock(6385507, hashtext(one.run));  -- so that the numbers of a run commit in order
        if exists (
            select from {schema}.log_chunk c where c.run = one.run and c.writer = one.writer and c.first = one.first
        ) then
            continue;
        end if;
        select * into last from {schema}.log_chunk c where c.run = one.run order by c.number desc limit 1;
        insert into {schema}.log_chunk
            (run, number, tenant, digest, writer, first, lines, dropped, bytes, upto_lines, upto_bytes, at_ms)
        values (
            one.run, coalesce(last.number, 0) + 1, one.tenant, decode(one.digest, 'hex'), one.writer, one.first,
            one.lines, one.dropped, length(one.data), coalesce(last.upto_lines, 0) + one.lines,
            coalesce(last.upto_bytes, 0) + length(one.data), {schema}.wall_ms()
        );
        perform {schema}.put_blob(one.tenant, decode(one.digest, 'hex'), one.data);
        select c.number into kept from {schema}.log_chunk c
        where c.run = one.run and c.number > coalesce(last.number, 0) + 1 - keep_chunks
            and c.upto_bytes - c.bytes >= coalesce(last.upto_bytes, 0) + length(one.data) - keep_bytes
        order by c.number limit 1;
        perform {schema}.drop_log_chunks(one.run, coalesce(kept, last.number + 1));
    end loop;
end
$body$;

-- Removes what a run logged.
create function {schema}.remove_log(of_run text) returns void
language plpgsql security definer set search_path = {schema}, pg_temp as $body$
begin
    perform pg_advisory_xact_lock(6385507, hashtext(of_run));
    perform {schema}.drop_log_chunks(of_run, 2147483647);
end
$body$;
