"""Places the fields of a verb's arguments in an HTTP request: in the path, the query, the body, or nowhere."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from aob.core.verb.entry import AnyVerb, Http

Field = msgspec.structs.FieldInfo
_PARAM: Final = re.compile(r"\{(\w+)\}")


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
        return Places(
            path, tuple(fields[name] for name in http.query), tuple(fields[n] for n in http.members), whole, first
        )
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
