-- schema
-- Stretches of partitions in this shard; the one with the greatest epoch of all files says who owns a partition.
create table if not exists extent (partition integer not null, epoch integer not null, first_row integer not null, last_row integer not null, target integer not null, released integer not null, primary key (partition, epoch)) without rowid;

-- shape
-- How many partitions the home has, and over how many shards they were spread when it was made.
select partitions, made from shard;

-- tell
-- A file is told once.
update shard set partitions = ?, made = ? where partitions = 0;

-- extents
-- All of them.
select partition, epoch, first_row, last_row, target, released from extent order by partition, epoch;

-- put
-- An extent as it is now.
insert or replace into extent values (?, ?, ?, ?, ?, ?);
