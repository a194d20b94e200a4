"""A document during editing, copy-on-write: the original never changes, unchanged parts are shared. The edited value is
in `root`. A failed edit raises `Unresolved` and leaves the draft unusable; the original is intact."""

from contextlib import suppress
from typing import Final

from aob.core.document.shape import Value
from aob.core.graph.patch.pointer import Document, Json, Tokens, format_pointer, index_of, object_of
from aob.core.hint import nearest

END: Final = "-"  # the place after the last item of an array


class Absent:
    """The previous value of a new member."""


ABSENT: Final = Absent()


class Unresolved(Exception):  # noqa: N818  # it never leaves the room: `apply` names the operation and raises PatchError
    """A location that does not exist; `hint` says what does. `token` was not found in `members`."""

    def __init__(self, message: str, hint: str = "", token: str = "", members: dict[str, Json] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self._hint, self._token, self._members = hint, token, members

    @property
    def hint(self) -> str:
        """How to fix it. Computed on demand: finding a close name takes a millisecond."""
        if self._members is None:
            return self._hint
        if close := nearest(self._token, self._members):
            return f"did you mean `{close}`?"
        names = ", ".join(f"`{name}`" for name in list(self._members)[:6])
        return f"it has {names}" if names else "it is empty"


class Draft:
    """The edited document. Containers on the way to a change are copied once, then written in place."""

    __slots__ = ("_own", "root")

    def __init__(self, root: Json) -> None:
        self.root = root
        # Holding the copies prevents a new container from reusing an id.
        self._own: dict[int, Json] = {}

    def get(self, tokens: Tokens) -> Json:
        """The value at a location. Raises Unresolved."""
        value: Value = self.root
        for depth, token in enumerate(tokens):
            value = value[_key(value, token, tokens[:depth])]
        return value  # type: ignore[no-any-return]  # a part of the document

    def object_at(self, tokens: Tokens) -> Document:
        """The object at a location, empty if there is none."""
        with suppress(Unresolved):
            return object_of(self.get(tokens))
        return {}

    def put(self, tokens: Tokens, value: Json) -> Json | Absent:
        """RFC 6902 `add`: set a member or insert an item. Returns the member that it replaced."""
        if not tokens:
            old, self.root = self.root, value
            return old
        parent, token = self._parent(tokens), tokens[-1]
        if isinstance(parent, dict):
            before = parent.get(token, ABSENT)
            parent[token] = value
            return before
        parent.insert(_insertion(parent, token, tokens), value)
        return ABSENT

    def replace(self, tokens: Tokens, value: Json) -> Json:
        """Set what exists. Returns the old value."""
        if not tokens:
            old, self.root = self.root, value
            return old
        parent = self._parent(tokens)
        key = _key(parent, tokens[-1], tokens[:-1])
        old, parent[key] = parent[key], value
        return old

    def take(self, tokens: Tokens) -> Json:
        """Remove what exists and return it."""
        if not tokens:
            raise Unresolved("the whole document cannot be removed", "replace it, or remove a member of it")
        parent = self._parent(tokens)
        return parent.pop(_key(parent, tokens[-1], tokens[:-1]))

    def share(self) -> None:
        """Forget which containers are copies: from here one value may be in two places."""
        self._own.clear()

    def _parent(self, tokens: Tokens) -> dict[str, Json] | list[Json]:
        node = self.root = self._owned(self.root, (), tokens)
        for depth, token in enumerate(tokens[:-1]):
            key = _key(node, token, tokens[:depth])
            child = node[key] = self._owned(node[key], tokens[: depth + 1], tokens)
            node = child
        return node

    def _owned(self, value: Json, at: Tokens, tokens: Tokens) -> dict[str, Json] | list[Json]:
        if not isinstance(value, dict | list):
            raise Unresolved(f"`{format_pointer(at) or '/'}` is {_kind(value)} and has no `{tokens[len(at)]}`")
        if id(value) in self._own:
            return value
        copied = value.copy()
        self._own[id(copied)] = copied
        return copied


def _key(value: Json, token: str, at: Tokens) -> Value:
    """The key of an existing member, or the index of an existing item. Raises Unresolved."""
    if isinstance(value, dict) and token in value:
        return token
    where = format_pointer(at) or "the document"
    if isinstance(value, dict):
        raise Unresolved(f"there is no `{token}` in {where}", token=token, members=value)
    if isinstance(value, list):
        index = index_of(token)
        if index is not None and index < len(value):
            return index
        reason = f"it has {len(value)} items" if index is not None else "an index is digits without leading zeros"
        raise Unresolved(f"there is no item `{token}` in {where}: {reason}")
    raise Unresolved(f"{where} is {_kind(value)} and has no `{token}`")


def _insertion(items: list[Json], token: str, tokens: Tokens) -> int:
    if token == END:
        return len(items)
    index = index_of(token)
    if index is None or index > len(items):
        why = f"`{token}` is no place in {format_pointer(tokens[:-1]) or 'the document'}: it has {len(items)} items"
        raise Unresolved(why, "use an index up to the length, or `-` for the end")
    return index


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return "a string" if isinstance(value, str) else "a number" if isinstance(value, int | float) else "a container"
