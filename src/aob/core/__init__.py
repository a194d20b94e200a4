"""The laws: pure functions over data, without clock, randomness, I/O or tasks."""
