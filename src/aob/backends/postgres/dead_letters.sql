-- write
-- Refused events and changes of state; the last number of each.
select {schema}.write_dead(%s, %b)

-- page
-- Refused events of a tenant, newest first.
select number, at_ms, type, source, id, reasons, line, state, note from {schema}.dead
where tenant = %(tenant)s and (%(state)s = '' or state = %(state)s)
  and (%(type)s = '' or (left(type, 200) = left(%(type)s, 200) and type = %(type)s))
  and (%(rule)s = '' or rule = %(rule)s) and (%(before)s = 0 or number < %(before)s)
order by number desc limit %(limit)s

-- letter
-- One refused event.
select number, at_ms, type, source, id, reasons, line, state, note from {schema}.dead where tenant = %s and number = %s

-- counts
-- How many there are by type and rule.
select type, rule, count(*) as many from {schema}.dead where tenant = %(tenant)s and (%(state)s = '' or state = %(state)s)
group by type, rule order by many desc, type, rule limit 200
