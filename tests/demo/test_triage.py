"""`aob demo --org`, whole: what it says is what it must be, also when it is ended in its middle and told again. And its
parts: the classifier, what is checked in the end, a model in the classifier's place."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.core.errors import Unavailable
from aob.testing.conformance.model import Turn
from tests.models.provider import KEY, Provider
from triage.agents import LOST, QUESTIONS, SORTED, UNKNOWN, sorter
from triage.bayes import Bayes
from triage.brains import MODEL, MODEL_URL, SURE, badge, classifier, equipped, score, settings
from triage.checking import by_desk, digest, wrong
from triage.corpus import corpus
from triage.visitors import MENDED, POISON, VISITORS, questions

ORG = [sys.executable, "-m", "aob.cli", "--json", "demo", "--org", "--home"]


def expected() -> list[dict[str, Any]]:
    """The books as they must be in the end, made without the platform."""
    bookings = []
    meant = {one.question: one.desk for one in corpus().held_out}
    asked = [(one["subject"], one["id"], one["data"]["text"]) for one in questions(62) if one["id"] != POISON]
    unknown = [each for each in asked if classifier()(each[2])[1] < LOST]
    asked = [*[each for each in asked if each not in unknown], *unknown]  # a person answers in the end
    nth = dict.fromkeys(VISITORS, 0)
    for visitor, question, text in [*asked, (POISON.partition("-")[0], f"{POISON}-mended", MENDED)]:
        nth[visitor] += 1
        desk, sure = classifier()(text)
        if sure < LOST:
            desk, sure = meant[text], 1.0
        bookings.append({
            "visitor": visitor, "nth": nth[visitor], "question": question, "number": len(bookings) + 1,
            "desk": desk if sure >= SURE else "front desk", "priority": "high" if VISITORS[visitor] >= 8 else "normal",
        })  # fmt: skip
    return bookings


@pytest.mark.timeout(180)
def test_an_organisation_works_through_a_night_and_a_kill_and_again_where_it_was_ended(tmp_path: Path) -> None:
    home = tmp_path / "org"
    with subprocess.Popen([*ORG, str(home)], stdout=subprocess.PIPE, text=True) as ended:
        assert ended.stdout
        assert any('"asked"' in line for line in ended.stdout), "it ended before"
        port = int(json.loads((home / "home" / "server.json").read_text())["url"].rpartition(":")[2])
        ended.send_signal(signal.SIGTERM)
        assert ended.wait(30) == 143
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) != 0, f"something still listens on {port}"
    told = subprocess.run([*ORG, str(home)], capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    facts = {fact["fact"]: fact for fact in lines}
    assert [each["choice"] for each in lines if each["fact"] == "person"] == ["books", "books"]
    assert facts["killed"]["booked"] < 62, "it was killed in the middle"
    assert facts["dead"] == {"fact": "dead", "record": POISON, "code": "no_text"}
    answers = facts["plan"]["answers"]
    assert (len(answers), answers[0], answers[2]) == (4, "The Hobbit was written by J.R.R. Tolkein.", "Trading shares.")
    checked, bookings = facts["checked"], expected()
    assert (checked["wrong"], checked["bookings"]) == ([], 63)
    assert checked["by_desk"] == by_desk(bookings)
    assert checked["answer"] == digest(bookings)
    assert checked["asked_again"] > 0, "who was killed had not heard of its booking"


def test_the_classifier_is_right_about_what_it_has_never_seen_when_it_is_sure() -> None:
    told = score()
    assert not {one.question for one in corpus().learned} & {one.question for one in corpus().held_out}
    assert told.sure > told.held_out / 2
    assert told.sure_right > 0.85
    assert told.right > 0.7


def test_a_text_without_a_word_cannot_be_sorted() -> None:
    sorts = Bayes([("a", "one two"), ("b", "three")])
    assert sorts("Two, one!")[0] == "a"
    with pytest.raises(ValueError, match="no word"):
        sorts(" 123 ?")


def test_what_is_wrong_with_the_books_is_said() -> None:
    right = expected()
    counted = by_desk(right)
    assert not list(wrong(right, 63, counted))
    first, second = [one for one in right if one["visitor"] == "ada"][:2]
    swapped = [{**one, "nth": 3 - one["nth"]} if one in (first, second) else one for one in right]
    for bookings, word in (
        ([*right, {**right[0], "number": 64}], "booked twice: ada-1"), (right[:-1], "62 bookings of 63"),
        (swapped, "out of its order"), ([{**right[0], "desk": "front desk"}, *right[1:]], "the live number"),
    ):  # fmt: skip
        assert word in "; ".join(wrong(bookings, 63, counted))


async def test_a_model_sorts_in_the_place_of_the_classifier_and_its_decision_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [Turn(output={"desk": "kitchen", "sure": 1}), Turn(output={"desk": "films", "sure": 0.9})]
    async with Provider(turns) as provider:
        monkeypatch.setenv(MODEL, "openai:tiny")
        monkeypatch.setenv(MODEL_URL, provider.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert badge() == f"language model openai:tiny at {provider.openai_url}"
        (tmp_path / "aob.toml").write_text(settings())
        async with aob.open(tmp_path) as app:
            for topic in (QUESTIONS, UNKNOWN, SORTED):
                await app.metrics.create_topic(app.who, topic)
        async with aob.open(tmp_path, app=SimpleNamespace(sorter=sorter)) as app:
            await app.produce(QUESTIONS, "question.asked", {"text": "what is hal9000"}, subject="ann")
            found = await anext(app.follow(SORTED))
            assert (found.data["desk"], found.data["sure"], found.data["brain"]) == ("films", 0.9, "openai:tiny")
            decisions = (await app.metrics.decisions(app.who))["decisions"]
            assert [each["agent"] for each in decisions] == ["sorter", "sorter"], "a desk that is none is asked again"


@pytest.mark.parametrize("model", ["", "gpt-5"])
def test_a_model_without_its_provider_is_refused(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODEL, model)
    monkeypatch.setenv(MODEL_URL, "http://127.0.0.1:1/v1")
    with pytest.raises(Unavailable, match="TRIAGE_MODEL"):
        equipped()
