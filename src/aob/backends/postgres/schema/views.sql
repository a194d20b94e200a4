-- The log as people read it, without the hashes of keys: in a record of a key made, the sixth part.
create or replace view {schema}.event_log as
  select j.shard, j."row", j.at_ms, s.value->>0 as stream, (s.value->>1)::bigint + e.place - 1 as seq,
    (e.event->>0)::int as tag,
    case when s.value->>0 = 'keyring/all' and e.event->>0 = '1' then (
      select ('[' || string_agg(case when part.place = 6 then '"***"' else part.value::text end, ',' order by part.place)
        || ']')::json
      from json_array_elements(e.event) with ordinality part(value, place)
    ) else e.event end as event
  from {schema}.journal j,
    json_array_elements(case when position('\\u0000'::bytea in j.data) = 0 then convert_from(j.data, 'UTF8')::json
      else regexp_replace(convert_from(j.data, 'UTF8'), '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json end) s,
    json_array_elements(s.value->2) with ordinality e(event, place);
