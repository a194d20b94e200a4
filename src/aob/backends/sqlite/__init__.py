"""Ports on SQLite files, each with its own thread; statements lie beside as `.sql`, by name."""
