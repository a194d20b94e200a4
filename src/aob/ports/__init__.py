"""What the rooms ask of the outside: protocols only. Each says what it promises; a backend keeps it."""
