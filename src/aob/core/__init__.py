"""The laws: pure functions over data. No clock, no dice, no I/O, no task is started here."""
