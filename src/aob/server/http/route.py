"""The table of routes: path, role, query, body and answers of each; dispatch and OpenAPI both read it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from aob.core.document import key_twice
from aob.core.errors import CallerError, Invalid, Malformed, NotFound, Problem
from aob.core.policy import TOKEN_MAX
from aob.core.verb import UNIT, Gives
from aob.server.http.answer import Answer, Stream
from aob.server.http.call import BODY_BYTES_MAX, Body, Call, Nothing, Query
from aob.server.http.problem import SEE_DOCS, MediaUnknown, MethodUnknown, decode_error, problem_in

PARAM_MAX: Final = 200
LARGE_BYTES: Final = 256 * 1024  # a body of more bytes is decoded in a thread
QUERY_FIELDS_MAX: Final = 50
VERSION: Final = "/v1"

JSON_MEDIA: Final = ("application/json",)
NDJSON_MEDIA: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-ldjson")
BOM: Final = b"\xef\xbb\xbf"
DOCUMENT_MEDIA: Final = ("application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
EVENT_STREAM: Final = "text/event-stream"
FORM_MEDIA: Final = ("application/x-www-form-urlencoded",)

Shape = TypeVar("Shape")


class Takes(Generic[Shape]):
    """The body that a route takes. `media` is decoded to `shape`; `streamed` media are read by the route.

    `optional`: no body means `default`. `raw` bodies reach the route as bytes; `shape` then only describes them.
    `limit` is for a body that must be smaller than others (bytes); a `late` one is read by the route
    after it has checked the call.
    """

    def __init__(
        self,
        shape: Any,  # a type form such as `list[Raw]`, which no annotation before Python 3.15 can express
        read: Callable[[bytes], Shape] | None = None,
        *,
        media: tuple[str, ...] = JSON_MEDIA,
        streamed: tuple[str, ...] = (),
        default: Shape | None = None,
        optional: bool = False,
        limit: int = BODY_BYTES_MAX,
        late: bool = False,
    ) -> None:
        self.shape, self.media, self.streamed = shape, media, streamed
        self.default, self.optional, self.limit, self.late = default, optional, limit, late
        self.read: Callable[[bytes], Any] = read or msgspec.json.Decoder(shape).decode
        self.media_known = frozenset(name.encode() for name in media)
        self.streamed_known = frozenset(name.encode() for name in streamed)
        self.binary = any(name.endswith("octet-stream") for name in media)

    def decoded(self, data: bytes) -> Shape:
        """Decodes a body: skips a byte order mark, and refuses a repeated key in JSON (raw bytes are checked by their
        decoder). Raises errors of the AobError tree."""
        if data.startswith(BOM) and not self.binary:
            data = data[len(BOM) :]
        try:
            shape: Shape = self.read(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise decode_error(error, "the body", self.shape) from error
        if self.read is not bytes:
            refuse_twice(data)
        return shape


def refuse_twice(data: bytes) -> None:
    """Raises Invalid for JSON with a repeated key."""
    twice = key_twice(data) if data.lstrip()[:1] in (b"{", b"[") else None
    if twice is not None:
        problem = Problem("", f"`{twice[:100]}` stands twice in one object", "duplicate_key", hint="remove one")
        raise Invalid("the body says one thing twice", [problem])


def takes(shape: type[Shape], *, streamed: tuple[str, ...] = ()) -> Takes[Shape]:
    """A required JSON body of a struct."""
    return Takes[Shape](shape, streamed=streamed)


def may_take(shape: type[Shape]) -> Takes[Shape]:
    """An optional JSON body: without one, the struct's own defaults."""
    return Takes[Shape](shape, default=shape(), optional=True)


NO_BODY: Final = Takes[None](None)


class Route(Generic[Query, Body]):
    """One method on one path. `verb` names what it does: `role`, which a caller needs, is that of the verb in the
    table (`core.rights`); a route without a verb is public. `refuses` adds to the statuses that follow from the
    rest of the route (a path parameter may be unknown, a body may be wrong). `cost` is the cost of a read in hundredths
    of a unit: by default one unit for a GET with a role, nothing for others and for event streams."""

    def __init__(
        self,
        method: str,
        path: str,
        handle: Callable[[Call[Query, Body]], Awaitable[Answer | Stream]],
        *,
        name: str,
        summary: str,
        verb: str | None = None,
        role: str | None = None,
        query: type[Query],
        body: Takes[Body],
        gives: tuple[Gives, ...],
        refuses: tuple[int, ...] = (),
        headers: tuple[str, ...] = (),
        cost: int | None = None,
    ) -> None:
        self.method, self.path, self.handle, self.name, self.summary = method, path, handle, name, summary
        self.verb, self.role, self.query, self.body = verb, role, query, body
        self.gives, self.refuses, self.headers = gives, refuses, headers
        is_read = method == "GET" and self.role is not None and not all(each.media == EVENT_STREAM for each in gives)
        self.cost = (UNIT if is_read else 0) if cost is None else cost
        self.params = tuple(part[1:-1] for part in path.split("/") if part.startswith("{"))
        self.takes_body = body is not NO_BODY
        self._many = _repeated(query)  # type: ignore[arg-type]  # a class is hashable
        self._empty_query: Query | None = None if self._many else _default_of(query)

    async def perform(self, call: Call[Query, Body], query: bytes) -> Answer | Stream:
        """Decodes query and body by the route's types, then acts. Raises errors of the AobError tree."""
        if query or self._empty_query is None:
            call.query = self._read_query(query)
        else:
            call.query = self._empty_query
        if self.takes_body:
            await self._read_body(call)
        return await self.handle(call)

    async def _read_body(self, call: Call[Query, Body]) -> None:
        body = self.body
        media = call.headers.get(b"content-type", b"")
        if media not in body.media_known:
            media = media.partition(b";")[0].strip().lower()
        call.media = media
        if media in body.streamed_known or body.late:
            return
        data = await call.whole(body.limit)
        if body.optional and not data.strip():
            call.body = body.default  # type: ignore[assignment]  # an optional body has a default
            return
        if media and media not in body.media_known:
            known = (*body.media, *body.streamed)
            raise MediaUnknown(
                f"{media.decode('latin-1')[:100]!r} is not a type that this route reads",
                hint=f"send content-type: {known[0]}" + (f" (or {', '.join(known[1:])})" if known[1:] else ""),
            )
        # A large body is decoded in a thread: only its sender waits for it.
        large = len(data) > LARGE_BYTES
        call.body = await asyncio.to_thread(body.decoded, data) if large else body.decoded(data)

    def _read_query(self, raw: bytes) -> Query:
        try:
            pairs = parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX
            )
        except (UnicodeError, ValueError) as error:
            raise Malformed(f"the query cannot be read: {error}", hint="percent-encode it as UTF-8") from error
        found: dict[str, Any] = {name: [] for name in self._many}
        for name, value in pairs:
            if name in self._many:
                found[name].append(value)
            elif name in found:
                raise Invalid("the query says one thing twice", [Problem(f"?{name[:50]}", "is given more than once")])
            else:
                found[name] = value
        try:
            return msgspec.convert(found, self.query, strict=False)
        except msgspec.ValidationError as error:
            problem = problem_in(str(error), self.query)
            place = msgspec.structs.replace(problem, path="?" + problem.path.lstrip("/"))
            raise Invalid("the query is not what this route takes", [place], hint=SEE_DOCS) from error


