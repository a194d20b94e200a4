-- add_numbers
-- So many letters more of a tenant: the last number.
insert into total values (?1, 0, 0, 0, ?2) on conflict (tenant) do update set dead = dead + ?2 returning dead;

-- add
-- A refused event.
insert into dead values (?, ?, ?, ?, ?, ?, ?, 'open', '', ?, ?);

-- settle
-- What became of a refused event.
update dead set state = ?, note = ? where tenant = ? and number = ?;

-- page
-- Refused events of a tenant, newest first.
select number, at_ms, type, source, id, reasons, line, state, note from dead
where tenant = ?1 and (?2 = '' or state = ?2) and (?3 = '' or type = ?3) and (?4 = '' or rule = ?4) and (?5 = 0 or number < ?5)
order by number desc limit ?6;

-- letter
-- One refused event.
select number, at_ms, type, source, id, reasons, line, state, note from dead where tenant = ? and number = ?;

-- counts
-- How many there are by type and rule.
select type, rule, count(*) as many from dead where tenant = ?1 and (?2 = '' or state = ?2)
group by type, rule order by many desc, type, rule limit 200;
