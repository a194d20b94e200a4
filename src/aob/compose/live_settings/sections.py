"""The sections of settings that all processes of a home share: read, compared, laid over those of a process. Pure but
for the reading of a home's file."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, structs

from aob.compose.settings import LIMITS, SETTINGS_FILE, VARIABLES, Egress, Patching, Settings, known_kinds
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Conflict, Invalid, Problem, TooLarge
from aob.core.hint import nearest
from aob.ports.cluster import DATA_MAX
from aob.work.egress import Guard

Sections = dict[str, dict[str, Any]]
"""Values by key, by section."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: units of reads in any minute, of a key and of a tenant (0: no limit)."""

    rate_limit_rpm: Annotated[int, Meta(ge=0)] = Settings().rate_limit_rpm
    tenant_rate_limit_rpm: Annotated[int, Meta(ge=0)] = Settings().tenant_rate_limit_rpm


class Shared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a record has; None: nobody has pushed this section."""

    patches: Patching | None = None
    egress: Egress | None = None
    limits: Limits | None = None


SECTIONS: Final = Shared.__struct_fields__


class Change(msgspec.Struct, frozen=True):
    """What a push changes: a setting, its value before (null: it was each process's own) and after."""

    key: str
    before: JsonValue
    after: JsonValue


def read_sections(given: object) -> Shared:
    """Sections as somebody gives them. Raises Invalid with the place of what is wrong, TooLarge."""
    if not isinstance(given, Mapping) or not given:
        raise Invalid("there is no section to share", [
            Problem("", f"give one of [{'], ['.join(SECTIONS)}]", "bad_settings")
        ])  # fmt: skip
    for name in given:
        if name not in SECTIONS:
            near = nearest(str(name), SECTIONS)
            hint = f"did you mean [{near}]?" if near else f"shared are [{'], ['.join(SECTIONS)}]"
            raise Invalid(
                f"[{name!s:.60}] is not shared", [Problem(f"/{name!s:.60}", "unknown", "bad_settings", hint=hint)]
            )
    try:
        found = msgspec.convert(given, Shared)
    except (msgspec.ValidationError, RecursionError) as error:
        place = re.search(r" - at `\$\.?(.*)`", str(error))
        path = "/" + place[1].replace(".", "/") if place else ""
        raise Invalid("the settings are wrong", [Problem(path, str(error)[:500], "bad_settings")]) from error
    if found.patches is not None:
        known_kinds(found.patches)
    if found.egress is not None:
        Guard(Settings(egress=found.egress).egress_rules())
    if len(encoded(found)) > DATA_MAX:
        raise TooLarge(f"the shared settings are over the limit of {DATA_MAX:,} bytes")
    return found


def encoded(shared: Shared) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(told(shared))


def told(shared: Shared) -> Sections:
    """Every section that is there, with each of its keys."""
    return {name: msgspec.to_builtins(part) for name in SECTIONS if (part := getattr(shared, name)) is not None}


def over(before: Shared, after: Shared) -> Shared:
    """The sections of `after`, and those of `before` that it has not."""
    return Shared(*(getattr(after, name) or getattr(before, name) for name in SECTIONS))


def changes(before: Shared, after: Shared) -> list[Change]:
    """What differs, by section and key."""
    old, new = told(before), told(after)
    return [
        Change(f"{name}.{key}", old.get(name, {}).get(key), value)
        for name, section in new.items() for key, value in section.items()
        if name not in old or old[name].get(key) != value
    ]  # fmt: skip


def laid_over(settings: Settings, shared: Shared) -> Settings:
    """The settings of a process with the shared ones in place of its own."""
    found: dict[str, Any] = {}
    if shared.patches is not None:
        found["patches"] = shared.patches
    if shared.egress is not None:
        found["egress"] = shared.egress
    if shared.limits is not None:
        found |= structs.asdict(shared.limits)
    return structs.replace(settings, **found) if found else settings


def stated(home: Path, settings: Settings, env: Mapping[str, str]) -> Sections:
    """What a process itself says of the shared sections: in the file of its home, by its environment or its caller."""
    path = home / SETTINGS_FILE
    file: JsonObject = tomllib.loads(path.read_text()) if path.is_file() else {}
    given = {variable for variable in VARIABLES if env.get(variable)}
    variables = {VARIABLES[variable] for variable in given}
    own = told(Shared(settings.patches, settings.egress, Limits(*(getattr(settings, key) for key in LIMITS))))
    plain = told(Shared(Patching(), Egress(), Limits()))
    written = {
        name: set(file.get(name, {})) | (set(file) | variables if name == "limits" else set()) for name in SECTIONS
    }
    return {
        name: {key: value for key, value in section.items() if key in written[name] or value != plain[name][key]}
        for name, section in own.items()
    }


def check_stated(stated: Sections, shared: Shared) -> None:
    """Raises Conflict `settings_differ` for a process that says otherwise than the record."""
    record = told(shared)
    for key, own, theirs in _differences(stated, record):
        raise Conflict(
            f"{key} is {_shown(own)} here, and {_shown(theirs)} in the settings that the processes of this home share",
            code="settings_differ", key=key,
            hint=f"leave {key} out here ({SETTINGS_FILE}, environment); a running home takes it by `aob settings push`",
        )  # fmt: skip


def _differences(stated: Sections, record: Sections) -> Iterator[tuple[str, Any, Any]]:
    for name, section in stated.items():
        for key, value in section.items():
            if name in record and record[name][key] != value:
                yield f"{name}.{key}", value, record[name][key]


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:200]


def shared_of(file: Mapping[str, Any]) -> JsonObject:
    """What a file of settings has to share: its shared sections, the limits that stand at its top, and names that no
    setting has, so that a misspelled one is told."""
    found: JsonObject = {name: value for name, value in file.items() if name in SECTIONS or name not in _OWN}
    limits = {name: file[name] for name in LIMITS if name in file}
    if limits:
        found["limits"] = {**limits, **file.get("limits", {})}
    return found


_OWN: Final = frozenset(Settings.__struct_fields__)
