-- join
select {schema}.join_cluster(%s, %s, %s, %s, %s, %s, %s, %s, %s)

-- leave
select {schema}.leave_cluster(%s)

-- take
select why, owner, address, term, heir, left_ms from {schema}.take_lease(%s, %s, %s)

-- renew
select now_ms, terms from {schema}.renew_leases(%s, %s)

-- release
select {schema}.release_lease(%s, %s, %s, %s)

-- standing
with clock as materialized (select clock_timestamp() as at)
select floor(extract(epoch from at) * 1000)::bigint,
  (select coalesce(json_agg(json_build_object('id', id, 'address', address, 'release', release, 'rules', rules,
      'leaving', leaving, 'roles', string_to_array(roles, ','), 'grpc', grpc) order by id), '[]') from {schema}.member where until > at),
  (select coalesce(json_agg(json_build_object('shard', s.id, 'owner', coalesce(l.owner, ''),
      'address', coalesce(l.address, ''), 'term', coalesce(l.term, 0), 'heir', coalesce(l.heir, ''),
      'left_ms', case when l.until > at then floor(extract(epoch from l.until - at) * 1000)::bigint else 0 end,
      'since_ms', case when l.taken > '-infinity' then floor(extract(epoch from at - l.taken) * 1000)::bigint
                  else 9007199254740991 end) order by s.id), '[]')
   from {schema}.shard s left join {schema}.lease l on l.shard = s.id),
  (select max(rules) from {schema}.finished)
from clock
