"""The settings of a process as they are now: its own, and over them those that all processes of the home share. Whoever
uses one of these hears of each change."""

from collections.abc import Callable
from typing import Final

import msgspec

from aob.compose.live_settings.sections import Sections, Shared, check_stated, laid_over, read_sections
from aob.compose.settings import Settings
from aob.core.errors import AobError, Invalid
from aob.core.status import SettingsStatus
from aob.ports.cluster import Record
from aob.ports.logger import Logger

Hear = Callable[[Settings], None]
UNREAD: Final = "settings_unread"
log: Final = Logger("aob.compose")


class LiveSettings:
    """`own` are those of the process, `stated` what it says itself of the shared sections."""

    def __init__(self, own: Settings, stated: Sections) -> None:
        self._own, self._stated = own, stated
        self.now, self.shared, self.version = own, Shared(), 0
        self.record: Record | None = None
        self._unread, self._begun = "", False
        self._hears: list[Hear] = []

    def hear(self, hear: Hear) -> Callable[[], None]:
        """Call `hear` after each change; returns what ends that."""
        self._hears.append(hear)
        return lambda: self._hears.remove(hear) if hear in self._hears else None

    def status(self) -> SettingsStatus:
        """The version that counts here, and why a later one does not."""
        if self._unread:
            return {"version": self.version, "status": UNREAD, "detail": self._unread}
        return {"version": self.version, "status": "ok"}

    def take(self, record: Record | None) -> None:
        """The shared settings are these from now on. Raises Invalid for a record that this release cannot read, and at
        first Conflict `settings_differ` when this process says otherwise."""
        version = record.version if record is not None else 0
        if record is None or version == self.version:
            self._begun = True
            return
        try:
            shared = _read(record)
        except AobError as error:
            self._unread = f"version {version} by {record.by} cannot be read: {error.detail}"
            raise
        self._unread = ""
        self.told(version, shared, record.by)
        self.record = record

    def told(self, version: int, shared: Shared, by: str = "the home") -> None:
        """Others say that these count from now on: at first, and whenever they have changed. Raises as `take`."""
        if not (self.version or self._begun):
            check_stated(self._stated, shared)
        else:
            log.info("settings_changed", version=version, by=by)
        self.now, self.shared, self.version, self._begun = laid_over(self._own, shared), shared, version, True
        for hear in list(self._hears):
            hear(self.now)


def _read(record: Record) -> Shared:
    """The sections of a record. Raises Invalid for one that is damaged, or of a release with other sections."""
    try:
        given = msgspec.json.decode(record.data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Invalid(f"it is no JSON: {error}", code="bad_settings", hint="push the settings again") from error
    return read_sections(given)
