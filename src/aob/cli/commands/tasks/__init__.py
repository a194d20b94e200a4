"""Commands of tasks and plans."""
