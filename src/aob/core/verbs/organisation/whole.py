"""Verbs of an organisation as a whole: show it as it is or was, its history, what changed, its feed, quotas of a
namespace."""

from typing import Annotated, Final, TypeAlias

import msgspec

from aob.core.organisation import answers, limits
from aob.core.verb import Gives, Http, Verb, ok

PAGE_MAX: Final = 200
Moment: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=200, description="RFC 3339, ms since 1970, or a position; empty: now.")
]
Quota: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=limits.QUOTA_MAX)]


class ShowOrg(msgspec.Struct, frozen=True):
    """As of when."""

    as_of: Moment = ""


class ListChanges(msgspec.Struct, frozen=True):
    """Changes of a topic, an agent or a namespace, or all, until an instant; `before` is `next` of the page before."""

    name: Annotated[str, msgspec.Meta(max_length=limits.NAME_CHARS_MAX)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 50
    before: Annotated[str, msgspec.Meta(max_length=50)] = ""
    as_of: Moment = ""


class DiffOrg(msgspec.Struct, frozen=True):
    """From when to when."""

    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to", default="")


class FollowOrg(msgspec.Struct, frozen=True):
    """After which position; from now without one."""

    position: Annotated[
        Annotated[str, msgspec.Meta(max_length=1_000)] | None, msgspec.Meta(description="Go on after this position.")
    ] = None


class SetNamespace(msgspec.Struct, frozen=True):
    """How many topics and agents a namespace may have, and how many instances all its agents together; what is left out
    stays."""

    namespace: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]
    topics: Quota | None = None
    agents: Quota | None = None
    instances: Quota | None = None


SHOW: Final = Verb(
    "org", ShowOrg, "view", "organisation", "main",
    Http("GET", "/v1/org", "show_org",
         "Show all that the tenant has declared, as it is or as it was: made again of its events.",
         ok(answers.OrgView, "The organisation."), refuses=(409,)),
)  # fmt: skip
HISTORY: Final = Verb(
    "org_history", ListChanges, "view", "organisation", "main",
    Http("GET", "/v1/org/history", "list_org_changes", "List the changes of the organisation, newest first.",
         ok(answers.OrgHistory, "A page."), refuses=(409,)),
)  # fmt: skip
DIFF: Final = Verb(
    "org_diff", DiffOrg, "view", "organisation", "main",
    Http("GET", "/v1/org/diff", "diff_org", "Say what of the organisation changed between two instants.",
         ok(answers.OrgDiff, "What was added, changed and removed."), refuses=(409,)),
)  # fmt: skip
SET_NAMESPACE: Final = Verb(
    "set_namespace", SetNamespace, "admin", "organisation", "main",
    Http("PUT", "/v1/org/namespaces/{namespace}", "set_namespace",
         "Set the quotas of a namespace. What is over a smaller one stays, and nothing is added to it.",
         ok(answers.NamespaceView, "The namespace."), takes="NamespaceBody", refuses=(413,)),
)  # fmt: skip

FOLLOW: Final = Verb(
    "follow_org", FollowOrg, "view", "organisation", "main",
    Http("GET", "/v1/stream/org", "stream_org",
         "Follow the changes of the organisation as they happen. From a position on nothing is missed.",
         (Gives(200, str, "Events named `change`; `problem` says what broke.", "text/event-stream",
                {"change": answers.OrgEntry}),),
         refuses=(409,), headers=("Last-Event-ID",)),
    streams=True,
)  # fmt: skip

VERBS: Final = (SHOW, HISTORY, DIFF, SET_NAMESPACE, FOLLOW)
