"""Declared topics of every tenant: requests are decided by the law of its organisation, reads come from memory."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from aob.core.answers import JsonObject
from aob.core.duration import parse_duration
from aob.core.errors import CallerError, Conflict, Invalid, Problem, TooLarge
from aob.core.instant import ms_of
from aob.core.organisation import answers, names, overview, retention
from aob.core.organisation import commands as cmd
from aob.core.organisation import events as ev
from aob.core.organisation import state as org
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs.organisation import topic_verbs as verbs
from aob.organisation.groups import Groups
from aob.organisation.organisations import Organisations
from aob.organisation.retaining import Retaining

_REFUSALS: Final[dict[int, type[CallerError]]] = {each.status: each for each in (Conflict, Invalid, TooLarge)}


SubjectOf = Callable[[str, str, str], str]
"""The subject of the registry that speaks of the records of a type in a topic of a tenant; empty: none."""


class Topics:
    """The verbs of declared topics."""

    def __init__(
        self, organisations: Organisations, retaining: Retaining, groups: Groups, subject_of: SubjectOf
    ) -> None:  # fmt: skip
        self._tenants, self._retaining, self._groups = organisations, retaining, groups
        self._subject_of = subject_of

    @performs(verbs.CREATE)
    async def create_topic(self, who: Caller, args: verbs.CreateTopic) -> answers.TopicView:
        """Declare a topic. Raises Conflict `topic_exists`, Invalid, TooLarge `quota`."""
        return await self._created(who, args, "")

    async def requested(self, tenant: str, agent: str, asked: JsonObject) -> answers.TopicView:
        """Declare a topic that an agent asks for while it handles a record; it is its own. Raises what `create_topic`
        does, and Invalid `other_namespace`."""
        args = msgspec.convert({**asked, "owner": agent}, verbs.CreateTopic)
        return await self._created(Caller(tenant, agent, frozenset()), args, agent)

    async def _created(self, who: Caller, args: verbs.CreateTopic, agent: str) -> answers.TopicView:
        lives_ms, expires_at_ms = _expiry(args.expires)
        spec = org.TopicSpec(
            args.owner or who.name, args.purpose, args.types, retention.retention_of(args.retention, args.config),
            lives_ms, expires_at_ms, args.depth_max, args.exports,
        )  # fmt: skip
        await self._retaining.purge(who.tenant, args.topic)
        asked = cmd.RequestTopic(who.name, who.id, args.topic, spec, self._tenants.partitions, agent)
        decided = await self._tenants.ask(who, asked, _topic(args.topic))
        if decided.events and isinstance(refused := decided.events[-1], ev.TopicRefused):
            raise _REFUSALS.get(refused.status, CallerError)(refused.reason, code=refused.code, hint=_hint(refused))
        view: answers.TopicView = {**overview.topic_row(decided.said), "created": bool(decided.events)}
        return view

    @performs(verbs.LIST)
    async def topics(self, who: Caller, args: verbs.ListTopics) -> answers.TopicList:
        """A page of declared topics, by name."""
        state = await self._tenants.settled(who.tenant)
        found = [
            topic for name, topic in sorted(state.topics.items())
            if name > args.after and args.state in ("", topic.state) and args.owner in ("", topic.spec.owner)
            and args.namespace in ("", names.namespace_of(name))
        ]  # fmt: skip
        page = found[: args.limit]
        return {
            "topics": [overview.topic_row(each) for each in page],
            "next": page[-1].name if len(found) > len(page) else None,
        }

    @performs(verbs.FIND)
    async def find_topics(self, who: Caller, args: verbs.FindTopics) -> answers.TopicHits:
        """Topics by the types of their records. Raises Invalid when no type is given."""
        if not (args.accepts or args.emits):
            raise Invalid("say a type of event", hint="accepts, emits, or both")
        found = list[answers.TopicHit]()
        for topic in (await self._tenants.settled(who.tenant)).topics.values():
            subjects = {type: self._subject_of(who.tenant, topic.name, type) for type in (args.accepts, args.emits)}
            declared = {
                type: type in topic.spec.types or subjects[type] == f"{topic.name}-{type}"
                for type in (args.accepts, args.emits) if type
            }  # fmt: skip
            takes = topic.state != "read_only" and args.accepts in (topic.spec.types or (args.accepts,))
            if (args.accepts and not takes) or (args.emits and not declared[args.emits]):
                continue
            subject = subjects[args.accepts or args.emits]
            found.append(
                {"topic": topic.name, "state": topic.state, "declared": all(declared.values()), "subject": subject}
            )
        found.sort(key=lambda hit: (not hit["declared"], hit["topic"]))
        return {"topics": found[: args.limit]}

    @performs(verbs.SHOW)
    async def topic(self, who: Caller, args: verbs.NamedTopic) -> answers.TopicDetail:
        """One declared topic, with what it holds."""
        state = await self._tenants.settled(who.tenant)
        row = overview.topic_row(state.topic(args.topic))
        count, readers = await self._groups.of_topic(who.tenant, args.topic)
        consumers, producers = overview.users_of(state, args.topic)
        return {**row, "records": count, "consumers": consumers, "producers": producers, "groups": readers}

    @performs(verbs.UPDATE)
    async def update_topic(self, who: Caller, args: verbs.UpdateTopic) -> answers.TopicView:
        """Declare a topic anew. Raises NotFound, Conflict `topic_leaving`, Invalid."""
        spec = self._tenants.of(who.tenant).topic(args.topic).spec
        given = {name: getattr(args, name) for name in ("owner", "purpose", "types", "depth_max", "exports")}
        spec = replace(spec, **{name: value for name, value in given.items() if value is not None})
        if args.retention is not None or args.config is not None:
            spec = replace(
                spec, retention=retention.retention_of(args.retention or spec.retention.of, args.config or {})
            )
        if args.expires is not None:
            lives_ms, expires_at_ms = _expiry(args.expires)
            spec = replace(spec, lives_ms=lives_ms, expires_at_ms=expires_at_ms)
        decided = await self._tenants.ask(who, cmd.ChangeTopic(who.name, who.id, args.topic, spec), _topic(args.topic))
        return overview.topic_row(decided.said)

    @performs(verbs.DELETE)
    async def delete_topic(self, who: Caller, args: verbs.DeleteTopic) -> answers.TopicDeletion:
        """Let a topic go. Raises NotFound, Conflict `topic_in_use`, Invalid."""
        drain_ms, keep_ms = _span(args.drain, "drain"), _span(args.keep, "keep")
        asked = cmd.DeleteTopic(who.name, who.id, args.topic, drain_ms, keep_ms, args.reason, args.force)
        _, readers = await self._groups.of_topic(who.tenant, args.topic)
        left: org.Topic | None = (await self._tenants.ask(who, asked, lambda state: state.topics.get(args.topic))).said
        return {
            "topic": args.topic, "deleted": left is None, "state": left.state if left is not None else None,
            "until": left.until_ms if left is not None else None,
            "users": sorted(self._tenants.of(who.tenant).users_of(args.topic)),
            "groups": [each["group"] for each in readers],
        }  # fmt: skip

    @performs(verbs.UNDELETE)
    async def undelete_topic(self, who: Caller, args: verbs.NamedTopic) -> answers.TopicView:
        """Keep a topic. Raises NotFound."""
        decided = await self._tenants.ask(who, cmd.RestoreTopic(who.name, who.id, args.topic), _topic(args.topic))
        return overview.topic_row(decided.said)


def _topic(name: str) -> Callable[[org.Organisation], org.Topic | None]:
    return lambda state: state.topics.get(name)


def _expiry(text: str) -> tuple[int, int]:
    """How long a topic lives, or until when, in ms; both 0 for an empty text. Raises Invalid `bad_expiry`."""
    if not text:
        return 0, 0
    try:
        if "T" in text.upper() or text.count("-") > 1:
            return 0, ms_of(text)
        if (lives_ms := parse_duration(text)) > 0:
            return lives_ms, 0
        raise ValueError("a topic lives for some time")
    except ValueError as error:
        raise Invalid("expires is neither a duration nor an instant",
                      [Problem("/expires", str(error), "bad_expiry", hint="7d, or 2027-01-31T12:00:00Z")],
                      code="bad_expiry") from error  # fmt: skip


def _span(text: str, name: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Invalid(f"{name} is no duration", [Problem(f"?{name}", str(error), hint="0s, 30m, 1d")]) from error


def _hint(refused: ev.TopicRefused) -> str:
    return {
        "quota": "aob org show lists what there is; an admin sets quotas: aob org namespace NAME --topics N",
        "topic_exists": f"aob topic show {refused.topic}; aob topic update changes it",
        "topic_leaving": f"aob topic undelete {refused.topic}",
        "bad_name": "letters, digits, _ and -, parts with single dots between: orders, or acme.support.tickets",
    }.get(refused.code, "")
