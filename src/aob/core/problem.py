"""Converts errors to problem+json (RFC 9457) and back, so that the client raises what the server raised. `problem_of`
and `error_of` are inverses, except for subclasses; `outward` leaves out what is for admins only. `unproven` words
a certificate that is refused. Independent of transports."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NotRequired, TypedDict
from urllib.parse import urlsplit

import msgspec

from aob.core import errors
from aob.core.errors import AobError, Busy, CallerError, Invalid, Malformed, OurError, Problem, Quarantined

TYPE_PREFIX: Final = "urn:aob:problem:"
_MEMBERS: Final = frozenset(
    ("type", "title", "status", "detail", "code", "hint", "instance", "problems", "retry_after_s")
)
_BY_STATUS: Final[Mapping[int, type[AobError]]] = {
    400: CallerError,
    401: errors.Unauthorized,
    403: errors.Refused,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    413: errors.TooLarge,
    500: OurError,
    503: errors.Unavailable,
}
_BY_CODE: Final[Mapping[str, type[AobError]]] = {each.code: each for each in (Malformed, Quarantined)}

SAID: Final = frozenset((
    "bad_secret", "deadline_passed", "no_gateway", "not_here", "not_ready", "not_yet", "other_master_key",
    "partition_busy", "partition_elsewhere", "partition_moved", "partition_moving", "position_ahead", "quarantined",
    "relay_broke", "secret_missing", "secret_refused", "serving_behind", "starting", "stopping", "too_many_workers",
    "worker_silent", "workers_coming",
))  # fmt: skip
"""Codes of errors of ours whose words hold nothing of how the server is set up. Any other is told in words of here."""
INNER: Final = frozenset(("newer_format", "other_cluster", "peer_refused", "schema_behind", "store_conflict"))
"""Codes of what one part of a server says to another, though it is a caller's error there."""
WORDS: Final[Mapping[str, str]] = {
    "disk_full": "a disk of the server is full",
    "not_owner": "the shard has another owner",
    "shard_down": "the owner of the shard cannot be reached",
    "shard_lost": "the owner of the shard went before it answered: what was asked may or may not have happened",
    "shard_unowned": "the owner of the shard was not found in time",
    "store_away": "the database is not reached",
    "store_conflict": "the database has something else there",
    "store_locked": "the database is busy",
    "value_unreadable": "the store of the value does not answer",
}
CANNOT: Final = "the server cannot do this now"
BROKE: Final = "something broke on our side"
AGAIN: Final = "ask again in a moment; the log of the server says more, an admin of its tenant `default` is told it"


class ProblemBody(TypedDict):
    """A problem in transit. `code` is stable; `problems` lists every wrong place of an input; `retry_after_s` is the
    time to wait before a retry. Further members belong to the code (such as `address` or `policy`)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: NotRequired[str]
    instance: NotRequired[str]
    problems: NotRequired[list[Problem]]
    retry_after_s: NotRequired[float]


def problem_of(error: AobError, *, instance: str = "") -> ProblemBody:
    """The problem+json members of an error; `instance` is the requested path."""
    body: ProblemBody = {
        "type": TYPE_PREFIX + error.code,
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if error.hint:
        body["hint"] = error.hint
    if instance:
        body["instance"] = instance
    if isinstance(error, Invalid) and error.problems:
        body["problems"] = list(error.problems)
    wait_s = error.retry_after_s if isinstance(error, Busy) else error.fields.get("retry_after_s")
    if isinstance(wait_s, int | float):
        body["retry_after_s"] = wait_s
    extension = {name: value for name, value in error.fields.items() if name not in _MEMBERS}
    return {**extension, **body}  # type: ignore[typeddict-item]  # extension members are allowed by RFC 9457


def error_of(body: Mapping[str, Any], status: int) -> AobError:
    """The error of a problem; a body that is not a problem gives an error with the status's class."""
    detail = str(body.get("detail") or body.get("title") or f"the server answered {status}")
    code, hint = str(body.get("code") or ""), str(body.get("hint") or "")
    fields = {name: value for name, value in body.items() if name not in _MEMBERS and name.isidentifier()}
    if status == 422:
        return Invalid(detail, _problems(body.get("problems")), hint=hint, code=code, **fields)
    if status == 429:
        wait = body.get("retry_after_s")
        wait_s = float(wait) if isinstance(wait, int | float) else 1.0
        return Busy(detail, retry_after_s=wait_s, hint=hint, code=code, **fields)
    if isinstance(body.get("retry_after_s"), int | float):
        fields["retry_after_s"] = body["retry_after_s"]
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, CallerError if status < 500 else OurError)
    error = kind(detail, hint=hint, code=code, **fields)
    if error.status != status:
        error.status = status  # type: ignore[misc]  # 405, 408, 415: a caller's error with another status
    return error


def outward(error: AobError) -> AobError:
    """The error as anybody may read it: with its code, its status and the numbers among its fields."""
    code = error.code
    if code in SAID or (error.status < 500 and code not in INNER):
        return error
    numbers = {name: value for name, value in error.fields.items() if isinstance(value, bool | int | float)}
    words = WORDS.get(code) or (BROKE if error.status == 500 else CANNOT)
    return error_of({"detail": words, "code": code, "hint": AGAIN, **numbers}, error.status)


def outward_items(items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Answers of a batch, each `error` as anybody may read it."""
    for item in items:
        if isinstance(problem := item.get("error"), Mapping):
            found = error_of(problem, int(problem.get("status", 500)))
            told = outward(found)
            yield item if told is found else {**item, "error": problem_of(told)}
        else:
            yield item


def _problems(value: object) -> list[Problem]:
    try:
        return msgspec.convert(value or [], list[Problem])
    except msgspec.ValidationError:
        return []


def unproven(where: str, said: str, trust: str) -> tuple[str, str]:
    """What is wrong with the certificate of a URL or HOST:PORT that TLS refuses in the words `said`, and what helps;
    `trust` is how the caller names an authority."""
    host = urlsplit(where if "://" in where else f"//{where}").hostname or ""
    if "mismatch" in said:
        hint = f"use a name that is in it, or give it this one: aob certs init --host {host}"
        return f"the certificate of {where} is not for {host}", hint
    if "has expired" in said:
        return f"the certificate of {where} has expired", "a new one there: aob certs renew"
    if "not yet valid" in said:
        return f"the certificate of {where} does not count yet", "is one of the two clocks wrong?"
    return f"the certificate of {where} is from no authority that is known here", trust
