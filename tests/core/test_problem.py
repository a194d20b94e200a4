"""Problems travel: what one side raises the other side raises again."""

import msgspec
import pytest

from aob.core.errors import (
    AobError,
    Busy,
    CallerError,
    Conflict,
    Invalid,
    Malformed,
    NotFound,
    OurError,
    Problem,
    Quarantined,
    Refused,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from aob.core.problem import error_of, problem_of

ERRORS = [
    CallerError("no", hint="mend"),
    Malformed("not JSON"),
    Invalid("wrong", [Problem("/nodes/a", "unknown kind", line=3, column=4, hint="use http")]),
    Unauthorized("who"),
    Refused("policy p", policy="p"),
    NotFound("no run run_1", code="run_not_found"),
    Conflict("same id", difference="/inputs"),
    TooLarge("11 MiB"),
    Busy("full", retry_after_s=2.5),
    OurError("broken"),
    Unavailable("disk full"),
    Unavailable("shard 1 is being started again", code="shard_down", shard=1, retry_after_s=1.0),
    Quarantined("law"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_survives_the_wire(error: AobError) -> None:
    sent = msgspec.json.decode(msgspec.json.encode(problem_of(error, instance="/v1/runs")))
    again = error_of(sent, error.status)
    assert type(again) is type(error)
    assert (again.detail, again.hint, again.code, again.status) == (error.detail, error.hint, error.code, error.status)
    assert again.fields == error.fields
    assert problem_of(again, instance="/v1/runs") == problem_of(error, instance="/v1/runs")


def test_titles_are_words() -> None:
    assert problem_of(TooLarge("x", code="body_too_large"))["title"] == "Body too large"


@pytest.mark.parametrize("status", [400, 402, 405, 408, 418, 422, 429, 500, 502, 503])
def test_a_body_that_is_no_problem_still_gives_an_error_with_the_status(status: int) -> None:
    error = error_of({}, status)
    assert error.status == status
    assert str(status) in error.detail


def test_members_that_we_cannot_read_are_no_reason_to_fail() -> None:
    error = error_of({"detail": 7, "problems": [1], "a-b": 1, "retry_after_s": "soon"}, 422)
    assert isinstance(error, Invalid)
    assert error.problems == ()
    assert error.fields == {}
