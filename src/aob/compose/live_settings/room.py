"""The verbs of the settings that all processes of a home share: show them with their history, push sections."""

from collections.abc import Callable
from typing import Final

import msgspec

from aob.compose.live_settings.live import LiveSettings
from aob.compose.live_settings.sections import Shared, changes, encoded, over, read_sections, told
from aob.compose.storage import Following
from aob.core.answers import JsonObject
from aob.core.errors import Refused
from aob.core.policy import LOCAL, Caller
from aob.core.rules import check_followed
from aob.core.verb import NoArgs, performs
from aob.core.verbs import key_verbs as verbs
from aob.ports.cluster import Record, Records, version_differs
from aob.ports.logger import Logger

NAME: Final = "settings"
BY_MAX: Final = 200
log: Final = Logger("aob.compose")


class SettingsRoom:
    """Shows and pushes. `live` are the settings of this process, which follows the records; `rules` the newest that all
    processes of the home know."""

    def __init__(self, following: Following, live: LiveSettings, rules: Callable[[], int]) -> None:
        self._following, self._live, self._rules = following, live, rules

    @property
    def _records(self) -> Records:
        return self._following.records

    @performs(verbs.SHOW_SETTINGS)
    async def show_settings(self, who: Caller, args: NoArgs) -> JsonObject:
        """The shared settings, and who pushed what before, newest first."""
        _of_home(who)
        past = await self._records.past(NAME)
        before = [*(_shared(record) for record in past[1:]), Shared()]
        history = [
            {"version": record.version, "by": record.by, "at": record.at_ms,
             "changes": msgspec.to_builtins(changes(old, _shared(record)))}
            for record, old in zip(past, before, strict=False) if record.version == 1 or record is not past[-1]
        ]  # fmt: skip
        now = past[0] if past else Record(NAME, 0, b"", "", 0)
        return {
            "version": now.version, "by": now.by, "at": now.at_ms, "settings": told(_shared(now)), "history": history,
        }  # fmt: skip

    @performs(verbs.PUSH_SETTINGS)
    async def push_settings(self, who: Caller, args: verbs.PushSettings) -> JsonObject:
        """Share sections from now on. Sections that are not given stay. Raises Invalid, Conflict `version_differs` when
        somebody else has pushed meanwhile, `members_differ` while a process of an older release would not follow."""
        _of_home(who)
        given = read_sections(args.settings)
        present = await self._records.read(NAME)
        version = present.version if present is not None else 0
        if args.after is not None and args.after != version:
            raise version_differs(NAME, args.after, version)
        before = _shared(present)
        after = over(before, given)
        found = msgspec.to_builtins(changes(before, after))
        if found and not args.dry_run:
            check_followed(self._rules(), "shared settings")
            by = f"{who.name} ({who.id})" if who.id else who.name
            version = (await self._records.write(NAME, encoded(after), version, by[:BY_MAX])).version
            log.info("settings_pushed", version=version, by=by, keys=[change["key"] for change in found])
            await self._following.look()
        return {"version": version, "changes": found, "dry_run": args.dry_run}


def _shared(record: Record | None) -> Shared:
    return Shared() if record is None or not record.data else read_sections(msgspec.json.decode(record.data))


def _of_home(who: Caller) -> None:
    if who.tenant != LOCAL.tenant:
        raise Refused(f"{who.name} of {who.tenant} does not see the home", hint="use a key of the tenant `default`")
