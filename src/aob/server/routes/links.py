"""Signed links to a ticket: GET shows a form and changes nothing (mail scanners open links), POST decides."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import msgspec

from aob.core.answers import Answered, JsonObject, JsonValue, TicketLink
from aob.core.duration import parse_duration
from aob.core.errors import AobError, Conflict, Invalid, Malformed, NotFound, Problem, Refused
from aob.core.policy import Caller, Link, open_link, sign_link
from aob.core.problem import outward
from aob.core.rights import ANY
from aob.core.verb import Gives
from aob.server.http.answer import HTML, Answer, Header, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.page import decided_page, form_page, sorry_page
from aob.server.http.route import FORM_MEDIA, AnyRoute, Route, Takes, may_take, public

FIELDS_MAX: Final = 100
LINK_BYTES_MAX: Final = 64 * 1024
EXPIRES_MAX_MS: Final = 90 * 86_400_000
VALUE_PREFIX: Final = "value."
HEADERS: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
)

SORRY: Final = tuple(
    Gives(status, str, "The link or the decision does not hold; a page for people.", "text/html")
    for status in (403, 404, 409, 422)
)


class LinkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The decision: a choice that the link allows, a reason, and the form's values."""

    choice: str
    reason: str = ""
    values: dict[str, JsonValue] | None = None


class NewLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a link allows: `choices` (by default all of the ticket), for `expires` (`12h`; by default until the
    ticket's deadline, or 7 days; 90 days at most). `to` names the person: the decision is recorded as `link:TO`,
    by default under the name of the key that made the link."""

    choices: list[str] | None = None
    expires: str | None = None
    to: Annotated[str, msgspec.Meta(max_length=Link.TO_MAX)] | None = None


_json: Final = msgspec.json.Decoder(LinkBody)


def read_decision(data: bytes) -> LinkBody:
    """Reads a decision from a form's bytes or from JSON. Raises msgspec's errors, or Malformed."""
    if data.lstrip()[:1] == b"{":
        return _json.decode(data)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Malformed(f"the form cannot be read: {error}") from error
    fields = dict(pairs)
    values = {name.removeprefix(VALUE_PREFIX): text for name, text in fields.items() if name.startswith(VALUE_PREFIX)}
    return LinkBody(fields.get("choice", ""), fields.get("reason", ""), values or None)


DECISION: Final = Takes[LinkBody](
    LinkBody, read_decision, media=("application/json", *FORM_MEDIA), limit=LINK_BYTES_MAX, late=True
)


class Links:
    """The routes of links. The first of `secrets` signs links, each opens them; `now_ms` is the clock they expire by;
    `holder` finds the caller of a key that the engine does not know."""

    def __init__(
        self,
        secrets: Sequence[bytes],
        now_ms: Callable[[], int],
        holder: Callable[[str], Caller | None] = lambda key: None,
        public_url: str = "",
    ) -> None:
        self._secrets, self._now_ms, self._holder, self._public_url = secrets, now_ms, holder, public_url

    def routes(self) -> tuple[AnyRoute, ...]:
        """The route that makes a link, and GET and POST of it."""
        path, form = "/v1/links/{token}", Gives(200, str, "The form.", "text/html")
        done = Gives(200, Answered, "The decision is committed.")
        both = (done, Gives(200, str, "The same, as a page for a form.", "text/html"), *SORRY)
        make = "Make a signed link with which somebody without a key decides an open ticket. "
        show, decide = "Show the form of a signed link. Changes nothing.", "Decide the ticket of a signed link."
        wrong = (403, 409)
        return (
            Route(
                "POST",
                "/v1/tickets/{ticket_id}/links",
                self.create,
                name="link_ticket",
                summary=make + "Whoever holds the link may decide.",
                verb="deciding",
                role=ANY,
                query=Nothing,
                body=may_take(NewLink),
                gives=(Gives(200, TicketLink, "The link."),),
                refuses=(409,),
            ),
            public("GET", path, self.show, "show_link", show, form, *SORRY, refuses=wrong),
            public("POST", path, self.decide, "decide_by_link", decide, *both, body=DECISION, refuses=wrong),
        )

    async def create(self, call: Call[Nothing, NewLink]) -> Answer:
        """A link to an open ticket, signed here; nothing is stored."""
        body, ticket_id = call.body, call.params["ticket_id"]
        ticket = await call.verbs.deciding(call.who, ticket_id)
        state = str(ticket.get("state", "open"))
        if state != "open":
            raise Conflict(f"{ticket_id} is {state}: nothing is left to decide", code="ticket_closed")
        expires_ms = self._expiry(body.expires, ticket.get("due") or 0)
        who, choices = call.who, _chosen(body.choices, ticket)
        link = Link(who.tenant, ticket_id, choices, expires_ms, body.to or who.name, who.id)
        path = f"/v1/links/{sign_link(self._secrets[0], link)}"
        url = self._public_url + path if self._public_url else call.absolute(path)
        return json_answer({"url": url, "expires_at": expires_ms})

    def _expiry(self, asked: str | None, due_ms: int) -> int:
        """When a link ends: never after the ticket itself."""
        now_ms = self._now_ms()
        if asked is None:
            return due_ms or now_ms + Link.HELD_MS
        try:
            held_ms = parse_duration(asked)
        except ValueError as error:
            raise Invalid("the link cannot be made", [Problem("/expires", str(error), "bad_duration")]) from error
        if not 0 < held_ms <= EXPIRES_MAX_MS:
            limit = Problem("/expires", f"{asked} is not between 1ms and 90d", "out_of_range", hint="7d")
            raise Invalid("the link cannot be made", [limit])
        return min(now_ms + held_ms, due_ms) if due_ms else now_ms + held_ms

    async def show(self, call: Call[Nothing, None]) -> Answer:
        """The form, or the outcome of the ticket."""
        try:
            link, _, ticket = await self._open(call)
        except AobError as error:
            return _sorry(error)
        return _page(form_page(ticket, link.choices))

    async def decide(self, call: Call[Nothing, LinkBody]) -> Answer:
        """The decision of the link's holder, answered as HTML or JSON like the request."""
        form = call.media in _FORM
        try:
            link, who, ticket = await self._open(call)
            body = DECISION.decoded(await call.whole(DECISION.limit))  # only now: anyone may post here
            if body.choice not in link.choices:
                choices = ", ".join(link.choices)
                raise Invalid("this link does not allow that choice", [Problem("/choice", f"must be one of {choices}")])
            values = _typed(body.values, ticket.get("form") or {}) if form else body.values
            # The token is the command id: posting the same form twice decides once.
            command = f"link:{call.params['token'][-40:]}:{body.choice}"
            asked = {"reason": body.reason, "values": values, "command": command}
            decided = await call.verbs.answer(who, link.ticket_id, body.choice, **asked)
        except AobError as error:
            if form:
                return _sorry(error)
            raise
        return _page(decided_page(ticket, body.choice)) if form else json_answer(decided)

    async def _open(self, call: Call[Nothing, None] | Call[Nothing, LinkBody]) -> tuple[Link, Caller, JsonObject]:
        link = open_link(self._secrets, call.params["token"], now_ms=self._now_ms())
        name = f"link:{link.to}" if link.to else "link"
        ticket = await call.verbs.ticket(Caller(link.tenant, name, frozenset({"view"})), link.ticket_id)
        return link, Caller(link.tenant, name, self._roles(call.verbs, link, ticket), link.key), ticket

    def _roles(self, verbs: Any, link: Link, ticket: JsonObject) -> frozenset[str]:
        """The rights of a link: those of the key that made it, none once that is revoked. The home's own links, which
        notices carry, may make this one decision, whatever roles the ticket requires."""
        if not link.key:
            return frozenset({"view", *(ticket.get("roles") or [str(ticket.get("role") or "approve")])})
        maker = verbs.holder(link.key) or self._holder(link.key)
        if maker is None or maker.tenant != link.tenant:
            raise Refused("the key that made this link is revoked", code="link_dead", hint="ask for another link")
        return maker.roles | {"view"}


def _chosen(asked: list[str] | None, ticket: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """The choices of a link: those of the ticket, or the requested ones among them."""
    known = tuple(map(str, ticket.get("choices") or ()))
    if asked is None:
        return known
    hint = f"choices: {', '.join(known)}"
    wrong = [
        Problem(f"/choices/{at}", f"{choice[:64]!r} is no choice of this ticket", hint=hint)
        for at, choice in enumerate(asked)
        if choice not in known
    ]
    if wrong or not asked:
        raise Invalid("the link cannot be made", wrong or [Problem("/choices", "is empty", "missing", hint=hint)])
    return tuple(dict.fromkeys(asked))


_FORM: Final = frozenset(name.encode() for name in FORM_MEDIA)


def _typed(values: Mapping[str, JsonValue] | None, form: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """Converts form texts to the numbers and booleans that the ticket's form declares; the rest is checked later."""
    if values is None:
        return None
    return {name: _value(text, form.get(name)) for name, text in values.items()}


def _value(text: JsonValue, asked: JsonValue) -> JsonValue:
    kind = asked.get("type") if isinstance(asked, dict) else asked
    if kind == "boolean":
        return text in ("on", "true", "yes", "1")
    if kind in ("number", "integer"):
        try:
            return msgspec.json.decode(str(text).strip().encode(), type=int | float)
        except msgspec.MsgspecError:
            return text
    return text


def _page(text: str, status: int = 200) -> Answer:
    return Answer(text.encode(), status, HTML, HEADERS)


def _sorry(error: AobError) -> Answer:
    error = outward(error)
    gone = isinstance(error, NotFound)
    return _page(sorry_page("This ticket is gone." if gone else error.detail, error.hint), error.status)
