"""The settings that all processes of a home share: one versioned record in its store, which each process lays over its
own settings, reads live, and contradicts at its start only."""

from aob.compose.live_settings.live import LiveSettings
from aob.compose.live_settings.room import NAME, SettingsRoom
from aob.compose.live_settings.sections import read_sections, shared_of, stated

__all__ = ["NAME", "LiveSettings", "SettingsRoom", "read_sections", "shared_of", "stated"]
