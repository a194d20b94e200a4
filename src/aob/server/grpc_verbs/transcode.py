"""Messages of spec/aob.proto as JSON values, and back. A field that is not set is not in the JSON; null sets nothing.
Members of JSON that a message does not know are in its field `more`."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from google.protobuf.message import Message

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem

JSON: Final = "aob.v1.Json"
MORE: Final = "more"
_encode: Final = msgspec.json.Encoder().encode


def json_of(message: Message) -> JsonObject:
    """The fields that are set, by name. Raises Invalid with the path of a `Json` that holds no JSON."""
    return _fields_of(message, "")


def _fields_of(message: Message, path: str) -> JsonObject:
    found: JsonObject = {}
    for field, value in message.ListFields():
        at = f"{path}/{field.name}"
        if _is_map(field):
            told = {key: value_of(value[key], f"{at}/{key}") for key in value}
            found |= told if field.name == MORE else {field.name: told}
        elif field.is_repeated:
            found[field.name] = [value_of(each, f"{at}/{number}") for number, each in enumerate(value)]
        else:
            found[field.name] = value_of(value, at)
    return found


def fill(message: Message, value: JsonValue) -> None:
    """Set the fields of a message from a JSON value."""
    if message.DESCRIPTOR.full_name == JSON:
        message.text = _encode(value).decode()  # type: ignore[attr-defined]  # it is a `Json`
        return
    if not isinstance(value, Mapping):
        raise TypeError(f"{message.DESCRIPTOR.name} is no object: {value!r:.100}")
    message.SetInParent()
    fields = message.DESCRIPTOR.fields_by_name
    for name, item in value.items():
        if item is None:
            continue
        if name in fields and name != MORE:
            _set(message, fields[name], item)
        elif MORE in fields:
            fill(message.more[name], item)  # type: ignore[attr-defined]  # a map of `Json`


def _set(message: Message, field: Any, item: Any) -> None:
    held = getattr(message, field.name)
    if _is_map(field):
        of_messages = field.message_type.fields_by_name["value"].message_type is not None
        for key, each in item.items():
            if of_messages:
                fill(held[key], each)
            else:
                held[key] = each
    elif field.is_repeated:
        for each in item:
            if field.message_type is not None:
                fill(held.add(), each)
            else:
                held.append(each)
    elif field.message_type is not None:
        fill(held, item)
    else:
        setattr(message, field.name, item)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def value_of(value: Any, path: str = "") -> JsonValue:
    """A field's value, or a whole message, as JSON. Raises Invalid as `json_of`."""
    if not isinstance(value, Message):
        return value
    if value.DESCRIPTOR.full_name != JSON:
        return _fields_of(value, path)
    text: str = value.text  # type: ignore[attr-defined]  # it is a `Json`
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Invalid("a value is no JSON", [
            Problem(path, f"{text[:60]!r}: {error}", "bad_value", hint="`text` of a Json is JSON: a string has quotes")
        ]) from error  # fmt: skip
