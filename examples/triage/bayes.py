"""A naive Bayes classifier of texts: learns words and pairs of words, answers with a label and how sure it is."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"[a-z']+")
SMOOTHING: Final = 0.1
PRIOR: Final = 0.3
"""The weight of how common a label is: in the corpus half of all is about one subject, at a desk it is not."""


class Bayes:
    """Learned from pairs of label and text."""

    def __init__(self, examples: Iterable[tuple[str, str]]) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._priors = Counter[str]()
        for label, text in examples:
            self._counts.setdefault(label, Counter()).update(_features(text))
            self._priors[label] += 1
        self._totals = {label: counts.total() for label, counts in self._counts.items()}
        self._known = {feature for counts in self._counts.values() for feature in counts}

    def __call__(self, text: str) -> tuple[str, float]:
        """The most likely label, and its probability. Raises ValueError for a text without a single word."""
        if not (features := _features(text)):
            raise ValueError("there is no word in it")
        known = [feature for feature in features if feature in self._known]
        scores = {label: self._score(label, known) for label in self._counts}
        best = max(scores, key=lambda label: scores[label])
        return best, 1 / sum(math.exp(score - scores[best]) for score in scores.values())

    def _score(self, label: str, features: list[str]) -> float:
        whole = self._totals[label] + SMOOTHING * len(self._known)
        prior = PRIOR * math.log(self._priors[label] / self._priors.total())
        return prior + sum(math.log((self._counts[label][feature] + SMOOTHING) / whole) for feature in features)


def _features(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    return words + [f"{one} {two}" for one, two in pairwise(words)]
