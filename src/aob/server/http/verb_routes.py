"""Routes made of the table of verbs; a verb whose HTTP form differs has its own handler, body or query (`Odd`)."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from aob.core.answers import JsonObject
from aob.core.verb import AnyVerb, Http, Places, places_of
from aob.server.http.answer import Answer, Stream, json_answer
from aob.server.http.call import AnyCall, Nothing
from aob.server.http.route import NO_BODY, AnyRoute, Route, Takes, may_take, takes

Fields = JsonObject


class Odd(NamedTuple):
    """How a route differs from what the table alone would make. `handle` gets the fields given by HTTP, except those of
    a body that `takes` reads or of a separate `query`."""

    handle: Callable[[AnyCall, Fields], Awaitable[Answer | Stream]] | None = None
    takes: Takes[Any] | None = None
    query: type[Any] | None = None


def verb_routes(table: Iterable[AnyVerb], odd: Mapping[str, Odd]) -> Iterator[AnyRoute]:
    """A route for each HTTP form of a verb."""
    for verb in table:
        for http in verb.http:
            yield _route(verb, http, odd.get(http.name, Odd()))


def _route(verb: AnyVerb, http: Http, odd: Odd) -> AnyRoute:
    places = places_of(verb, http)
    read, act = _reading(places, http, odd), odd.handle or _acting(verb, http, places)

    def handle(call: AnyCall) -> Awaitable[Answer | Stream]:
        return act(call, read(call) if read is not None else {})

    query = odd.query or (places.query_type(http) if places.query else Nothing)
    return Route(
        http.method, http.path, handle, name=http.name, summary=http.summary, verb=verb.name, role=verb.action,
        query=query, body=odd.takes or _body(verb, places, http), gives=http.gives, refuses=http.refuses,
        headers=(*(("Idempotency-Key",) if http.once else ()), *http.headers), cost=http.cost,
    )  # fmt: skip


def _body(verb: AnyVerb, places: Places, http: Http) -> Takes[Any]:
    if places.whole is not None:
        return Takes[Any](places.whole.type)
    if not http.takes:
        return NO_BODY
    shape = places.body_type(http, verb.args.__doc__ or "")
    return may_take(shape) if http.optional else takes(shape)


def _reading(places: Places, http: Http, odd: Odd) -> Callable[[AnyCall], Fields] | None:
    path = [(field.name, field.encode_name) for field in places.path]
    query = [field.name for field in places.query] if odd.query is None else []
    body = [field.name for field in places.body] if odd.takes is None else []
    whole = places.whole.name if places.whole and odd.handle is None else ""
    once = http.once if odd.takes is None else ""

    if not (path or query or body or whole or once):
        return None

    def read(call: AnyCall) -> Fields:
        fields: Fields = {name: call.params[wire] for name, wire in path}
        for name in query:
            fields[name] = getattr(call.query, name)
        for name in body:
            fields[name] = getattr(call.body, name)
        if whole:
            fields[whole] = call.body
        if once:
            fields[once] = call.command_id(fields.get(once))
        return fields

    return read


def _acting(verb: AnyVerb, http: Http, places: Places) -> Callable[[AnyCall, Fields], Awaitable[Answer]]:
    """Calls the verb and encodes its answer, in the member that wraps it, with the matching status."""
    first = [field.name for field in places.path] if places.first else []
    name, wraps, status = verb.name, http.wraps, http.gives[0].status
    either = {gives.status for gives in http.gives} == {200, 201}

    async def act(call: AnyCall, fields: Fields) -> Answer:
        told = await call.act(name)(call.who, *map(fields.pop, first), **fields)
        if status == 204:
            return Answer(b"", 204, b"")
        return json_answer({wraps: told} if wraps else told, status=200 if either and not told["created"] else status)

    return act
