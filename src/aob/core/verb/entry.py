"""One entry of the table of verbs. Pure data: everything that speaks of a verb is made from it.

The fields of the argument struct are the arguments, in order; their wire names are what HTTP and other wires call them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Literal, ParamSpec, TypeAlias, TypeVar

import msgspec

Given = ParamSpec("Given")
Args = TypeVar("Args")

UNIT: Final = 100
"""Hundredths in a unit of reads: what a list costs."""
LIVE: Final = 1
"""What a read costs that memory answers: a number, an entity, one run."""

AnsweredBy = Literal["run", "holder", "main", "any", "every"]
"""Which partition answers: that of the field `run_id`; the one that holds the ticket, the patch or the value; the
first; whichever; each, and their answers are joined."""


class Gives(msgspec.Struct, frozen=True):
    """One answer: its status, the type of its body (None: no body), its media, and when it comes. `items` are the types
    of what a stream of events tells, by the name of the event; a text names a schema of the feed."""

    status: int
    shape: object
    text: str
    media: str = "application/json"
    items: Mapping[str, object] = {}


def ok(shape: object, text: str, status: int = 200) -> tuple[Gives, ...]:
    """The one answer of most verbs."""
    return (Gives(status, shape, text),)


class Http(msgspec.Struct, frozen=True):
    """How a verb looks in HTTP. Fields of the path stand in it as `{wire name}`. Of the others, those of a request with
    a body (`takes` names its schema) are members of it but for those in `query`; without a body they are parameters of
    the query. `members` names those of the body in another order than the struct's. Those in `apart` do not travel, and
    names of the path in it are no fields.
    `once` is the field that `Idempotency-Key` fills. A field that is `whole` is the body itself. `wraps` is the member
    of the answer in which the list stands that the verb gives. `defaults` are those of HTTP where they are not the
    struct's."""

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
    """A verb that nothing more is said to."""


class Verb(Generic[Given, Args]):
    """A verb: `action` is the role that a caller needs (`core.rights`), on a `resource`; `gives` is the type of its
    answer. One without `http` is asked for by rooms only; one that `streams` gives items that are asked for one by
    one."""

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
