"""A letter with several questions: a plan splits it, a task looks each question up, and the results are the answer."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec

import aob
from triage.corpus import Conversation, corpus

LETTER: Final = (
    "Dear library, who wrote The Hobbit? What is a microprocessor? And how does the stock market work? "
    "Last, what is chemistry? Yours, Ida"
)
"""The letter of the demo."""
_WORD: Final = re.compile(r"[a-z']+")


class Question(msgspec.Struct):
    """One question of a letter."""

    text: str


@aob.task("look_up", input=Question, capabilities=["looks up what was answered to a question like this before"])
async def look_up(question: Question) -> dict[str, Any]:
    """Finds what was answered to the most similar question."""
    found = nearest(question.text)
    return {"question": question.text, "desk": found.desk, "answer": (found.answers or ("",))[0]}


@aob.planner("letter")
async def letter(context: Any) -> Mapping[str, Any]:
    """Splits a letter into its questions, a task for each; done once they are looked up."""
    if context.current_state != "initial":
        return {"next_task_ids": []}
    asked = {
        f"{context.given['id']}-{n}": {"task_type": "look_up", "parameters": {"text": text}}
        for n, text in enumerate(questions_in(context.given["text"]), 1)
    }
    return {"next_task_ids": list(asked), "tasks": asked}


def questions_in(text: str) -> list[str]:
    """The questions of a text, in order."""
    found = re.findall(r"\b(?:who|what|how|when|where|why)\b[^?]*\?", text, re.IGNORECASE)
    return [" ".join(each.split()) for each in found]


def nearest(text: str) -> Conversation:
    """The learned conversation whose question has the most words in common with a text, rare ones counting more."""
    words = _words(text)
    weights = _weights()
    return max(
        corpus().learned,
        key=lambda one: (
            sum(weights[word] for word in words & _words(one.question))
            / (1 + sum(weights[word] for word in _words(one.question) - words))
        ),
    )


@cache
def _weights() -> dict[str, float]:
    every = [_words(one.question) for one in corpus().learned]
    return {word: 1 / sum(word in words for words in every) for words in every for word in words}


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))
