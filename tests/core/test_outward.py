"""What anybody is told of an error: a code and words, and nothing of how the server is set up."""

import pytest

from aob.core import errors
from aob.core.errors import AobError, Busy, Conflict, Invalid, NotFound, OurError, Problem, Unavailable
from aob.core.problem import INNER, SAID, WORDS, outward, outward_items, problem_of

SET_UP = "db.internal:5432 user aob of /srv/aob: select secret from kept"


@pytest.mark.parametrize("code", ["", "store_away", "store_login", "shard_unowned", "not_owner", "a_code_of_tomorrow"])
@pytest.mark.parametrize("kind", [Unavailable, OurError])
def test_an_error_of_ours_keeps_its_code_its_status_and_its_numbers_only(kind: type[AobError], code: str) -> None:
    error = kind(
        SET_UP, hint=SET_UP, code=code, address=SET_UP, shard=3, retry_after_s=1.5, unknown=True, more=[SET_UP]
    )
    told = problem_of(outward(error))
    assert SET_UP not in repr(told)
    assert (told["code"], told["status"], told["retry_after_s"]) == (error.code, error.status, 1.5)
    assert (told["shard"], told["unknown"]) == (3, True)  # type: ignore[typeddict-item]  # fields of its own
    assert told["detail"]
    assert told["hint"]


@pytest.mark.parametrize("code", sorted(INNER))
def test_what_parts_of_a_server_say_to_one_another_is_not_told(code: str) -> None:
    told = outward(Conflict(SET_UP, code=code))
    assert (type(told), told.code, SET_UP in str(told)) == (Conflict, code, False)


@pytest.mark.parametrize("error", [
    Invalid("wrong", [Problem("/x", "is wrong")]), NotFound("there is no run"), Busy("full", retry_after_s=2),
    *(Unavailable("in words", code=code, phase="files") for code in sorted(SAID)),
])  # fmt: skip
def test_what_is_for_the_caller_is_told_as_it_is(error: AobError) -> None:
    assert outward(error) is error


def test_what_is_said_and_what_is_put_in_words_are_two_things() -> None:
    assert not SAID & (WORDS.keys() | INNER)


def test_in_a_batch_only_what_failed_is_put_in_words() -> None:
    good, wrong = {"run_id": "run_1"}, {"error": problem_of(NotFound("there is none"))}
    away = {"error": problem_of(errors.Unavailable(SET_UP, code="store_away")), "n": 2}
    told = [*outward_items([good, wrong, away])]
    assert told[:2] == [good, wrong]
    assert told[2]["n"] == 2
    assert (told[2]["error"]["code"], SET_UP in repr(told)) == ("store_away", False)
