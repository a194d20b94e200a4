"""LangGraph's long-term memory over the rows of a home or file: items by namespace and key, found by filters, by words,
and by embeddings where a function for them is given. The items of a first label are together, in one partition."""

import re
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any, Final, Self, cast

import msgspec
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    get_text_at_path,
    tokenize_path,
)

from aob.core.errors import Invalid, Problem
from aob.journal.entries import MEMORY
from aob.langgraph.door import Calls, Door
from aob.langgraph.items import MINUTE_MS, Kept, item_of, key_of, matches, named, packed, start_of, unpacked
from aob.threads import Browse, Recall, Remember

if TYPE_CHECKING:
    from aob.langgraph.background import Background

PAGE: Final = 500
NAME_MAX: Final = 512
_WORD: Final = re.compile(r"\w+")
Vectors = dict[int, list[bytes]]


class AobStore(BaseStore):
    """A store, sync and async. `index` has the function that makes embeddings, `ttl` the time after which items that
    nobody uses expire. Make one by `AobStore.open(url)`, or by `app.memory()` in a home."""

    supports_ttl = True

    def __init__(
        self, door: Door, calls: Calls, *, index: IndexConfig | None = None, ttl: TTLConfig | None = None,
        clock: Callable[[], float] | None = None, background: "Background | None" = None,
    ) -> None:  # fmt: skip
        self._door, self._calls, self._clock, self._background = door, calls, clock, background
        self.ttl_config = ttl
        self._embeddings = ensure_embeddings(index["embed"]) if index else None
        self._fields = [tokenize_path(path) for path in (index or {}).get("fields") or ["$"]]

    @classmethod
    def open(cls, url: str, *, index: IndexConfig | None = None, ttl: TTLConfig | None = None) -> Self:
        """A store with a file or database of its own, as `AobSaver.open`. Close it, or use it as a context."""
        from aob.langgraph.background import Background

        background = Background(url)
        return cls(background.door, background.calls, index=index, ttl=ttl, background=background)

    def close(self) -> None:
        """Close what `open` opened. Idempotent."""
        if self._background is not None:
            self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Perform operations: reads first, then writes, all of one first label in one commit."""
        every = list(ops)
        vectors = self._vectors(every, lambda texts: cast(Any, self._embeddings).embed_documents(texts))
        return self._calls.wait(self._perform(every, vectors))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same, async."""
        every = list(ops)
        wanted = self._texts(every)
        texts = [text for each in wanted.values() for text in each]
        made = await cast(Any, self._embeddings).aembed_documents(texts) if texts else []
        return await self._calls.here(self._perform(every, _spread(wanted, made)))

    def sweep_ttl(self) -> int:
        """Remove the items that have expired; returns how many. Reads never give them."""
        return self._calls.wait(self._sweep())

    async def asweep_ttl(self) -> int:
        """The same, async."""
        return await self._calls.here(self._sweep())

    # -- embeddings ---------------------------------------------------------------------------------------------------

    def _texts(self, ops: Sequence[Op]) -> dict[int, list[str]]:
        """The texts of operations that need vectors: what is searched for, what is put."""
        found: dict[int, list[str]] = {}
        for at, op in enumerate(ops) if self._embeddings is not None else ():
            if isinstance(op, SearchOp) and op.query:
                found[at] = [op.query]
            elif isinstance(op, PutOp) and op.value is not None and op.index is not False:
                paths = self._fields if op.index is None else [tokenize_path(path) for path in op.index]
                found[at] = [text for path in paths for text in get_text_at_path(op.value, path)]
        return found

    def _vectors(self, ops: Sequence[Op], embed: Callable[[list[str]], list[list[float]]]) -> Vectors:
        wanted = self._texts(ops)
        texts = [text for each in wanted.values() for text in each]
        return _spread(wanted, embed(texts) if texts else [])

    # -- operations ---------------------------------------------------------------------------------------------------

    async def _perform(self, ops: Sequence[Op], vectors: Vectors) -> list[Result]:
        results: list[Result] = [None] * len(ops)
        puts: dict[bytes, tuple[PutOp, list[bytes]]] = {}
        for at, op in enumerate(ops):
            if isinstance(op, GetOp):
                results[at] = await self._get(op)
            elif isinstance(op, SearchOp):
                results[at] = await self._search(op, vectors.get(at, []))
            elif isinstance(op, ListNamespacesOp):
                results[at] = await self._namespaces(op)
            else:
                _check(op)
                puts[key_of(op.namespace, op.key)] = (op, vectors.get(at, []))
        await self._put(puts)
        return results

    async def _put(self, puts: dict[bytes, tuple[PutOp, list[bytes]]]) -> None:
        now_ms = self._now_ms()
        labels: dict[str, list[bytes]] = {}
        for key, (op, _) in puts.items():
            labels.setdefault(op.namespace[0], []).append(key)
        for label, keys in labels.items():
            before = await self._recall(label, [key for key in keys if puts[key][0].value is not None])
            items: list[tuple[bytes, bytes | None]] = []
            for key in keys:
                op, vectors = puts[key]
                if op.value is None:
                    items.append((key, None))
                    continue
                created_ms = before[key].created_ms if key in before else now_ms
                ttl = op.ttl or 0.0
                kept = Kept(_json(op.value), created_ms, now_ms, ttl, _until(now_ms, ttl), vectors)
                items.append((key, packed(kept)))
            await self._door.ask(label, Remember(items))

    async def _recall(self, label: str, keys: list[bytes]) -> dict[bytes, Kept]:
        """Items that exist and have not expired."""
        rows: dict[bytes, bytes] = await self._door.ask(label, Recall(keys)) if keys else {}
        return {key: kept for key, row in rows.items() if not self._expired(kept := unpacked(row))}

    async def _get(self, op: GetOp) -> Item | None:
        key = key_of(op.namespace, str(op.key))
        found = await self._recall(op.namespace[0], [key]) if op.namespace else {}
        if key not in found:
            return None
        if op.refresh_ttl:
            await self._used(found)
        item = item_of(key, found[key])
        return Item(value=item.value, key=item.key, namespace=item.namespace, created_at=item.created_at,
                    updated_at=item.updated_at)  # fmt: skip

    async def _used(self, found: dict[bytes, Kept]) -> None:
        """Items were read: those that expire do so later."""
        now_ms = self._now_ms()
        labels: dict[str, list[tuple[bytes, bytes | None]]] = {}
        for key, kept in found.items():
            if kept.ttl:
                kept.expires_ms = _until(now_ms, kept.ttl)
                labels.setdefault(named(key)[0][0], []).append((key, packed(kept)))
        for label, items in labels.items():
            await self._door.ask(label, Remember(items))

    async def _below(self, prefix: tuple[str, ...]) -> list[tuple[bytes, Kept]]:
        """Every item in a namespace and below, that has not expired."""
        found: list[tuple[bytes, Kept]] = []
        for label in [prefix[0]] if prefix else await self._door.names(MEMORY):
            after = b""
            while page := await self._door.ask(label, Browse(start_of(prefix), after, PAGE)):
                rows = [(key, unpacked(row)) for key, row in page]
                found += [(key, kept) for key, kept in rows if not self._expired(kept)]
                after = page[-1][0]
                if len(page) < PAGE:
                    break
        return found

    async def _search(self, op: SearchOp, wanted: list[bytes]) -> list[SearchItem]:
        found = []
        for key, kept in await self._below(op.namespace_prefix):
            value = msgspec.json.decode(kept.value)
            if all(matches(value.get(name), other) for name, other in (op.filter or {}).items()):
                found.append((key, kept))
        scores: dict[bytes, float] = {}
        if op.query and wanted:
            scores = {key: max(_alike(each, wanted[0]) for each in kept.vectors) for key, kept in found if kept.vectors}
        elif op.query:
            words = set(_WORD.findall(op.query.lower()))
            told = {key: len(words.intersection(_words(kept.value))) / (len(words) or 1) for key, kept in found}
            scores = {key: score for key, score in told.items() if score}
        if op.query:
            found = sorted((each for each in found if each[0] in scores), key=lambda each: -scores[each[0]])
        chosen = found[op.offset : op.offset + op.limit]
        if op.refresh_ttl:
            await self._used(dict(chosen))
        return [item_of(key, kept, scores.get(key)) for key, kept in chosen]

    async def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        found = {named(key)[0] for key, _ in await self._below(())}
        found = {each for each in found if all(_is(each, wanted) for wanted in op.match_conditions or ())}
        if op.max_depth is not None:
            found = {each[: op.max_depth] for each in found}
        return sorted(found)[op.offset : op.offset + op.limit]

    async def _sweep(self) -> int:
        count = 0
        for label in await self._door.names(MEMORY):
            after = b""
            while page := await self._door.ask(label, Browse(b"", after, PAGE)):
                gone: list[tuple[bytes, bytes | None]] = [
                    (key, None) for key, row in page if self._expired(unpacked(row))
                ]  # fmt: skip
                after, count = page[-1][0], count + len(gone)
                if gone:
                    await self._door.ask(label, Remember(gone))
        return count

    def _now_ms(self) -> int:
        return round((time.time() if self._clock is None else self._clock()) * 1_000)

    def _expired(self, kept: Kept) -> bool:
        return 0 < kept.expires_ms <= self._now_ms()


