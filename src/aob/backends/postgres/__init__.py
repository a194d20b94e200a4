"""Ports on a Postgres database that many processes share; statements are stored by name in `.sql` files here, the
tables and functions in `schema/`."""
