"""Texts of strangers in a database that stores no U+0000: it is written as two other characters, reversibly. A text
without it, which almost all are, stays as it is."""

import re
from typing import Any, Final

MARK: Final = "\ue000"  # a character of private use, itself written as two
_MARK: Final = MARK.encode()
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def stored(text: str) -> str:
    """A text as the database stores it."""
    if "\0" not in text and MARK not in text:
        return text
    return text.replace(MARK, MARK + "1").replace("\0", MARK + "0")


def read(text: str) -> str:
    """A text of the database as it was."""
    if MARK not in text:
        return text
    return text.replace(MARK + "0", "\0").replace(MARK + "1", MARK)


def stored_json(json: bytes) -> bytes:
    """JSON whose texts the database takes: for nearly every one two searches, and nothing else."""
    if _MARK in json:
        json = json.replace(_MARK, _MARK + b"1")
    if b"\\u0000" not in json:
        return json
    return _NUL.sub(rb"\1" + _MARK + b"0", json)


def stored_value(value: Any) -> Any:
    """A parameter as the database stores it."""
    return stored(value) if type(value) is str else value


def read_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row with its texts as they were."""
    if any(type(value) is str and MARK in value for value in row):
        return tuple(read(value) if type(value) is str else value for value in row)
    return row
