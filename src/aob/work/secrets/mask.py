"""Removes values of secrets from answers: an echo, an error, a log line shows the reference instead."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote, quote_plus

from aob.ports.workers import Fault
from aob.work.job import WorkError

DEPTH_MAX: Final = 200
T = TypeVar("T")


class Mask:
    """Puts `{secret:NAME}` in place of each value, in any encoding that a peer may use: plain, percent-encoded, escaped
    as JSON does, or in base64."""

    def __init__(self, values: Iterable[tuple[str, str]] = ()) -> None:
        pairs = {form: f"{{secret:{name}}}" for name, value in values for form in _forms(value)}
        # The longest first: a value may be a part of another one.
        self._texts = sorted(pairs.items(), key=lambda pair: -len(pair[0]))
        self._bytes = [(form.encode("utf-8", "surrogatepass"), shown.encode()) for form, shown in self._texts]

    def __bool__(self) -> bool:
        return bool(self._texts)

    def text(self, text: str) -> str:
        """A text without the values."""
        for form, shown in self._texts:
            if form in text:
                text = text.replace(form, shown)
        return text

    def data(self, data: bytes) -> bytes:
        """Bytes without the values."""
        for form, shown in self._bytes:
            if form in data:
                data = data.replace(form, shown)
        return data

    def value(self, value: Any, depth: int = 0) -> Any:
        """A JSON value without the values, in its keys and in its texts."""
        if isinstance(value, str):
            return self.text(value)
        if depth > DEPTH_MAX:
            return self.text(str(value))
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each, depth + 1) for each in value]
        return value

    def error(self, error: WorkError) -> WorkError:
        """An error without the values; the given one is unchanged."""
        fault = error.fault
        masked = WorkError(
            self.text(fault.message), code=fault.code, transient=fault.transient, detail=self.value(fault.detail)
        )
        assert isinstance(masked.fault, Fault)
        return masked


def _forms(value: str) -> set[str]:
    data = value.encode("utf-8", "surrogatepass")
    escaped = json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]
    packed = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    found = {value, quote(value, safe="", errors="replace"), quote_plus(value, errors="replace"), *escaped}
    return {form for form in (*found, *packed, *(each.rstrip("=") for each in packed)) if form}


NO_MASK: Final = Mask()
