"""The laws of runs, of workflows and their tags, and of keys: they decide events for commands."""
