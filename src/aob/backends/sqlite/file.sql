-- schema
-- Who this file is, to which home it belongs, in which format it is, and the last rows that it knows of its peers.
create table if not exists file (id integer primary key check (id = 1), file_id blob not null, home blob not null, format integer not null, known blob not null);

-- add_file
-- A file gets its id once.
insert or ignore into file values (1, randomblob(16), ?, ?, ?);

-- bring_forward
-- An earlier release cannot read what is written from here on.
update file set format = ?1 where format < ?1;

-- file
-- Who this file is.
select file_id, home, format, known from file;

-- note_known
-- What is known of the other files.
update file set known = ?;