AnyRoute: TypeAlias = Route[Any, Any]


def public(
    method: str, path: str, handle: Callable[[Call[Nothing, Any]], Awaitable[Answer]], name: str, summary: str,
    *gives: Gives, body: Takes[Any] = NO_BODY, refuses: tuple[int, ...] = (),
) -> AnyRoute:  # fmt: skip
    """A route that needs no key."""
    return Route(
        method, path, handle, name=name, summary=summary, query=Nothing, body=body, gives=gives, refuses=refuses
    )


class Table:
    """All routes, found by path. A literal part wins over a parameter; each part is decoded once and strictly. Those
    `aside` are of another protocol, and in no description of ours."""

    def __init__(self, routes: Iterable[AnyRoute], aside: Iterable[AnyRoute] = ()) -> None:
        self.routes, self.aside = tuple(routes), tuple(aside)
        self._literal: dict[str, dict[str, AnyRoute]] = {}
        self._by_length: dict[int, list[tuple[tuple[str, ...], dict[str, AnyRoute]]]] = {}
        for route in (*self.routes, *self.aside):
            self._add(route)

    def methods(self, path: str, raw: str) -> tuple[Mapping[str, AnyRoute], dict[str, str]] | None:
        """The routes of a path by method, with its parameters, or None. Raises Malformed for a path that is no text."""
        literal = self._literal.get(path)
        if literal is not None:
            return literal, {}
        parts = raw.split("/")
        for pattern, methods in self._by_length.get(len(parts), ()):
            if all(want == part or (part and want[:1] == "{") for want, part in zip(pattern, parts, strict=True)):
                pairs = zip(pattern, parts, strict=True)
                return methods, {want[1:-1]: _param(want, part) for want, part in pairs if want.startswith("{")}
        return None

    def _add(self, route: AnyRoute) -> None:
        if not route.params:
            methods = self._literal.setdefault(route.path, {})
        else:
            pattern = tuple(route.path.split("/"))
            rows = self._by_length.setdefault(len(pattern), [])
            methods = next((methods for known, methods in rows if known == pattern), {})
            if not methods:
                rows.append((pattern, methods))
        if route.method in methods:
            raise ValueError(f"{route.method} {route.path} is in the table twice")
        methods[route.method] = route


def pick(methods: Mapping[str, AnyRoute], method: str, path: str) -> AnyRoute:
    """The route of a method. Raises MethodUnknown, which lists the methods that the path takes."""
    route = methods.get("GET" if method == "HEAD" else method)
    if route is None:
        raise MethodUnknown(method, path, methods)
    return route


def no_route(path: str) -> NotFound:
    """The error for an unknown path."""
    return NotFound(f"there is no route {path[:PARAM_MAX]}", code="no_route", hint="GET /docs lists all routes")


def _param(want: str, part: str) -> str:
    limit = TOKEN_MAX if want == "{token}" else PARAM_MAX
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeError as error:
        raise Malformed("the path is not UTF-8", hint="percent-encode it as UTF-8", code="bad_path") from error
    if len(text) > limit or not text.isprintable():
        why = f"{text[:50]!r} cannot be an id"
        raise CallerError(why, code="bad_path", hint=f"ids are 1 to {limit} printable characters")
    return text


@cache  # most routes take the same few
def _repeated(query: type[object]) -> frozenset[str]:
    """The query parameters that may be repeated."""
    info, many = msgspec.inspect.type_info(query), set[str]()
    for field in info.fields if isinstance(info, msgspec.inspect.StructType) else ():
        bare = field.type.type if isinstance(field.type, msgspec.inspect.Metadata) else field.type
        if isinstance(bare, msgspec.inspect.VarTupleType):
            many.add(field.encode_name)
    return frozenset(many)


def _default_of(query: type[Query]) -> Query | None:
    try:
        return query()
    except TypeError:
        return None  # it has required parameters
