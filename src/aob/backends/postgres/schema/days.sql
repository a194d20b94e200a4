-- Partitions by day that retention has emptied go again.

-- One partition of a day before another that nothing is in, and nothing will be: no live run began on it. Retention
-- empties them; history is never dropped here. Its name, or null when there is none.
create or replace function {schema}.drop_empty_day(before int) returns text
language plpgsql security definer set search_path = {schema}, pg_temp set lock_timeout = '200ms' as $$
declare
  one record;
  used bool;
begin
  for one in
    select d.name as parent, c.relname as part, substring(c.relname from '_d([0-9]+)$')::int as day
    from daily d join pg_class p on p.relname = d.name and p.relnamespace = '{schema}'::regnamespace
      join pg_inherits i on i.inhparent = p.oid join pg_class c on c.oid = i.inhrelid
    where c.relname ~ '_d[0-9]+$' and substring(c.relname from '_d([0-9]+)$')::int < before
    order by day, parent
  loop
    execute format('select exists (select from %I)', one.part) into used;
    continue when used or (
      one.parent = 'segment' and exists (select from head where ended_ms = 0 and day = one.day)
    );
    execute format('lock table %I in access exclusive mode', one.parent);
    execute format('select exists (select from %I)', one.part) into used;
    if not used then
      execute format('drop table %I', one.part);
      return one.part;
    end if;
  end loop;
  return null;
end $$;
