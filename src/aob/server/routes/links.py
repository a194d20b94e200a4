"""Signed links: GET shows a small form and changes nothing (mail scanners open links), POST decides."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from aob.core.answers import Answered, JsonObject, JsonValue
from aob.core.errors import AobError, Invalid, Malformed, NotFound, Problem
from aob.core.policy import Caller, Link, open_link
from aob.server.http.answer import HTML, Answer, Header, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.page import decided_page, form_page, sorry_page
from aob.server.http.route import FORM_MEDIA, NO_BODY, AnyRoute, Gives, Route, Takes

FIELDS_MAX: Final = 100
VALUE_PREFIX: Final = "value."
HEADERS: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
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


_json: Final = msgspec.json.Decoder(LinkBody)


def read_decision(data: bytes) -> LinkBody:
    """A decision of a form's bytes or of JSON. Raises msgspec's errors, or Malformed."""
    if data.lstrip()[:1] == b"{":
        return _json.decode(data)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Malformed(f"the form cannot be read: {error}") from error
    fields = dict(pairs)
    values = {name.removeprefix(VALUE_PREFIX): text for name, text in fields.items() if name.startswith(VALUE_PREFIX)}
    return LinkBody(fields.get("choice", ""), fields.get("reason", ""), values or None)


class Links:
    """The two routes of a link. `secret` signs the home's links; `now_ms` is the clock they expire by."""

    def __init__(self, secret: bytes, now_ms: Callable[[], int]) -> None:
        self._secret, self._now_ms = secret, now_ms

    def routes(self) -> tuple[AnyRoute, ...]:
        """GET and POST of one path."""
        return (
            Route(
                "GET",
                "/v1/links/{token}",
                self.show,
                name="show_link",
                summary="Show the form of a signed link. Changes nothing.",
                role=None,
                query=Nothing,
                body=NO_BODY,
                gives=(Gives(200, str, "The form.", "text/html"), *SORRY),
                refuses=(403, 409),
            ),
            Route(
                "POST",
                "/v1/links/{token}",
                self.decide,
                name="decide_by_link",
                summary="Decide the ticket of a signed link.",
                role=None,
                query=Nothing,
                body=Takes[LinkBody](LinkBody, read_decision, media=("application/json", *FORM_MEDIA)),
                gives=(
                    Gives(200, Answered, "The decision is committed."),
                    Gives(200, str, "The same, as a page for a form.", "text/html"),
                    *SORRY,
                ),
                refuses=(403, 409),
            ),
        )

    async def show(self, call: Call[Nothing, None]) -> Answer:
        """The form, or what has become of the ticket."""
        try:
            link, _, ticket = await self._open(call)
        except AobError as error:
            return _sorry(error)
        return _page(form_page(ticket, link.choices))

    async def decide(self, call: Call[Nothing, LinkBody]) -> Answer:
        """The decision of whoever holds the link, answered in the form's own language."""
        form = call.media in _FORM
        try:
            link, who, ticket = await self._open(call)
            body = call.body
            if body.choice not in link.choices:
                choices = ", ".join(link.choices)
                raise Invalid("this link does not allow that choice", [Problem("/choice", f"must be one of {choices}")])
            values = _typed(body.values, ticket.get("form") or {}) if form else body.values
            # The token is the command: whoever posts the same form twice has decided once.
            decided = await call.verbs.answer(
                who,
                link.ticket_id,
                body.choice,
                reason=body.reason,
                values=values,
                command=f"link:{call.params['token'][-40:]}:{body.choice}",
            )
        except AobError as error:
            if form:
                return _sorry(error)
            raise
        return _page(decided_page(ticket, body.choice)) if form else json_answer(decided)

    async def _open(self, call: Call[Nothing, None] | Call[Nothing, LinkBody]) -> tuple[Link, Caller, JsonObject]:
        link = open_link(self._secret, call.params["token"], now_ms=self._now_ms())
        name = f"link:{link.to}" if link.to else "link"
        ticket = await call.verbs.ticket(Caller(link.tenant, name, frozenset({"view"})), link.ticket_id)
        # The link carries the right to this one decision, whatever role the ticket asks for.
        roles = frozenset({"view", "approve", str(ticket.get("role") or "approve")})
        return link, Caller(link.tenant, name, roles), ticket


_FORM: Final = frozenset(name.encode() for name in FORM_MEDIA)


def _typed(values: Mapping[str, JsonValue] | None, form: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """A form sends text; numbers and booleans become what the ticket's form asks for, the rest is checked later."""
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
    gone = isinstance(error, NotFound)
    return _page(sorry_page("This ticket is gone." if gone else error.detail, error.hint), error.status)
