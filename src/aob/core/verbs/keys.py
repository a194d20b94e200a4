"""Verbs of a home: its shared settings, its keys, whose secret only the answer to a creation contains, its shards, and
how it is."""

from typing import Annotated, Final, TypeAlias

import msgspec

from aob.core.answers import JsonObject, KeyCreated, KeyList
from aob.core.rights import ROLE_CHARS_MAX, ROLE_PATTERN, TENANT_PATTERN
from aob.core.status import HomeStatus
from aob.core.verb import Http, NoArgs, Verb, ok
from aob.core.verbs.shapes import (
    BuildList,
    HandlerList,
    HandlerPaused,
    SettingsPushed,
    Shards,
    ShardsStep,
    SharedSettings,
    WorkerList,
)

ROLES_MAX: Final = 32
SHARDS_MAX: Final = 64
RoleName: TypeAlias = Annotated[str, msgspec.Meta(pattern=ROLE_PATTERN, max_length=ROLE_CHARS_MAX)]
"""`view run deploy approve patch admin`, or a custom role of letters."""


class CreateKey(msgspec.Struct, frozen=True):
    """Whose key, with which roles, in which tenant (the caller's own by default)."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    roles: Annotated[tuple[RoleName, ...], msgspec.Meta(min_length=1, max_length=ROLES_MAX)]
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)] | None = None


class NamedKey(msgspec.Struct, frozen=True):
    """A key by its id."""

    key_id: str


class PauseHandler(msgspec.Struct, frozen=True):
    """A handler by its name, and why."""

    handler: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    reason: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class SetShards(msgspec.Struct, frozen=True):
    """How many shards shall own the partitions."""

    shards: Annotated[int, msgspec.Meta(ge=1, le=SHARDS_MAX)]


class PushSettings(msgspec.Struct, frozen=True):
    """Sections with their keys. `after` is the version that they were written over (left out: whichever it is now);
    `dry_run` only tells what would change."""

    settings: JsonObject
    dry_run: bool = False
    after: Annotated[int, msgspec.Meta(ge=0)] | None = None


LIST: Final = Verb(
    "list_keys", NoArgs, "admin", "key", "main",
    Http("GET", "/v1/keys", "list_keys", "List the keys of the tenant, without their secrets.",
         ok(KeyList, "The keys."), wraps="keys"),
)  # fmt: skip
CREATE: Final = Verb(
    "create_key", CreateKey, "admin", "key", "main",
    Http("POST", "/v1/keys", "create_key", "Make a key. Its secret is in this answer and nowhere else.",
         ok(KeyCreated, "The key with its secret.", 201), takes="KeyBody", refuses=(409,)),
)  # fmt: skip
REVOKE: Final = Verb(
    "revoke_key", NamedKey, "admin", "key", "main",
    Http("DELETE", "/v1/keys/{key_id}", "revoke_key", "Revoke a key. It opens nothing from now on.",
         ok(None, "The key is revoked.", 204)),
)  # fmt: skip

LIST_SHARDS: Final = Verb(
    "list_shards", NoArgs, "admin", "home", "main",
    Http("GET", "/v1/shards", "list_shards", "The shards of the home: which partitions each owns.",
         ok(Shards, "The shards.")),
)  # fmt: skip
SET_SHARDS: Final = Verb(
    "set_shards", SetShards, "admin", "home", "main",
    Http("PUT", "/v1/shards", "set_shards",
         "Move partitions until so many shards own them: one call moves some, and says how many are left. Only with "
         "the home's own key.", ok(ShardsStep, "What moved, what stayed, what is left."), takes="ShardsBody",
         refuses=(409, 503)),
)  # fmt: skip
STATUS: Final = Verb(
    "status", NoArgs, "admin", "home", "main",
    Http("GET", "/v1/status", "show_status",
         "Say how the home or the cluster is: members, shards, lag, workers, stores, and what is to be seen to. For "
         "keys of the tenant `default`.", ok(HomeStatus, "How it is.")),
)  # fmt: skip

WORKERS: Final = Verb(
    "workers", NoArgs, "view", "worker", "every",
    Http("GET", "/v1/workers", "list_workers", "List the workers that are attached, or may come back.",
         ok(WorkerList, "The workers."), wraps="workers"),
)  # fmt: skip
BUILDS: Final = Verb(
    "builds", NoArgs, "view", "worker", "every",
    Http("GET", "/v1/workers/builds", "list_builds",
         "List the builds that workers have or live runs are pinned to. One with runs and without workers makes them "
         "wait.", ok(BuildList, "The builds."), wraps="builds"),
)  # fmt: skip
HANDLERS: Final = Verb(
    "handlers", NoArgs, "view", "handler", "main",
    Http("GET", "/v1/handlers", "list_handlers",
         "List the handlers of the home: where they are, which are paused, and who changed that last.",
         ok(HandlerList, "The handlers.")),
)  # fmt: skip
PAUSE: Final = Verb(
    "pause_handler", PauseHandler, "admin", "handler", "main",
    Http("POST", "/v1/handlers/{handler}/pause", "pause_handler",
         "Give out no jobs of a handler, in all processes, until it is resumed. What has begun goes on.",
         ok(HandlerPaused, "It is paused."), takes="PauseBody", optional=True, refuses=(409,)),
)  # fmt: skip
RESUME: Final = Verb(
    "resume_handler", PauseHandler, "admin", "handler", "main",
    Http("POST", "/v1/handlers/{handler}/resume", "resume_handler", "Give out the jobs of a handler again.",
         ok(HandlerPaused, "It is not paused."), takes="ResumeBody", optional=True, refuses=(409,)),
)  # fmt: skip
SHOW_SETTINGS: Final = Verb(
    "show_settings", NoArgs, "admin", "home", "main",
    Http("GET", "/v1/settings", "show_settings",
         "The settings that all processes of the home share, and who pushed what. For keys of the tenant `default`.",
         ok(SharedSettings, "The settings.")),
)  # fmt: skip
PUSH_SETTINGS: Final = Verb(
    "push_settings", PushSettings, "admin", "home", "main",
    Http("PUT", "/v1/settings", "push_settings",
         "Share sections of settings (`patches`, `egress`, `limits`) by all processes of the home, which read them "
         "live. A section is given whole; others stay.",
         ok(SettingsPushed, "What it changes."), whole="settings", query=("dry_run", "after"), refuses=(409, 413)),
)  # fmt: skip

VERBS: Final = (
    LIST, CREATE, REVOKE, LIST_SHARDS, SET_SHARDS, STATUS, WORKERS, BUILDS, HANDLERS, PAUSE, RESUME, SHOW_SETTINGS,
    PUSH_SETTINGS,
)  # fmt: skip
