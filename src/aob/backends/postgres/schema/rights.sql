-- What the services may do: read everything, call the functions, write nothing by themselves.
-- Tables that they may write besides are named in the files of those tables.

revoke all on schema {schema} from public;
grant usage on schema {schema} to {service};
revoke all on all functions in schema {schema} from public;
grant execute on all functions in schema {schema} to {service};
grant select on all tables in schema {schema} to {service};
