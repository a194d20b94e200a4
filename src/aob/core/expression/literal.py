"""Writes a plain value as a CEL literal that reads back as the same value, with every NUL and every bit of a double."""

import math
from datetime import datetime, timedelta
from typing import Final

from aob.core.expression.library import Value

_INT64: Final = range(-(2**63), 2**63)


def literal_of(value: Value) -> str:
    """The literal of a JSON value, bytes, a time or a duration."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value in _INT64 else f"{value}u"
        case float():
            return repr(value) if math.isfinite(value) else f'double("{value}")'
        case str():
            return text_literal(value)
        case bytes():
            return 'b"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
        case datetime():
            return f'timestamp("{value.isoformat()}")'
        case timedelta():
            return f'duration("{_seconds(value)}s")'
        case list():
            return f"[{', '.join(f'dyn({literal_of(item)})' for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{literal_of(key)}: dyn({literal_of(item)})' for key, item in value.items())}}}"
        case _:
            raise TypeError(f"{type(value).__name__} has no literal")


def text_literal(text: str) -> str:
    """A quoted text; unprintable and special characters are escaped."""
    plain = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in text)
    return f'"{"".join(plain)}"'


def _seconds(value: timedelta) -> str:
    micros = value // timedelta(microseconds=1)
    return f"{'-' if micros < 0 else ''}{abs(micros) // 1_000_000}.{abs(micros) % 1_000_000:06d}"
