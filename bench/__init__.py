"""The bench: measures in, a table for people and JSON lines for tools out. `make bench` runs it."""
