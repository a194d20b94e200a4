"""Measures of a cluster on Postgres, a file a subject: real processes, the CPU of all of them and of the server."""
