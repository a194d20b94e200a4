"""Who sorts a question: the classifier, or a model if one is named. In: a text. Out: a desk, how sure, which brain."""

import os
import time
from functools import cache
from typing import Any, Final

import httpx
import msgspec

from aob import WorkError
from triage.bayes import Bayes
from triage.corpus import DESKS, corpus

MODEL_URL: Final = "TRIAGE_MODEL_URL"
"""The base URL of any server that speaks OpenAI's protocol (`http://127.0.0.1:11434/v1`); with it a model sorts."""
MODEL_NAME: Final = "TRIAGE_MODEL"
MODEL_KEY: Final = "TRIAGE_MODEL_KEY"
WAIT_S_MAX: Final = 60.0
PROMPT: Final = (
    "You sort questions that visitors ask a library. Answer with a JSON object "
    '{{"desk": one of {desks}, "sure": a number from 0 to 1}} and nothing else.'
)


class Sorted(msgspec.Struct, frozen=True):
    """A desk, how sure the brain is of it (0 to 1), and which brain that is."""

    desk: str
    sure: float
    brain: str


class Score(msgspec.Struct, frozen=True):
    """How the classifier did on what it had never seen. `by_desk` is the mean over desks, for half of all is about
    computers; `sure` counts the answers that it was sure of, `sure_right` the share of those that were right."""

    learned: int
    held_out: int
    right: float
    by_desk: float
    sure: int
    sure_right: float
    learned_s: float


SURE: Final = 0.8
"""From here on an answer counts without anybody looking at it."""


@cache
def classifier() -> Bayes:
    """The classifier, taught by the corpus: a question and each answer to it are an example of their desk."""
    return Bayes((one.desk, text) for one in corpus().learned for text in (one.question, *one.answers))


def score() -> Score:
    """Teach the classifier and examine it on the questions that were held out."""
    corpus()
    classifier.cache_clear()
    begun = time.perf_counter()
    sort = classifier()
    took = time.perf_counter() - begun
    told = [(one.desk, *sort(one.question)) for one in corpus().held_out]
    sure = [meant == found for meant, found, how in told if how >= SURE]
    each = [[meant == found for meant, found, _ in told if meant == desk] for desk in DESKS]
    rates = [sum(right) / len(right) for right in each if right]
    right = sum(meant == found for meant, found, _ in told) / len(told)
    learned = sum(1 + len(one.answers) for one in corpus().learned)
    return Score(learned, len(told), right, sum(rates) / len(rates), len(sure), sum(sure) / len(sure), took)


def badge() -> str:
    """The brain that sorts here, as a person reads it."""
    if os.environ.get(MODEL_URL):
        return f"model {os.environ.get(MODEL_NAME) or 'of the server'} at {os.environ[MODEL_URL]}"
    return "naive Bayes: words and pairs of words, no language model"


async def sort(text: str, ctx: Any) -> Sorted:
    """Sort a text: the model's answer is an effect, asked once and then recorded. Raises WorkError `no_text` for one
    without a word, `model_answer` for an answer that is none."""
    if not os.environ.get(MODEL_URL):
        try:
            desk, sure = classifier()(text)
        except ValueError as why:
            raise WorkError(f"it cannot be sorted: {why}", code="no_text", transient=False) from None
        return Sorted(desk, round(sure, 3), "bayes")
    intent = await ctx.intend("model", {"effect": "keyed", "text": text, "model": os.environ.get(MODEL_NAME, "")})
    told = intent.recorded
    if intent.granted:
        told = await _asked(text)
        await ctx.settle(told)
    return msgspec.convert(told, Sorted)


async def _asked(text: str) -> dict[str, Any]:
    asked = {
        "model": os.environ.get(MODEL_NAME, "") or "default", "temperature": 0,
        "messages": [
            {"role": "system", "content": PROMPT.format(desks=", ".join(f'"{desk}"' for desk in DESKS))},
            {"role": "user", "content": text},
        ],
    }  # fmt: skip
    headers = {"authorization": f"Bearer {os.environ.get(MODEL_KEY, 'none')}"}
    async with httpx.AsyncClient(timeout=WAIT_S_MAX) as client:
        url = os.environ[MODEL_URL].rstrip("/") + "/chat/completions"
        answer = (await client.post(url, json=asked, headers=headers)).raise_for_status().json()
    said = str(answer["choices"][0]["message"]["content"])
    try:
        found = msgspec.json.decode(said[said.index("{") : said.rindex("}") + 1])
        desk, sure = str(found["desk"]), min(1.0, max(0.0, float(found["sure"])))
        if desk not in DESKS:
            raise ValueError(desk)
    except (ValueError, KeyError, TypeError, msgspec.DecodeError):
        raise WorkError(f"the model's answer is none: {said[:200]}", code="model_answer") from None
    return {"desk": desk, "sure": sure, "brain": f"model {answer.get('model', asked['model'])}"}
