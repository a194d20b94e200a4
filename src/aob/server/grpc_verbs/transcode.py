"""Messages of spec/aob.proto as JSON values, and back. A field that is not set is not in the JSON; null sets nothing.
Members of JSON that a message does not know are in its field `more`."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from google.protobuf.message import Message

from aob.core.answers import JsonObject, JsonValue

JSON: Final = "aob.v1.Json"
MORE: Final = "more"
_encode: Final = msgspec.json.Encoder().encode


def json_of(message: Message) -> JsonObject:
    """The fields that are set, by name. Raises msgspec.DecodeError when a `Json` holds no JSON."""
    found: JsonObject = {}
    for field, value in message.ListFields():
        if _is_map(field):
            told = {key: value_of(value[key]) for key in value}
            found |= told if field.name == MORE else {field.name: told}
        elif field.is_repeated:
            found[field.name] = [value_of(each) for each in value]
        else:
            found[field.name] = value_of(value)
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


def value_of(value: Any) -> JsonValue:
    """A field's value, or a whole message, as JSON."""
    if not isinstance(value, Message):
        return value
    if value.DESCRIPTOR.full_name == JSON:
        text: str = value.text  # type: ignore[attr-defined]  # it is a `Json`
        return msgspec.json.decode(text)
    return json_of(value)
