-- put
-- Bytes under their hash.
select {schema}.put_blob(%s, %b, %b);

-- get
-- A whole blob.
select data from {schema}.blob where tenant = %s and digest = %b;

-- range
-- Some bytes of a blob.
select substring(data from %s::bigint::int for %s::bigint::int) from {schema}.blob where tenant = %s and digest = %b;

-- size
-- How many bytes a blob has.
select length(data) from {schema}.blob where tenant = %s and digest = %b;

-- forget
-- Removes a blob that was put before an instant.
select {schema}.forget_blob(%s, %b, %s);

-- list
-- Hashes of a tenant after one, in order.
select digest from {schema}.blob where tenant = %s and digest > %b order by digest limit %s;
