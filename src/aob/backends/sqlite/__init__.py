"""Ports on SQLite files, each with its own thread; statements are stored by name in `.sql` files here."""
