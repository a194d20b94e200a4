"""Metrics where HTTP differs from the verb: instants, the ETag of a number, the cost of a read."""

from hashlib import blake2b
from time import perf_counter
from typing import Annotated, Final

import msgspec

from aob.core.metric_answers import MetricAnswer
from aob.core.problem import outward_items
from aob.core.rights import sees_home
from aob.core.verb import LIVE, UNIT
from aob.server.http.answer import Answer, Header, encode, json_answer
from aob.server.http.call import AnyCall, Call
from aob.server.http.verb_routes import Fields, Odd
from aob.server.limits import cost_of
from aob.server.routes.live.asked import Fresh, Instant, MetricAsked, Pairs, Word, instant, pairs

SPAN_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
REVALIDATE: Final[Header] = (b"cache-control", b"private, no-cache")
UNTAGGED: Final = frozenset(("freshness_ms", "watermark", "cached"))  # fields of an answer that change with time alone


class EntityAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of an entity now or `as_of` an event time, with up to `history` of its changes."""

    as_of: Instant = None
    history: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    min_position: Fresh = ""


class ChangelogAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The metric, the instants (without them the last hour) and the window. Without a metric: what was pushed in the
    last day."""

    metric: Word = ""
    since: Instant = msgspec.field(name="from", default=None)
    until: Instant = msgspec.field(name="to", default=None)
    where: Pairs = ()
    window: Word = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


async def read_metric(call: Call[MetricAsked, None], fields: Fields) -> Answer:
    """Reads one number."""
    begun = perf_counter()
    answer = await call.act("metric")(call.who, call.query.of(call.params["metric"]))
    if answer["path"] == "scan":
        call.cost = UNIT + cost_of(len(answer.get("rows", ())), perf_counter() - begun)
    return with_tag(call, answer)


def with_tag(call: Call[MetricAsked, None], answer: MetricAnswer) -> Answer:
    """The answer with its ETag, or 304 when the caller has it. The tag covers all fields except those that change with
    time alone: platform numbers, and numbers that are backfilled or restated, change without a new position."""
    stays = {name: each for name, each in answer.items() if name not in UNTAGGED}
    known = msgspec.json.encode(stays, order="sorted")
    tag = b'W/"%b"' % blake2b(known, digest_size=12).hexdigest().encode()
    headers: tuple[Header, ...] = ((b"etag", tag), REVALIDATE)
    had = call.headers.get(b"if-none-match", b"")
    if had and tag in (each.strip() for each in had.split(b",")):
        return Answer(b"", 304, b"", headers)
    return Answer(encode(answer), headers=headers)


async def read_entity(call: Call[EntityAsked, None], fields: Fields) -> Answer:
    """Shows one entity."""
    asked = msgspec.structs.asdict(call.query)
    as_of_ms = instant(asked.pop("as_of"), "as_of")
    return json_answer(await call.act("entity")(call.who, **fields, **asked, as_of_ms=as_of_ms))


async def changelog(call: Call[ChangelogAsked, None], fields: Fields) -> Answer:
    """Why a number moved."""
    query = call.query
    until_ms, since_ms = instant(query.until, "to"), instant(query.since, "from")
    until_ms = call.now_ms() if until_ms is None else until_ms
    if since_ms is None:
        since_ms = until_ms - (SPAN_MS if query.metric else DAY_MS)
    span = {"since_ms": since_ms, "until_ms": until_ms, "limit": query.limit}
    if not query.metric:
        return json_answer(await call.act("pushes")(call.who, **span))
    where = pairs(query.where) or None
    return json_answer(await call.act("changelog")(call.who, query.metric, **span, where=where, window=query.window))


async def batch(call: AnyCall, fields: Fields) -> Answer:
    """Reads many numbers at one position."""
    told = await call.act("batch")(call.who, **fields)
    call.cost = (len(fields["reads"]) - 1) * LIVE + UNIT * sum(each.get("path") == "scan" for each in told["answers"])
    return json_answer(told if sees_home(call.who) else {**told, "answers": [*outward_items(told["answers"])]})


ODD: Final = {
    "read_metric": Odd(read_metric, query=MetricAsked),
    "read_entity": Odd(read_entity, query=EntityAsked),
    "read_changelog": Odd(changelog, query=ChangelogAsked),
    "read_batch": Odd(batch),
}
