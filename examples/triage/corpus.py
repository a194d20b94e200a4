"""Questions that people asked and the desk that each belongs to, out of the package `chatterbot-corpus` (BSD licence).
It holds conversations by subject; a quarter of them is held out, and the classifier never sees those."""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import yaml

from aob.core.errors import Unavailable

PACKAGE: Final = "chatterbot-corpus"
DESKS: Final = {
    "computers": ("coding", "computers", "tech_support"),
    "books": ("literature",),
    "films": ("movies",),
    "science": ("science",),
    "sports": ("sports",),
    "money": ("money",),
    "public affairs": ("politics", "history"),
}
"""The desks of the library, and the files of the corpus that each answers."""
HELD_OUT: Final = 4
"""One conversation of so many is held out."""
_CODE: Final = re.compile(r"```.*?```", re.DOTALL)


class Conversation(msgspec.Struct, frozen=True):
    """A question, what was answered, and the desk it belongs to."""

    desk: str
    question: str
    answers: tuple[str, ...]


class Corpus(msgspec.Struct, frozen=True):
    """All conversations, parted: to learn from, and held out. `version` is that of the package."""

    version: str
    learned: tuple[Conversation, ...]
    held_out: tuple[Conversation, ...]


@cache
def corpus() -> Corpus:
    """The corpus, always parted in the same way. Raises Unavailable `not_installed` without its package."""
    found = find_spec("chatterbot_corpus")
    if found is None or found.origin is None or find_spec("langgraph") is None:
        raise Unavailable(
            f"the example needs the packages {PACKAGE} and langgraph, which are not installed", code="not_installed",
            hint="pip install 'agentic-orchestration-builder[triage]', or `make demo-org` in a checkout",
        )  # fmt: skip
    folder = Path(found.origin).parent / "data" / "english"
    read = sorted(_conversations(folder), key=lambda one: hashlib.sha256(one.question.encode()).digest())
    count = len(read) // HELD_OUT
    return Corpus(metadata.version(PACKAGE), tuple(read[count:]), tuple(read[:count]))


def _read(path: Path) -> list[list[str]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C: a tenth of the time
    found: list[list[str]] = yaml.load(path.read_text(encoding="utf-8"), loader)["conversations"]
    return found


def _conversations(folder: Path) -> Iterator[Conversation]:
    seen = set[str]()
    for desk, names in DESKS.items():
        for name in names:
            for texts in _read(folder / f"{name}.yml"):
                question, *answers = (" ".join(_CODE.sub(" ", text).split()) for text in texts)
                if question not in seen:
                    seen.add(question)
                    yield Conversation(desk, question, tuple(filter(None, answers)))
