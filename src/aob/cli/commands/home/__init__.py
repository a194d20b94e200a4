"""Commands for a home and its files, with or without a server: backup, restore, db, doctor, shards, settings."""
