"""Repeats past runs from their records: as a shadow without effects, or as a new run from one of their nodes."""