def _spread(wanted: dict[int, list[str]], made: Sequence[Sequence[float]]) -> Vectors:
    """Vectors of length 1 by operation."""
    found, at = Vectors(), 0
    for number, texts in wanted.items():
        some = made[at : at + len(texts)]
        at += len(texts)
        found[number] = [
            array("f", [x / (sqrt(sum(y * y for y in one)) or 1.0) for x in one]).tobytes() for one in some
        ]
    return found


def _alike(one: bytes, other: bytes) -> float:
    return sum(x * y for x, y in zip(memoryview(one).cast("f"), memoryview(other).cast("f"), strict=False))


def _words(value: bytes) -> set[str]:
    return set(_WORD.findall(value.decode().lower()))


def _until(now_ms: int, ttl: float) -> int:
    return now_ms + round(ttl * MINUTE_MS) if ttl else 0


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, UnicodeEncodeError) as error:
        why = f"the value of an item is JSON: {error}"
        raise Invalid(why, [Problem("value", why)]) from error


def _check(op: PutOp) -> None:
    """Raises Invalid for a name that cannot be stored."""
    for name in (*op.namespace, op.key):
        if not name or len(name) > NAME_MAX or "\0" in name or "\1" in name:
            why = f"{name!r:.60} is no name: text of 1 to {NAME_MAX} characters, without U+0000 and U+0001"
            raise Invalid(why, [Problem("", why, "bad_name")])
    if not op.namespace:
        raise Invalid("a namespace has a label", [Problem("namespace", "is empty", "bad_name")])


def _is(namespace: tuple[str, ...], wanted: MatchCondition) -> bool:
    path = wanted.path
    if len(path) > len(namespace):
        return False
    part = namespace[: len(path)] if wanted.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(label in ("*", here) for here, label in zip(part, path, strict=True))
