-- What is removed of partitions of topics: place 26 of a batch, a list of [tenant, topic, partition, [first, ...],
-- [key, ...], [[first, crc, place, length], ...] of rows that hold less now, whether marks of groups go]. Deletions
-- precede what is written.
create function {schema}.trim_records(good int[], parts jsonb, bytes bytea) returns void
language plpgsql set search_path = {schema}, pg_temp as $$
declare
  which int;
  at int;
  trim jsonb;
begin
  for which, at, trim in
    select (b->0)::int, (b->1)::int, x from jsonb_array_elements(parts) b, jsonb_array_elements(b->26) x
    where (b->0)::int = any(good)
  loop
    delete from record_row r where r.shard = which and r.tenant = trim->>0 and r.topic = trim->>1
      and r.partition = (trim->2)::int and r.first = any(array(select x::bigint from jsonb_array_elements(trim->3) x));
    delete from record_key k where k.shard = which and k.tenant = trim->>0 and k.topic = trim->>1
      and k.partition = (trim->2)::int
      and k.key = any(array(select decode(x, 'base64') from jsonb_array_elements_text(trim->4) x));
    update record_row r set crc = (x->1)::bigint, data = substr(bytes, at + (x->2)::int + 1, (x->3)::int)
      from jsonb_array_elements(trim->5) x
      where r.shard = which and r.tenant = trim->>0 and r.topic = trim->>1 and r.partition = (trim->2)::int
        and r.first = (x->0)::bigint;
    if (trim->6)::bool then
      delete from group_mark g where g.shard = which and g.tenant = trim->>0 and g.topic = trim->>1
        and g.partition = (trim->2)::int;
    end if;
  end loop;
end $$;

alter function {schema}.commit_beside(int[], jsonb, bytea) rename to commit_records;
create function {schema}.commit_beside(good int[], parts jsonb, bytes bytea) returns void
language plpgsql set search_path = {schema}, pg_temp as $$
begin
  perform trim_records(good, parts, bytes);
  perform commit_records(good, parts, bytes);
end $$;
