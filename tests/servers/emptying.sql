-- All rows of a schema go but those that its steps wrote. Answers whether it is as the steps left it.
do $$
declare
  name text;
begin
  set local lock_timeout = '1s';
  for name in select relname from pg_class where relnamespace = '{schema}'::regnamespace and relkind in ('r', 'p')
      and not relispartition and relname not in ('step', 'daily', 'made') loop
    execute format('delete from {schema}.%I', name);
  end loop;
end $$;
select not exists (
    select from {schema}.made m full join {schema}.shapes() s using (kind, name) where m.shape is distinct from s.shape
  ) and (select array_agg(number order by number) = array[{steps}] and bool_and(ended is not null) from {schema}.step);
