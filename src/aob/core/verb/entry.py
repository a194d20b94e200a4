"""One entry of the table of verbs. Pure data, from which server and clients are made.

The fields of the argument struct are the arguments, in order; their wire names are used by HTTP and other wires."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Literal, ParamSpec, TypeAlias, TypeVar

import msgspec

Given = ParamSpec("Given")
Args = TypeVar("Args")

UNIT: Final = 100  # hundredths in a unit of reads: the cost of a list
LIVE: Final = 1  # the cost of a read from memory: a number, an entity, one run

AnsweredBy = Literal["run", "holder", "main", "any", "every"]
"""The responding partition: that of the field `run_id`; the holder of the ticket, patch or value; the first; any; all,
with their answers joined."""


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
