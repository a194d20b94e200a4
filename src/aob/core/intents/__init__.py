"""Intents of effects go in and are found by number, or by kind, content and count. Data only."""

from aob.core.intents.intents import Intent, Intents, WrittenIntent, read_intents, write_intents

__all__ = ["Intent", "Intents", "WrittenIntent", "read_intents", "write_intents"]
