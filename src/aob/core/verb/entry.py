"""One entry of the table of verbs, from which server and clients are made: its data, the place of each field in a
request, and how a function performs it. The fields of the argument struct are the arguments, in order; their wire names
are used by HTTP and other wires."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any, Concatenate, Final, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast

import msgspec

from aob.core.policy import Caller
from aob.core.rights import ANY, may

Given = ParamSpec("Given")
Args = TypeVar("Args")
Room = TypeVar("Room")
Answer = TypeVar("Answer")
Field = msgspec.structs.FieldInfo
_PARAM: Final = re.compile(r"\{(\w+)\}")

UNIT: Final = 100  # hundredths in a unit of reads: the cost of a list
LIVE: Final = 1  # the cost of a read from memory: a number, an entity, one run

AnsweredBy = Literal["run", "key", "holder", "main", "any", "every", "work"]
"""The responding partition: that of the field `run_id`, or of `agent` and `key`; the holder of the ticket, patch or
value; the first; any; all, with their answers joined; that of the task or plan."""


class Gives(msgspec.Struct, frozen=True):
    """One answer: its status, the type of its body (None: no body), its media, and its case. `items` are the types of
    the items of an event stream, by event name; a text names a schema of the feed."""

    status: int
    shape: object
    text: str
    media: str = "application/json"
    items: Mapping[str, object] = {}


def ok(shape: object, text: str, status: int = 200) -> tuple[Gives, ...]:
    """The only answer of most verbs."""
    return (Gives(status, shape, text),)


class Http(msgspec.Struct, frozen=True):
    """The HTTP form of a verb. Path fields appear in it as `{wire name}`. The other fields are members of the body
    (`takes` names its schema) except those in `query`; without a body all are query parameters. `members` reorders
    those of the body. Those in `apart` are not transferred; path names in it are not fields. `once` is the field that
    `Idempotency-Key` fills. A `whole` field is the body itself. `wraps` is the member of the answer that contains the
    verb's list. `defaults` override those of the struct."""

    method: str
    path: str
    name: str
    summary: str
    gives: tuple[Gives, ...]
    takes: str = ""
    members: tuple[str, ...] = ()
    whole: str = ""
    query: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    once: str = ""
    optional: bool = False
    wraps: str = ""
    refuses: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    cost: int | None = None
    defaults: Mapping[str, object] = {}


class NoArgs(msgspec.Struct, frozen=True):
    """No arguments."""


class Verb(Generic[Given, Args]):
    """A verb: `action` is the required role (`core.rights`), on a `resource`; `gives` is the type of its answer. One
    without `http` is used only by rooms; one that `streams` gives items one by one."""

    def __init__(
        self,
        name: str,
        args: Callable[Given, Args],
        action: str,
        resource: str,
        answered_by: AnsweredBy,
        *http: Http,
        gives: object = None,
        streams: bool = False,
    ) -> None:
        self.name, self.args, self.http, self.streams = name, args, http, streams
        self.action, self.resource, self.answered_by = action, resource, answered_by
        self.gives = http[0].gives[0].shape if http else gives

    def __repr__(self) -> str:
        return f"<verb {self.name}>"


AnyVerb: TypeAlias = Verb[..., Any]


def performs(
    verb: Verb[Given, Args],
) -> Callable[[Callable[[Room, Caller, Args], Answer]], Callable[Concatenate[Room, Caller, Given], Answer]]:
    """The function of a verb: defined with its argument struct, called with its fields. The only place that checks the
    role, before anything is loaded."""
    args, action, refused = verb.args, verb.action, _refused_stream if verb.streams else _refused
    open_to_all = action == ANY

    def of(function: Callable[[Room, Caller, Args], Answer]) -> Callable[Concatenate[Room, Caller, Given], Answer]:
        def perform(self: Room, who: Caller, /, *given: Given.args, **named: Given.kwargs) -> Answer:
            if action in who.roles or open_to_all or who.may(action):
                return function(self, who, args(*given, **named))
            return cast("Answer", refused(who, action))

        update_wrapper(perform, function)
        return perform

    return of


async def _refused(who: Caller, action: str) -> None:
    may(who, action)


async def _refused_stream(who: Caller, action: str) -> AsyncIterator[None]:
    may(who, action)
    yield


def having(names: Iterable[str], *rooms: object) -> dict[str, object]:
    """The room that implements each verb, by name. Omits verbs without a room."""
    wanted = tuple(names)
    return {name: room for room in reversed(rooms) for name in wanted if hasattr(room, name)}


class Places(msgspec.Struct, frozen=True):
    """Fields by place; `path` and `whole` may be empty."""

    path: tuple[Field, ...]
    query: tuple[Field, ...]
    body: tuple[Field, ...]
    whole: Field | None
    first: bool  # whether those of the path are the first arguments

    def query_type(self, http: Http) -> type[msgspec.Struct]:
        """The type for the query of a request."""
        return _struct("Query", self.query, "", http.defaults)

    def body_type(self, http: Http, doc: str) -> type[msgspec.Struct]:
        """The type for the body of a request, with the description of the arguments."""
        return _struct(http.takes, self.body, doc, http.defaults)


def places_of(verb: AnyVerb, http: Http) -> Places:
    """The places of a verb's fields in one of its requests. Raises ValueError for an unknown path or field."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(verb.args)}  # type: ignore[arg-type]  # a Struct
    params = _PARAM.findall(http.path)
    named = [name for name in params if name not in http.apart]
    said = {*named, *http.query, *http.apart, *filter(None, (http.whole, http.once))}
    if wrong := said - set(fields) - set(params).intersection(http.apart):
        raise ValueError(f"{verb.name}: its arguments have no {', '.join(sorted(wrong))}")
    first = list(fields)[: len(named)] == named
    path = tuple(fields.pop(name) for name in named)
    whole = fields.pop(http.whole) if http.whole else None
    if http.members:
        query, members = (tuple(fields[name] for name in names) for names in (http.query, http.members))
        return Places(path, query, members, whole, first)
    rest = [field for name, field in fields.items() if name not in http.apart]
    in_body = [field for field in rest if http.takes and field.encode_name not in http.query]
    in_query = tuple(field for field in rest if field not in in_body)
    return Places(path, in_query, tuple(in_body), whole, first)


_made: Final = dict[tuple[object, ...], type[msgspec.Struct]]()


def _struct(name: str, fields: tuple[Field, ...], doc: str, defaults: Mapping[str, object]) -> type[msgspec.Struct]:
    """A struct of these fields; cached, so that a schema has one name."""
    each = [(field.name, field.type, _default(field, defaults)) for field in fields]
    known = (name, *((field.name, field.encode_name, str(field.type)) for field in fields), *defaults.items())
    if known not in _made:
        _made[known] = msgspec.defstruct(
            name, each, frozen=True, forbid_unknown_fields=True, kw_only=True, namespace={"__doc__": doc}
        )
    return _made[known]


def _default(field: Field, defaults: Mapping[str, object]) -> Any:
    if field.name in defaults:
        return msgspec.field(default=defaults[field.name], name=field.encode_name)
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory, name=field.encode_name)
    return msgspec.field(default=field.default, name=field.encode_name)
