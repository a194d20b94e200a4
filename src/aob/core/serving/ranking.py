"""Full-text search in memory: BM25 over weighted fields. Unknown words are read as prefixes or misspellings."""

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

QUERY_WORDS_MAX: Final = 16
QUERY_CHARS_MAX: Final = 400
_SATURATION: Final = 1.2
_LENGTH: Final = 0.75
_NAME_WEIGHT: Final = 4
_TITLE_WEIGHT: Final = 2
_PREFIX: Final = 0.6
_ALIKE: Final = 0.35
_ALIKE_CUTOFF: Final = 0.78
_PREFIX_WORDS_MAX: Final = 30
_WORD: Final = re.compile(r"[^\W_]+")


class Thing(msgspec.Struct, frozen=True):
    """An item to find: its kind and name, a title, a text for the snippet, and a link."""

    kind: str
    name: str
    title: str
    text: str
    link: str


class Ranking:
    """An immutable index of items."""

    def __init__(self, things: Iterable[Thing]) -> None:
        self._things = list(things)
        self._counts = [_counted(thing) for thing in self._things]
        lengths = [sum(counts.values()) for counts in self._counts]
        mean = sum(lengths) / len(lengths) if lengths else 1.0
        self._norms = [1 - _LENGTH + _LENGTH * length / (mean or 1.0) for length in lengths]
        self._places: dict[str, list[int]] = {}
        for place, counts in enumerate(self._counts):
            for word in counts:
                self._places.setdefault(word, []).append(place)
        self._words = sorted(self._places)

    def find(self, words: str, *, kind: str = "", limit: int = 20) -> list[tuple[Thing, float, str]]:
        """Items with the words, with score and snippet, best first; ties by kind and name."""
        asked = _words_of(words[:QUERY_CHARS_MAX])[:QUERY_WORDS_MAX]
        scores: dict[int, float] = {}
        found: dict[int, set[str]] = {}
        for word in asked:
            best: dict[int, float] = {}
            for other, share in self._alike(word):
                for place in self._places[other]:
                    score = share * self._score(other, place)
                    if score > best.get(place, 0.0):
                        best[place] = score
                    found.setdefault(place, set()).add(other)
            for place, score in best.items():
                scores[place] = scores.get(place, 0.0) + score
        plain = " ".join(asked)
        for place in scores:
            if " ".join(_words_of(self._things[place].name)) == plain:
                scores[place] *= 2  # a whole name in the query means that item
        ranked = sorted(scores, key=lambda at: (-scores[at], self._things[at].kind, self._things[at].name))
        hits = [(self._things[at], round(scores[at], 3), found[at]) for at in ranked]
        chosen = [hit for hit in hits if not kind or hit[0].kind == kind][:limit]
        return [(thing, score, _snippet(thing, seen)) for thing, score, seen in chosen]

    def _alike(self, word: str) -> list[tuple[str, float]]:
        import bisect

        alike = [(word, 1.0)] if word in self._places else []
        at = bisect.bisect_left(self._words, word)
        for other in self._words[at : at + _PREFIX_WORDS_MAX]:
            if not other.startswith(word):
                break
            if other != word:
                alike.append((other, _PREFIX))
        if alike:
            return alike
        return [(other, _ALIKE) for other in difflib.get_close_matches(word, self._words, 3, _ALIKE_CUTOFF)]

    def _score(self, word: str, place: int) -> float:
        holders, count = len(self._places[word]), self._counts[place][word]
        rarity = math.log(1 + (len(self._things) - holders + 0.5) / (holders + 0.5))
        return rarity * count * (_SATURATION + 1) / (count + _SATURATION * self._norms[place])


def _counted(thing: Thing) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text, weight in ((thing.name, _NAME_WEIGHT), (thing.title, _TITLE_WEIGHT), (thing.text, 1), (thing.kind, 1)):
        for word in _words_of(text):
            counts[word] += weight
    return counts


def _words_of(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))]


def _snippet(thing: Thing, words: set[str], around: int = 80) -> str:
    """The part of the text that contains a word."""
    text = thing.text
    for hit in _WORD.finditer(text):
        if hit.group().casefold() in words:
            start, end = max(hit.start() - around, 0), min(hit.end() + around, len(text))
            return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")
    return text[: 2 * around].strip() + ("…" if len(text) > 2 * around else "")
