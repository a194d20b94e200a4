"""Every error that leaves a room: what happened, where, and how to mend it.

AobError
├── CallerError            you asked for something we cannot do               4xx
│   ├── Invalid            the input is wrong; `problems` lists every place    422
│   ├── Malformed          the bytes are not what they claim to be             400
│   ├── Unauthorized       we do not know you                                  401
│   ├── Refused            a policy says no, and names itself                  403
│   ├── NotFound           it does not exist                                   404
│   │   └── Gone           it was removed, and a record says by whom           410
│   ├── Conflict           it is in another state, or has other content       409
│   ├── TooLarge           over a stated limit                                 413
│   └── Busy               a queue is full: retry after `retry_after_s`        429
└── OurError               we promised and failed                             5xx
    ├── Unavailable        a dependency does not answer                        503
    └── Quarantined        a law broke on this input; it is quarantined        500
"""

from typing import Any, ClassVar

import msgspec


def said(error: BaseException, limit: int = 1_000) -> str:
    """The text of any exception, encodable by every encoder, also if its own `str` raises. Never raises."""
    try:
        text = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as own:  # SystemExit too: a text must not end a server
        return f"its text cannot be had: {type(own).__name__}"
    return str.encode(text, "utf-8", "backslashreplace").decode()[:limit]


def shown(value: object, limit: int = 500) -> str:
    """Any value as readable text, also if its `repr` raises. Never raises."""
    try:
        text = repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException as own:
        return f"a {type(value).__name__} that cannot be shown: {type(own).__name__}"
    return str.encode(text, "utf-8", "backslashreplace").decode()[:limit]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem of an input: its place (path, line, column from 1), its description, and how to fix it."""

    path: str
    message: str
    code: str = "invalid"
    line: int = 0
    column: int = 0
    hint: str = ""
    caret: str = ""

    def __str__(self) -> str:
        where = f"{self.line}:{self.column} " if self.line else ""
        text = f"{where}{self.path or '/'}: {self.message}"
        if self.caret:
            text += "\n" + self.caret
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class AobError(Exception):
    """Base of all errors of AOB. `code` is stable and documented; `hint` says how to mend it."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, hint: str = "", code: str = "", **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.fields = fields
        if code:
            self.code = code  # type: ignore[misc]  # an instance may name its code more exactly than its class

    def __str__(self) -> str:
        return f"{self.detail} ({self.hint})" if self.hint else self.detail


class CallerError(AobError):
    """You asked for something that we cannot do."""

    code = "bad_request"
    status = 400


class Malformed(CallerError):
    """The bytes are not what they claim to be (not JSON, not YAML, not UTF-8)."""

    code = "malformed"


class Invalid(CallerError):
    """The input is well formed and wrong. `problems` lists every place at once."""

    code = "invalid"
    status = 422

    def __init__(self, detail: str, problems: tuple[Problem, ...] | list[Problem] = (), **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(str, self.problems)])


class Unauthorized(CallerError):
    """We do not know who you are."""

    code = "unauthorized"
    status = 401


class Refused(CallerError):
    """A policy or a role says no; the detail names it."""

    code = "refused"
    status = 403


class NotFound(CallerError):
    """It does not exist, or the caller may not see it."""

    code = "not_found"
    status = 404


class Gone(NotFound):
    """It existed and was removed; the detail says when and by whom."""

    code = "gone"
    status = 410


class Conflict(CallerError):
    """The same id has other content, or the state does not allow this."""

    code = "conflict"
    status = 409


class TooLarge(CallerError):
    """Over a stated limit."""

    code = "too_large"
    status = 413


class Busy(CallerError):
    """A queue is full. Retry after `retry_after_s` seconds."""

    code = "busy"
    status = 429

    def __init__(self, detail: str, *, retry_after_s: float = 1.0, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.retry_after_s = retry_after_s


class OurError(AobError):
    """We promised and failed."""

    code = "internal"


class Unavailable(OurError):
    """A dependency does not answer: a full disk, a locked file, a lost server."""

    code = "unavailable"
    status = 503


class Quarantined(OurError):
    """A law broke on this input. It is quarantined with its reason and the rest continues."""

    code = "quarantined"
