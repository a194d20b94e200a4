"""Parses YAML text to plain JSON values with places and duplicate keys. Strict: only `true` and `false` are booleans
(`on`, `yes`, `no` are texts), dates are texts, tags are refused, aliases count as their content, and size and depth are
limited during reading."""

import math
import re
from itertools import pairwise
from typing import Final, NamedTuple

import yaml

from aob.core.document.json_text import PATHS_CHARS_MAX
from aob.core.document.places import Places, Spot
from aob.core.document.shape import Value, escape
from aob.core.errors import Invalid, Malformed, Problem

VALUES_MAX: Final = 200_000  # values of a document, repetitions by aliases included
REPEATED_BYTES_MAX: Final = 1024 * 1024  # bytes of text and keys that aliases may repeat
DEPTH_MAX: Final = 64  # nesting depth of maps and lists
DOCUMENTS_MAX: Final = 10_000  # documents of one text

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def plain_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted word: null, true, false, a number, else itself."""
    if text in _NULLS:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


class Part(NamedTuple):
    """One document of a text, and the number of lines before it."""

    text: str
    above: int


def yaml_documents(text: str) -> list[Part]:
    """The documents of a text. Raises Malformed; Invalid for one nested too deeply, without reading to its end, because
    that takes time quadratic in the depth."""
    starts: list[int] = []
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                starts.append(_place(event)[0] - 1)
                if len(starts) > DOCUMENTS_MAX:
                    raise Malformed(f"more than {DOCUMENTS_MAX:,} documents", hint="write several files")
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                depth += 1
                if depth > DEPTH_MAX:
                    raise _too_deep(_place(event))
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                depth -= 1
    except yaml.YAMLError as error:
        raise _malformed(error) from None
    lines = text.split("\n")
    bounds = [0, *starts[1:], len(lines)] if starts else []
    return [Part("\n".join(lines[start:end]), start) for start, end in pairwise(bounds)]


class _Frame:
    """A map or list being read. `anchor`, `count` and `size` are for aliases of it."""

    __slots__ = ("anchor", "count", "key", "key_at", "path", "size", "value")

    def __init__(
        self, value: dict[str, Value] | list[Value], path: str, anchor: str | None, count: int, size: int
    ) -> None:
        self.value, self.path, self.anchor, self.count, self.size = value, path, anchor, count, size
        self.key: str | None = None
        self.key_at = (0, 0)


class YamlText:
    """One parsed document: `value`, `spots` and `problems`. `above` lines precede it in the whole text."""

    def __init__(self, text: str, above: int = 0) -> None:
        self.value: Value = None
        self.spots: dict[str, Spot] = {}
        self.problems: list[Problem] = []
        self._text, self._above = text, above
        self._lines: list[str] | None = None
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Value, int, int]] = {}
        self._count = self._size = self._repeated = self._paths = 0
        self._documents = 0
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except yaml.YAMLError as error:
            raise _malformed(error, self._above) from None

    @property
    def places(self) -> Places:
        return Places(lambda: self.spots)

    def _place(self, event: yaml.Event) -> tuple[int, int]:
        line, column = _place(event)
        return line + self._above, column

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            frame = self._stack.pop()
            if frame.anchor:
                self._anchors[frame.anchor] = (frame.value, self._count - frame.count, self._size - frame.size)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                line, _ = self._place(event)
                raise Malformed(f"line {line}: a second document begins", hint="one file holds one workflow", line=line)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_tag(event)
        if self._wants_key():
            self._key(event.value, self._place(event))
            return
        value = event.value if event.style else plain_scalar(event.value)
        size = len(event.value.encode())
        self._size += size
        path, key_place = self._add(value, 1, self._place(event))
        self.spots[path] = self._text_spot(event, key_place)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1, size)

    def _text_spot(self, event: yaml.ScalarEvent, key_place: tuple[int, int]) -> Spot:
        line, column = self._place(event)
        if event.style in ("|", ">"):
            indent = self._indent_of(line)
            return Spot(line, column, *key_place, line + 1, indent, indent)
        inner = column + (1 if event.style else 0)
        return Spot(line, column, *key_place, line, inner, 1, self._raw(event) if event.style == '"' else "")

    def _raw(self, event: yaml.ScalarEvent) -> str:
        """The text between the quotes, if it has escapes."""
        start, end = event.start_mark, event.end_mark
        raw = self._text[start.index + 1 : end.index - 1] if start is not None and end is not None else ""
        return raw if "\\" in raw else ""

    def _indent_of(self, line: int) -> int:
        """The first column of a text block whose indicator is on this line."""
        if self._lines is None:
            self._lines = self._text.split("\n")
        at = line - self._above
        while at < len(self._lines) and not self._lines[at].strip():
            at += 1
        first = self._lines[at] if at < len(self._lines) else ""
        return len(first) - len(first.lstrip(" ")) + 1

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._refuse_tag(event)
        at = self._place(event)
        if self._wants_key():
            raise _wrong("", "a key must be a text", "bad_type", at)
        if len(self._stack) >= DEPTH_MAX:
            raise _too_deep(at)
        value: dict[str, Value] | list[Value] = {} if isinstance(event, yaml.MappingStartEvent) else []
        count, size = self._count, self._size
        path, key_place = self._add(value, 1, at)
        self.spots[path] = Spot(*at, *key_place)
        self._stack.append(_Frame(value, path, event.anchor, count, size))

    def _alias(self, event: yaml.AliasEvent) -> None:
        at = self._place(event)
        if event.anchor not in self._anchors:
            raise _wrong("", f"*{event.anchor} repeats nothing that stands complete before it", "bad_alias", at)
        value, count, size = self._anchors[event.anchor]
        if self._wants_key():
            raise _wrong("", "a key must be a text", "bad_type", at)
        self._size += size
        self._repeated += size
        if self._repeated > REPEATED_BYTES_MAX:
            raise _wrong("", f"aliases repeat more than {REPEATED_BYTES_MAX:,} bytes", "too_large", at)
        path, key_place = self._add(value, count, at)
        self.spots[path] = Spot(*at, *key_place)

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if event.tag is not None and event.tag != "!":
            hint = "documents hold plain values only; write a text in quotes"
            raise _wrong("", f"the tag {event.tag} is not allowed", "bad_tag", self._place(event), hint)

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _key(self, key: str, at: tuple[int, int]) -> None:
        frame = self._stack[-1]
        if key in frame.value:
            path = f"{frame.path}/{escape(key)}"
            self.problems.append(Problem(path, f"`{key}` stands twice", "duplicate_key", *at, "remove one"))
        self._size += len(key.encode())
        frame.key, frame.key_at = key, at

    def _add(self, value: Value, count: int, at: tuple[int, int]) -> tuple[str, tuple[int, int]]:
        """Adds a value to its container. Returns its path, and the place of its key."""
        self._count += count
        if self._count > VALUES_MAX:
            raise _wrong("", f"more than {VALUES_MAX:,} values", "too_large", at)
        if not self._stack:
            self.value = value
            return "", (0, 0)
        frame = self._stack[-1]
        self._paths += len(frame.path) + len(frame.key or "")
        if self._paths > PATHS_CHARS_MAX:
            raise _wrong("", "keys are too long for so many values below them", "too_large", at)
        if isinstance(frame.value, list):
            frame.value.append(value)
            return f"{frame.path}/{len(frame.value) - 1}", (0, 0)
        key, frame.key = frame.key or "", None
        frame.value[key] = value
        return f"{frame.path}/{escape(key)}", frame.key_at


def _place(event: yaml.Event) -> tuple[int, int]:
    """Line and column of an event, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


def _wrong(path: str, message: str, code: str, at: tuple[int, int], hint: str = "") -> Invalid:
    return Invalid("the YAML cannot be used", (Problem(path, message, code, *at, hint),))


def _too_deep(at: tuple[int, int]) -> Invalid:
    return _wrong("", f"maps and lists stand more than {DEPTH_MAX} deep in one another", "too_large", at)


def _malformed(error: yaml.YAMLError, above: int = 0) -> Malformed:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Malformed(f"not YAML: {str(error).splitlines()[0]}")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1 + above, mark.column + 1) if mark is not None else (0, 0)
    hint = "YAML is indented by spaces" if "\\t" in str(error) else ""
    words = error.problem or error.context or "not YAML"
    return Malformed(f"line {line}, column {column}: {words}", hint=hint, line=line, column=column)
