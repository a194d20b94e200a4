"""Who sorts a question: the classifier, or a model if one is named. In: a text. Out: a desk, how sure, which brain."""

import json
import os
import time
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from aob import WorkError
from aob.core.errors import Unavailable
from triage.bayes import Bayes
from triage.corpus import DESKS, corpus

MODEL: Final = "TRIAGE_MODEL"
"""The model that sorts in the classifier's place: `openai:gpt-5-mini`, `script:NAME`."""
MODEL_URL: Final = "TRIAGE_MODEL_URL"
"""Where it is, if not at its maker's: any server that speaks OpenAI's protocol (`http://127.0.0.1:11434/v1`)."""
PROMPT: Final = "Visitors ask a library. Say which desk answers the question, and how sure you are of it, from 0 to 1."
ANSWER: Final = {
    "type": "object", "required": ["desk", "sure"], "additionalProperties": False,
    "properties": {"desk": {"enum": list(DESKS)}, "sure": {"type": "number", "minimum": 0, "maximum": 1}},
}  # fmt: skip


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
    if not (model := os.environ.get(MODEL)):
        return "naive Bayes: words and pairs of words, no language model"
    if model.startswith("script:"):
        return f"scripted: rules of {model.removeprefix('script:')}.yaml, no language model"
    return f"language model {model}" + (f" at {os.environ[MODEL_URL]}" if os.environ.get(MODEL_URL) else "")


def settings() -> str:
    """The settings of a home whose agents ask the model at another address than that of its maker."""
    if not (url := os.environ.get(MODEL_URL)):
        return ""
    provider = os.environ.get(MODEL, "").partition(":")[0]
    return f"[models]\nbase_urls = {{ {json.dumps(provider)} = {json.dumps(url)} }}\n"


def equipped() -> None:
    """Raises Unavailable: `not_installed` if what asks the model is missing, `bad_model` for a name that names none."""
    model = os.environ.get(MODEL, "")
    if (not model and os.environ.get(MODEL_URL)) or (model and ":" not in model):
        why = f"{MODEL} is the name of a model with its provider, not {model!r}"
        raise Unavailable(why, code="bad_model", hint=f"{MODEL}=openai:NAME {MODEL_URL}=http://127.0.0.1:11434/v1")
    if model and not model.startswith("script:") and find_spec("pydantic_ai") is None:
        hint = "pip install 'agentic-orchestration-builder[models]'"
        raise Unavailable(f"to ask {model} needs what is not installed", code="not_installed", hint=hint)


async def sort(text: str, ctx: Any) -> Sorted:
    """Sort a text. A model is asked once, and its answer recorded before it is used. Raises WorkError `no_text` for a
    text without a word, and what `ctx.model` raises."""
    if not (model := os.environ.get(MODEL)):
        try:
            desk, sure = classifier()(text)
        except ValueError as why:
            raise WorkError(f"it cannot be sorted: {why}", code="no_text", transient=False) from None
        return Sorted(desk, round(sure, 3), "bayes")
    if not text.strip():
        raise WorkError("it cannot be sorted: there is no word in it", code="no_text", transient=False)
    told = await ctx.model("{text}", {"text": text}, model=model, system=PROMPT, output=ANSWER)
    return Sorted(told["desk"], told["sure"], model)
