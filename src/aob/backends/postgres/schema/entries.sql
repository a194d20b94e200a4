-- Rows beside the events of streams, by key: what is not history but state, written over.
create table {schema}.entry (
  shard int not null, stream text collate "C" not null, key bytea not null, data bytea not null,
  primary key (shard, stream, key)
);
alter table {schema}.entry alter column data set storage external;

-- The batches of several shards of which some have such rows. `beside` is a list a shard: [shard, at, [[stream, key,
-- place, length, before], ...]], in order; a length of -1 removes from the key on, up to `before`. They are written in
-- the transaction of their batch, if that is.
create function {schema}.commit_entries(
  told bigint[], bytes bytea, rest text, kinds int, lock_ms int, beside text
) returns bigint[]
language plpgsql security definer set search_path = {schema}, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off as $$
declare
  answers constant bigint[] := commit_runs(told, bytes, rest, kinds, lock_ms);
  good constant int[] := array(
    select told[(n - 1) * 11 + 1]::int from generate_series(1, array_length(answers, 1)) n where answers[n] = -1
  );
  part jsonb;
  line jsonb;
  at_key bytea;
  until bytea;
begin
  for part in select x from jsonb_array_elements(beside::jsonb) x where (x->0)::int = any(good) loop
    for line in select x from jsonb_array_elements(part->2) x loop
      at_key := decode(line->>1, 'base64');
      if (line->3)::int >= 0 then
        insert into entry values (
          (part->0)::int, line->>0, at_key, substr(bytes, (part->1)::int + (line->2)::int + 1, (line->3)::int)
        ) on conflict (shard, stream, key) do update set data = excluded.data;
      else
        until := decode(line->>4, 'base64');
        if until = ''::bytea then
          delete from entry e where e.shard = (part->0)::int and e.stream = line->>0 and e.key >= at_key;
        else
          delete from entry e where e.shard = (part->0)::int and e.stream = line->>0 and e.key >= at_key and e.key < until;
        end if;
      end if;
    end loop;
  end loop;
  return answers;
end $$;
